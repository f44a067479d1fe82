"""`wattest device pledge|unpledge`: a deposit that answers for a plant's certificates."""

import click

from cli.appeals import device as device
from cli.holdings import chosen_funds
from cli.options import sending
from cli.people import acting
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import AMOUNT


@device.command()
@click.argument("number", type=int)
@click.argument("amount", type=AMOUNT)
@click.option("--currency", default="EUR", show_default=True)
@sending
@with_session
def pledge(
    session: Session, number: int, amount: int, currency: str, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Lock AMOUNT as security of an own plant: it pays for what was certified in error and not made up for."""
    from state.transaction import Pledge

    me = acting(session, key_name)
    inputs = chosen_funds(session, me.id, currency.upper(), amount)
    action = Pledge(me.id, number, currency.upper(), amount, inputs)
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s)


@device.command()
@click.argument("number", type=int)
@click.argument("outpoint", required=False)
@sending
@with_session
def unpledge(
    session: Session, number: int, outpoint: str | None, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Give notice of a pledge; given again after the term, it comes back. OUTPOINT names one of several."""
    from state.transaction import Unpledge

    me = acting(session, key_name)
    pledges = session.client.get(f"/v1/devices/{number}")["pledges"]
    chosen = [item["outpoint"] for item in pledges if outpoint in (None, item["outpoint"])]
    if len(chosen) != 1:
        raise click.UsageError(f"Name one of the {len(pledges)} pledges: {', '.join(p['outpoint'] for p in pledges)}.")
    action = Unpledge(me.id, number, bytes.fromhex(chosen[0]))
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s)
