"""Deeds with certificates: hand a range over, end one with a claim."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values, signed_in, whole
from tui.deeds.people import find_participant
from tui.texts import t

if TYPE_CHECKING:
    from node.client import NodeClient
    from node.wallet import Chosen
    from tui.account import Account

PURPOSES = ("voluntary", "compliance", "own_consumption")
FOR_GOOD = "a retirement is final: nothing and nobody brings these certificates back"


def transfer_form(number: str, quantity: int) -> Form:
    return Form(
        "transfer",
        t("Transfer from {number}", number=number),
        (
            Field("number", t("certificates"), number),
            Field("quantity", t("how many, from the first on"), str(quantity)),
            Field("to", t("receiver"), hint=t("name or number of a participant")),
        ),
        _transfer,
    )


def retire_form(number: str, quantity: int, account: "Account") -> Form:
    return Form(
        "retire",
        t("Retire from {number}", number=number),
        (
            Field("number", t("certificates"), number),
            Field("quantity", t("how many, from the first on"), str(quantity)),
            Field("beneficiary", t("who claims the use"), account.name),
            Field("purpose", t("purpose"), PURPOSES[0], choices=PURPOSES),
            Field("location", t("where the energy was used"), required=False),
            Field("country", t("country of the beneficiary"), account.country),
            Field("note", t("note, such as a product"), required=False),
        ),
        _retire,
        t(FOR_GOOD),
    )


def _transfer(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
    from node.wallet import transfer

    account, to = signed_in(given), find_participant(client, values["to"])
    if to["id"] == account.id:
        raise Mistake(t("receiver: that is you; nothing would move."))
    chosen = chosen_ranges(client, account, values)
    notes = (*numbers_of(chosen), t("participant {id} is {name}", id=to["id"], name=to["name"]))
    return Deed(t("Transfer"), tuple(transfer(account.id, int(to["id"]), chosen)), notes)


def _retire(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
    from node.claims import retirement

    account = signed_in(given)
    chosen = chosen_ranges(client, account, values)
    points = [holding.outpoint for holding, _, _ in chosen]
    if len(set(points)) != len(points):
        raise Mistake(t("certificates: two of these ranges lie in one bundle; take them in two steps."))
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
    return Deed(t("Retire"), (action,), (*numbers_of(chosen), t(FOR_GOOD)))


def chosen_ranges(client: "NodeClient", account: "Account", values: Values) -> "Chosen":
    """The parts of own bundles that the number and the quantity name. RangesDiffer, BadNumber, Mistake."""
    from node.answers import struct_of
    from node.wallet import Holding, Wanted, choose_ranges
    from state.numbering import parse_number
    from state.outputs import Bundle

    number = parse_number(values["number"].strip())
    count = whole(values, "quantity", t("how many"), least=1)
    if count > number.end - number.start + 1:
        raise Mistake(t("how many: the range holds {end:,}.", end=number.end - number.start + 1))
    held = [
        Holding(bytes.fromhex(item["outpoint"]), struct_of(Bundle, item), item["number"])
        for item in client.outputs(account.id, "bundle")
        if item["device"] == number.device
    ]
    return choose_ranges(held, [Wanted(number.device, number.start, number.start + count - 1)])


def numbers_of(chosen: "Chosen") -> list[str]:
    from state.numbering import format_number, parse_number

    return [format_number(replace(parse_number(held.number), start=start, end=end)) for held, start, end in chosen]
