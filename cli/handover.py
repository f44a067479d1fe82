"""`wattest handover`: transfers that wait until the receiver accepts them."""

import time
from typing import Any

import click

from cli import show
from cli.options import Group, sending
from cli.people import Acting, acting
from cli.sending import perform
from cli.session import Session, with_session

TERM_S = 14 * 86_400


@click.group(cls=Group)
def handover() -> None:
    """Certificates handed over with `wattest transfer --ask`: accept, decline or take back."""


@handover.command("list")
@click.option("--from", "key_name", metavar="KEY", help="The participant of this key of the home.")
@with_session
def list_(session: Session, key_name: str | None) -> None:
    """What waits for your answer, and what you wait for."""
    me = acting(session, key_name)
    found = _waiting(session, me.id)
    rows = [
        (
            item["number"],
            item["quantity"],
            "to you" if item["to"] == me.id else f"to participant {item['to']}",
            show.moment(item["until"]),
            item["outpoint"],
        )
        for item in found
    ]
    head = ("certificates", "quantity", "handed over", "until", "outpoint")
    session.answer("handovers/1", {"handovers": found}, show.table(head, rows, "nothing waits"))


@handover.command()
@click.argument("outpoints", nargs=-1, required=True)
@sending
@with_session
def accept(session: Session, outpoints: tuple[str, ...], key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Accept what was handed over to you."""
    _answer(session, acting(session, key_name), outpoints, True, no_wait, timeout_s)


@handover.command()
@click.argument("outpoints", nargs=-1, required=True)
@sending
@with_session
def decline(session: Session, outpoints: tuple[str, ...], key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Decline what was handed over to you, or take back what you handed over."""
    _answer(session, acting(session, key_name), outpoints, False, no_wait, timeout_s)


def until_default(until: int | None) -> int:
    return until or int(time.time()) + TERM_S


def _answer(
    session: Session, me: Acting, outpoints: tuple[str, ...], accepted: bool, no_wait: bool, timeout_s: int
) -> None:
    from state.transaction import AnswerHandover

    actions = [AnswerHandover(me.id, _point(text), accepted) for text in outpoints]
    perform(session, actions, [me], no_wait=no_wait, timeout_s=timeout_s)


def _waiting(session: Session, participant: int) -> list[dict[str, Any]]:
    """Handed over by the participant, and to it."""
    client = session.client
    handed = [item for item in client.outputs(participant, "handed") if item["kind"] == "pending"]
    return [*client.outputs(participant, "pending"), *handed]


def _point(text: str) -> bytes:
    try:
        point = bytes.fromhex(text)
    except ValueError:
        point = b""
    if len(point) != 34:
        raise click.UsageError(f"{text!r} is no outpoint: 68 hexadecimal digits, as `wattest handover list` shows.")
    return point
