"""`wattest certificate`, `transfer` and `retire`: what one holds, where it came from, and where it goes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from cli import show
from cli.holdings import choosing, chosen_certificates, chosen_funds, numbers_of, require_single_use
from cli.options import Command, Group, sending
from cli.people import Acting, acting, find_participant, name_of, other_signer
from cli.searching import export, search
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import AMOUNT, MOMENT, NUMBER

if TYPE_CHECKING:
    from node.wallet import Chosen
    from state.numbering import CertificateNumber
    from state.transaction import Action

PURPOSES = ("voluntary", "compliance", "own_consumption")


@click.group(cls=Group)
def certificate() -> None:
    """Certificates by number: who holds them, what became of them."""


certificate.add_command(search)
certificate.add_command(export)


@certificate.command("list")
@click.option("--holder", metavar="WHO", help="Of this participant (number, name or key name).")
@click.option("--from", "key_name", metavar="KEY", help="Of the participant of this key of the home.")
@click.option("--device", type=int, metavar="N", help="Only of this plant.")
@with_session
def list_(session: Session, holder: str | None, key_name: str | None, device: int | None) -> None:
    """Live certificates as bundles: of one holder, of one plant, or all."""
    who = find_participant(session, holder) if holder else None
    if key_name:
        who = acting(session, key_name).id
    found = list(session.client.pages("/v1/certificates", "certificates", holder=who, device=device))
    rows = [(item["number"], item["quantity"], item["status"], item["holder_name"]) for item in found]
    text = show.table(("number", "quantity", "status", "holder"), rows, "no live certificates")
    session.answer("certificates/1", {"certificates": found}, text)


@certificate.command("show")
@click.argument("number", type=NUMBER)
@with_session
def show_(session: Session, number: "CertificateNumber") -> None:
    """One certificate: its plant, its production, its verdict, its status."""
    found = _certificate(session, number)
    issuance, facts = found["issuance"], found["facts"]
    text = show.fields(
        [
            ("number", found["number"]),
            ("status", found["status"]),
            ("holder", f"{found['holder_name']} ({found['holder']})" if found["holder"] else None),
            ("statement", found.get("statement")),
            ("plant", f"{facts['name']}, {facts['location']} ({found['device']})"),
            ("technology, fuel", f"{facts['technology']}, {facts['fuel']}"),
            ("scheme", f"{found['scheme']['name']}, {show.energy(found['scheme']['face_value'])} each"),
            ("produced", f"{show.moment(issuance['production_from'])} to {show.moment(issuance['production_to'])}"),
            ("issued", show.moment(issuance["issued_at"])),
            ("tradable until", show.moment(issuance["trade_until"])),
            ("retirable until", show.moment(issuance["retire_until"])),
            ("remarks of the verdict", issuance.get("reasons")),
        ]
    )
    session.answer("certificate/1", _bare(found), text)


@certificate.command()
@click.argument("number", type=NUMBER)
@with_session
def history(session: Session, number: "CertificateNumber") -> None:
    """Every step of a certificate from its issue to now."""
    found = _certificate(session, number)
    rows = [
        (
            step["height"],
            show.moment(int(step["time_ms"]) // 1000),
            step["event"],
            _hands(step),
            show.short(step["txid"]),
        )
        for step in found["history"]
    ]
    text = show.table(("block", "ledger time", "step", "hands", "transaction"), rows)
    session.answer("history/1", {"number": found["number"], "history": found["history"]}, text)


@certificate.command()
@click.argument("number", type=NUMBER)
@with_session
def where(session: Session, number: "CertificateNumber") -> None:
    """Where a certificate, or each part of a range, lies now."""
    found = _certificate(session, number)
    names: dict[int, str] = {}
    for holder in {part["holder"] for part in found["ranges"] if part["holder"]}:
        names[holder] = f"{name_of(session, holder)} ({holder})"
    rows = [
        (part["number"], part["quantity"], part["status"], names.get(part["holder"], "-")) for part in found["ranges"]
    ]
    text = show.table(("number", "quantity", "status", "holder"), rows)
    session.answer("where/1", {"number": found["number"], "ranges": found["ranges"]}, text)


@click.command(cls=Command)
@choosing
@click.option("--to", "receiver", required=True, metavar="WHO", help="Who gets them: number, name or key name.")
@click.option("--price", type=AMOUNT, metavar="AMOUNT", help="Against this total, paid in the same transaction.")
@click.option("--currency", default="EUR", show_default=True, help="Of --price.")
@click.option("--ask", "asks", is_flag=True, help="They move when the receiver accepts: `wattest handover accept`.")
@click.option("--until", type=MOMENT, help="With --ask: the last moment to accept; two weeks, if not given.")
@sending
@with_session
def transfer(
    session: Session,
    numbers: "tuple[CertificateNumber, ...]",
    quantity: int | None,
    technology: str | None,
    device: int | None,
    month: int | None,
    receiver: str,
    price: int | None,
    currency: str,
    asks: bool,
    until: int | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Hand certificates to another participant.

    With --price the receiver pays in the same transaction and signs too: both legs move, or neither. Where its key is
    elsewhere, `wattest tx build transfer …` writes the transaction for both to sign.
    """
    from node.wallet import transfer as transfers
    from state.transaction import Payment

    me = acting(session, key_name)
    signers = [me]
    payment = None
    if asks and price is not None:
        raise click.UsageError("Against a price the receiver signs at once: --ask goes without --price.")
    if price is None:
        to = find_participant(session, receiver)
        name = name_of(session, to)
    else:
        payer = other_signer(session, receiver)
        to, name = payer.id, payer.name
        inputs = chosen_funds(session, payer.id, currency.upper(), price)
        payment = Payment(payer=payer.id, currency=currency.upper(), amount=price, inputs=inputs)
        signers.append(payer)
    chosen = chosen_certificates(session, me.id, numbers, quantity, technology, device, month)
    actions: Sequence[Action] = transfers(me.id, to, chosen, payment) if not asks else _asking(me, to, chosen, until)
    notes = [*numbers_of(chosen), f"participant {to} is {name}"]
    perform(session, actions, signers, no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@click.command(cls=Command)
@choosing
@click.option("--beneficiary", metavar="NAME", help="Who claims the use; you, if not given.")
@click.option("--person", is_flag=True, help="The beneficiary is an individual: only a salted hash goes on the ledger.")
@click.option("--public-name", is_flag=True, help="With --person: the name goes on the ledger after all.")
@click.option("--beneficiary-id", default="", metavar="ID", help="Company number, LEI or the like.")
@click.option("--location", default="", help="Where the energy was used.")
@click.option("--country", metavar="CC", help="Country of the beneficiary, two letters.")
@click.option("--purpose", type=click.Choice(PURPOSES), default="voluntary", show_default=True)
@click.option("--note", default="", help="Free text of the statement, such as a campaign or a product.")
@click.option("--consumption-from", type=MOMENT, help="Start of the consumption; of the production, if not given.")
@click.option("--consumption-to", type=MOMENT, help="End of the consumption; of the production, if not given.")
@click.option("--jurisdiction", metavar="CC[-SUB]", help="Where the claim is made; the country, if not given.")
@sending
@with_session
def retire(
    session: Session,
    /,
    numbers: "tuple[CertificateNumber, ...]",
    quantity: int | None,
    technology: str | None,
    device: int | None,
    month: int | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
    **claim: Any,
) -> None:
    """End certificates with a claim, for ever. The answer names the statement to show and to prove."""
    from node.claims import retirement

    me = acting(session, key_name)
    chosen = chosen_certificates(session, me.id, numbers, quantity, technology, device, month)
    require_single_use(chosen)
    chain, _ = session.network()
    told = _claim(me, _private(session, claim))
    action = retirement(session.client, chain, me.id, chosen, **told)
    note = "a retirement is final: nothing and nobody brings these certificates back"
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=[*numbers_of(chosen), note])


