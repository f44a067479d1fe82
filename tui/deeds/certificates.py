"""Deeds with certificates: hand a range over, end one with a claim."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values, signed_in, whole
from tui.deeds.people import find_participant

if TYPE_CHECKING:
    from node.client import NodeClient
    from node.wallet import Chosen
    from tui.account import Account

PURPOSES = ("voluntary", "compliance", "own_consumption")
FOR_GOOD = "a retirement is final: nothing and nobody brings these certificates back"


def transfer_form(number: str, quantity: int) -> Form:
    return Form(
        "transfer",
        f"Transfer from {number}",
        (
            Field("number", "certificates", number),
            Field("quantity", "how many, from the first on", str(quantity)),
            Field("to", "receiver", hint="name or number of a participant"),
        ),
        _transfer,
    )


def retire_form(number: str, quantity: int, account: "Account") -> Form:
    return Form(
        "retire",
        f"Retire from {number}",
        (
            Field("number", "certificates", number),
            Field("quantity", "how many, from the first on", str(quantity)),
            Field("beneficiary", "who claims the use", account.name),
            Field("purpose", "purpose", PURPOSES[0], choices=PURPOSES),
            Field("location", "where the energy was used", required=False),
            Field("country", "country of the beneficiary", account.country),
            Field("note", "note, such as a product", required=False),
        ),
        _retire,
        FOR_GOOD,
    )


def _transfer(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
    from node.wallet import transfer

    account, to = signed_in(given), find_participant(client, values["to"])
    if to["id"] == account.id:
        raise Mistake("receiver: that is you; nothing would move.")
    chosen = _chosen(client, account, values)
    notes = (*_numbers(chosen), f"participant {to['id']} is {to['name']}")
    return Deed("Transfer", tuple(transfer(account.id, int(to["id"]), chosen)), notes)


def _retire(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
    from node.claims import retirement

    account = signed_in(given)
    chosen = _chosen(client, account, values)
    points = [holding.outpoint for holding, _, _ in chosen]
    if len(set(points)) != len(points):
        raise Mistake("certificates: two of these ranges lie in one bundle; take them in two steps.")
    country = values["country"].strip().upper()
    action = retirement(
        client,
        bytes.fromhex(client.status()["chain_id"]),
        account.id,
        chosen,
        beneficiary=values["beneficiary"].strip(),
        beneficiary_id="",
        location=values["location"].strip(),
        country=country,
        purpose=values["purpose"],
        note=values["note"].strip(),
        consumption_from=None,
        consumption_to=None,
        jurisdiction=country,
    )
    return Deed("Retire", (action,), (*_numbers(chosen), FOR_GOOD))


def _chosen(client: "NodeClient", account: "Account", values: Values) -> "Chosen":
    """The parts of own bundles that the number and the quantity name. RangesDiffer, BadNumber, Mistake."""
    from node.answers import struct_of
    from node.wallet import Holding, Wanted, choose_ranges
    from state.numbering import parse_number
    from state.outputs import Bundle

    number = parse_number(values["number"].strip())
    count = whole(values, "quantity", "how many", least=1)
    if count > number.end - number.start + 1:
        raise Mistake(f"how many: the range holds {number.end - number.start + 1:,}.")
    held = [
        Holding(bytes.fromhex(item["outpoint"]), struct_of(Bundle, item), item["number"])
        for item in client.outputs(account.id, "bundle")
        if item["device"] == number.device
    ]
    return choose_ranges(held, [Wanted(number.device, number.start, number.start + count - 1)])


def _numbers(chosen: "Chosen") -> list[str]:
    from state.numbering import format_number, parse_number

    return [format_number(replace(parse_number(held.number), start=start, end=end)) for held, start, end in chosen]
