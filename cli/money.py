"""`wattest deposit`, `payout`, `payouts` and `pay`: money in and out, and what is owed for certificates."""

from typing import Any

import click

from cli import show
from cli.holdings import chosen_funds
from cli.market import Closing, price_text
from cli.options import Command, Group, sending
from cli.people import acting, find_participant, name_of, other_signer
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import AMOUNT
from state.spoken import counted


@click.command(cls=Command)
@click.argument("amount", type=AMOUNT)
@click.option("--to", "receiver", required=True, metavar="WHO", help="Whose money it is: number, name or key name.")
@click.option("--currency", default="EUR", show_default=True)
@click.option("--reference", required=True, help="Reference of the bank transfer; used once.")
@sending
@with_session
def deposit(
    session: Session,
    amount: int,
    receiver: str,
    currency: str,
    reference: str,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Credit AMOUNT that came in at the bank to a participant (payment operator)."""
    from state.transaction import Deposit

    me = acting(session, key_name)
    to = find_participant(session, receiver)
    action = Deposit(me.id, to, currency.upper(), amount, reference)
    notes = [f"participant {to} is {name_of(session, to)}", f"reference {reference}"]
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@click.command(cls=Command)
@click.argument("amount", type=AMOUNT)
@click.option("--operator", required=True, metavar="WHO", help="Payment operator who pays: number, name or key name.")
@click.option("--currency", default="EUR", show_default=True)
@click.option("--reference", default="", help="Of the bank transfer, used once: the operator has paid and signs too.")
@click.option("--until", type=Closing(), default="14d", show_default=True, help="Without --reference: ask until then.")
@sending
@with_session
def payout(
    session: Session,
    amount: int,
    operator: str,
    currency: str,
    reference: str,
    until: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Take AMOUNT of your own money out of the ledger.

    Without --reference the operator is asked for it: the money is locked until it confirms or declines (`wattest
    payouts`). With --reference it has paid already, and both sign.
    """
    from state.transaction import AskPayout, Payout

    me, code = acting(session, key_name), currency.upper()
    if reference:
        payer = other_signer(session, operator)
        inputs = chosen_funds(session, me.id, code, amount)
        action = Payout(payer.id, me.id, inputs, code, amount, reference)
        notes = [f"paid by {payer.name}, reference {reference}"]
        perform(session, [action], [me, payer], no_wait=no_wait, timeout_s=timeout_s, notes=notes)
        return
    asked = find_participant(session, operator)
    request = AskPayout(me.id, asked, chosen_funds(session, me.id, code, amount), code, amount, until)
    notes = [f"participant {asked} is {name_of(session, asked)}"]
    perform(session, [request], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@click.group(cls=Group)
def payouts() -> None:
    """Payouts that wait for their operator: who asked for them, and how they end."""


@payouts.command("list")
@click.option("--from", "key_name", metavar="KEY", help="The participant of this key of the home.")
@with_session
def list_payouts(session: Session, key_name: str | None) -> None:
    """What you asked for, and what you are asked for as a payment operator."""
    me = acting(session, key_name)
    found = _requests(session, me.id)
    rows = [
        (
            price_text(item["funds"]["amount"], item["funds"]["currency"]),
            f"{item['funds']['holder']} {name_of(session, item['funds']['holder'])}",
            f"{item['operator']} {name_of(session, item['operator'])}",
            show.moment(item["until"]),
            item["outpoint"],
        )
        for item in found
    ]
    head = ("amount", "asked by", "of operator", "locked until", "request")
    session.answer("payouts/1", {"payouts": found}, show.table(head, rows, "no payout waits"))


@payouts.command()
@click.argument("request")
@click.option("--reference", required=True, help="Reference of the bank transfer; used once.")
@sending
@with_session
def confirm(
    session: Session, request: str, reference: str, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Confirm that you paid REQUEST at the bank (payment operator): the money leaves the ledger."""
    from state.transaction import ConfirmPayout

    me = acting(session, key_name)
    funds = _request(session, me.id, request)["funds"]
    holder, amount = int(funds["holder"]), int(funds["amount"])
    action = ConfirmPayout(me.id, bytes.fromhex(request), holder, funds["currency"], amount, reference)
    notes = [f"participant {holder} is {name_of(session, holder)}"]
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@payouts.command()
@click.argument("request")
@sending
@with_session
def drop(session: Session, request: str, key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Decline REQUEST as its operator, or take your own back once its time is over; the money is free again."""
    from state.transaction import DropPayout

    me = acting(session, key_name)
    funds = _request(session, me.id, request)["funds"]
    whose = f"participant {funds['holder']}, {name_of(session, funds['holder'])}"
    notes = [f"{price_text(funds['amount'], funds['currency'])} of {whose}"]
    action = DropPayout(me.id, bytes.fromhex(request))
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@click.command(cls=Command)
@click.argument("auction_number", metavar="AUCTION", type=int)
@click.argument("amount", type=AMOUNT, required=False)
@click.option("--buyer", default=None, metavar="WHO", help="As payment operator: for whom money came in at the bank.")
@click.option("--reference", default="", help="As payment operator: reference of the bank transfer; used once.")
@sending
@with_session
def pay(
    session: Session,
    auction_number: int,
    amount: int | None,
    buyer: str | None,
    reference: str,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Pay what you owe in AUCTION, all of it or AMOUNT; certificates come with the next block, whole lots in order."""
    from state.transaction import Pay

    if bool(buyer) != bool(reference):
        raise click.UsageError("A transfer at the bank has a --buyer and a --reference, money of the ledger neither.")
    me = acting(session, key_name)
    who = find_participant(session, buyer) if buyer else me.id
    debt = _debt(session, auction_number, who)
    currency, owed = debt["currency"], int(debt["owed"])
    paid = owed if amount is None else amount
    if buyer:
        action = Pay(auction_number, who, paid, (), me.id, reference)
        notes = [f"participant {who} is {name_of(session, who)}, reference {reference}"]
    else:
        action = Pay(auction_number, who, paid, chosen_funds(session, me.id, currency, paid))
        notes = [f"reserved for you: {counted(int(debt['pieces']), 'lot')}"]
    rest = max(0, owed - paid)
    notes.append(f"{price_text(owed, currency)} is owed until {show.moment(debt['due_at'])}")
    notes.append(f"{price_text(rest, currency)} is still owed after this" if rest else "that is all of it")
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


def _debt(session: Session, auction: int, buyer: int) -> dict[str, Any]:
    found = session.client.pages("/v1/obligations", "obligations", participant=buyer)
    for item in found:
        if item["auction"] == auction:
            return item
    raise click.UsageError(f"Participant {buyer} owes nothing in auction {auction}; see `wattest deals list`.")


def _requests(session: Session, participant: int) -> list[dict[str, Any]]:
    """Asked for by the participant, and of it."""
    handed = session.client.outputs(participant, "handed")
    own = session.client.outputs(participant, "payout_request")
    return [*own, *(item for item in handed if item["kind"] == "payout_request")]


def _request(session: Session, participant: int, text: str) -> dict[str, Any]:
    for item in _requests(session, participant):
        if item["outpoint"] == text:
            return item
    raise click.UsageError(f"{text[:16]}… is no payout that waits for you; see `wattest payouts list`.")