def _asking(me: Acting, to: int, chosen: "Chosen", until: int | None) -> "list[Action]":
    from cli.handover import until_default
    from state.transaction import HandOver

    require_single_use(chosen)
    last = until_default(until)
    return [HandOver(me.id, holding.outpoint, start, end, to, last, "") for holding, start, end in chosen]


def _private(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """An individual's name, number and place stay in this home, unless --public-name says otherwise."""
    from node.personal import keep

    person, public = given.pop("person"), given.pop("public_name")
    if not person or public:
        return given
    if not given["beneficiary"]:
        raise click.UsageError("Name the individual with --beneficiary.")
    if given["beneficiary_id"] or given["location"]:
        raise click.UsageError(
            "An individual's number and place would go on the ledger: leave them out, or --public-name."
        )
    return {**given, "beneficiary": keep(session.home, given["beneficiary"])}


def _claim(me: Acting, given: dict[str, Any]) -> dict[str, Any]:
    country = (given.pop("country") or me.country).upper()
    return {
        **given,
        "country": country,
        "beneficiary": given["beneficiary"] or me.name,
        "jurisdiction": given["jurisdiction"] or country,
    }


def _certificate(session: Session, number: "CertificateNumber") -> dict[str, Any]:
    from state.numbering import format_number

    return session.client.get(f"/v1/certificates/{quote(format_number(number))}")


def _bare(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "schema"}


def _hands(step: dict[str, Any]) -> str:
    giver, taker = step.get("from_name"), step.get("to_name")
    return f"{giver} -> {taker}" if giver and taker and giver != taker else str(taker or giver or "-")
