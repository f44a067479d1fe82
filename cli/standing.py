"""`wattest standing`: transfers that every issue of a plant carries out by itself."""

import re

import click

from cli import show
from cli.options import Group, sending
from cli.people import acting, find_participant, name_of
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import MOMENT


@click.group(cls=Group)
def standing() -> None:
    """Rules signed once: of each issue of a plant, a share goes to somebody else, until a date."""


@standing.command("set")
@click.option("--device", type=int, required=True, metavar="N", help="An own plant.")
@click.option("--to", "receiver", required=True, metavar="WHO", help="Who gets the share.")
@click.option("--share", required=True, metavar="PERCENT", help="Of each issue, at most two decimals: 25 or 12.5.")
@click.option("--maximum", type=click.IntRange(0), default=0, help="Certificates in all; 0 = no limit.")
@click.option("--until", type=MOMENT, required=True, help="End of the rule.")
@sending
@with_session
def set_(
    session: Session,
    device: int,
    receiver: str,
    share: str,
    maximum: int,
    until: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Promise a share of every issue of an own plant; rounded down to whole certificates."""
    from state.transaction import SetStanding

    me = acting(session, key_name)
    to = find_participant(session, receiver)
    action = SetStanding(me.id, device, to, _basis_points(share), maximum, until)
    note = f"participant {to} is {name_of(session, to)}"
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=[note])


@standing.command()
@click.argument("device", type=int)
@click.argument("number", type=int)
@sending
@with_session
def end(session: Session, device: int, number: int, key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """End rule NUMBER of plant DEVICE; giver and receiver may."""
    from state.transaction import EndStanding

    me = acting(session, key_name)
    perform(session, [EndStanding(me.id, device, number)], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False)


@standing.command("list")
@click.option("--device", type=int, metavar="N", help="Of this plant; of all, if not given.")
@with_session
def list_(session: Session, device: int | None) -> None:
    """Rules in force."""
    if device is not None:
        plants = [session.client.get(f"/v1/devices/{device}")]
    else:
        plants = list(session.client.pages("/v1/devices", "devices"))
    rules = [rule for plant in plants for rule in plant["standing"]]
    rows = [
        (
            rule["device"],
            rule["id"],
            rule["owner"],
            rule["to"],
            f"{rule['share'] / 100:g} %",
            f"{rule['moved']} of {rule['maximum'] if int(rule['maximum']) else 'any number'}",
            show.moment(rule["until"]),
        )
        for rule in rules
    ]
    head = ("plant", "rule", "from", "to", "share", "certificates", "until")
    session.answer("standing/1", {"standing": rules}, show.table(head, rows, "no rules"))


def _basis_points(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,2}))? ?%?", text)
    if match is None:
        raise click.UsageError(f"{text!r} is no percentage with at most two decimals.")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
