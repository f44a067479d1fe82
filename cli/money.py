"""`wattest deposit`, `payout` and `pay`: money in and out by a payment operator, and what is owed for certificates."""

from typing import Any

import click

from cli import show
from cli.holdings import chosen_funds
from cli.market import price_text
from cli.options import Command, sending
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
@click.option("--reference", required=True, help="Reference of the bank transfer; used once.")
@sending
@with_session
def payout(
    session: Session,
    amount: int,
    operator: str,
    currency: str,
    reference: str,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Take AMOUNT of your own money out of the ledger. Both you and the payment operator that paid it sign."""
    from state.transaction import Payout

    me = acting(session, key_name)
    payer = other_signer(session, operator)
    inputs = chosen_funds(session, me.id, currency.upper(), amount)
    action = Payout(payer.id, me.id, inputs, currency.upper(), amount, reference)
    perform(
        session,
        [action],
        [me, payer],
        no_wait=no_wait,
        timeout_s=timeout_s,
        notes=[f"paid by {payer.name}, reference {reference}"],
    )


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
