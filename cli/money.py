"""`wattest deposit` and `payout`: money in and out, through a payment operator."""

import click

from cli.holdings import chosen_funds
from cli.options import Command, sending
from cli.people import acting, find_participant, name_of, other_signer
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import AMOUNT


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
