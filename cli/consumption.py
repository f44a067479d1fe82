"""`wattest consumption`: what was used, hour by hour, and which hours are covered by power of the same hour."""

import time
from typing import Any

import click

from cli import show
from cli.appeals import day_of
from cli.options import Group, sending, unlocking
from cli.people import Acting, acting
from cli.sending import hand_in, in_words, perform
from cli.session import Session, with_session
from cli.values import HOURS_WH, KEY, MOMENT

TERM_S = 5 * 365 * 86_400
RANGES = 64  # of one retirement

DAYS = (
    click.option("--from-day", metavar="YYYY-MM-DD", required=True, help="First UTC day."),
    click.option("--to-day", metavar="YYYY-MM-DD", required=True, help="Last UTC day."),
)


@click.group(cls=Group)
def consumption() -> None:
    """Consumption by the hour, and its match with certificates of the same hour."""


@consumption.command()
@click.option("--name", required=True, help="What the meter is called.")
@click.option("--key", type=KEY, required=True, metavar="HEX", help="Public key of the meter.")
@click.option("--country", required=True, metavar="CC", help="ISO 3166-1, two letters.")
@click.option("--zone", default="", help="Bidding zone or grid area, such as FR or DK1.")
@click.option("--until", type=MOMENT, help="End of the term; five years, if not given.")
@sending
@with_session
def propose(
    session: Session,
    name: str,
    key: bytes,
    country: str,
    zone: str,
    until: int | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Propose an own consumption meter for accreditation."""
    from state.transaction import ConsumptionMeterContent, Propose

    me = acting(session, key_name)
    content = ConsumptionMeterContent(me.id, key, name, country.upper(), zone, until or int(time.time()) + TERM_S)
    perform(session, [Propose(me.id, content)], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False)


@consumption.command("list")
@with_session
def list_(session: Session) -> None:
    """Accredited consumption meters."""
    found = list(session.client.pages("/v1/consumption", "meters"))
    rows = [(item["id"], item["name"], item["owner"], item["country"], item["zone"]) for item in found]
    text = show.table(("meter", "name", "owner", "country", "zone"), rows, "no consumption meters")
    session.answer("consumption_meters/1", {"meters": found}, text)


@consumption.command()
@click.argument("meter", type=int)
@click.option("--day", metavar="YYYY-MM-DD", required=True, help="The UTC day.")
@click.option(
    "--hours",
    "hours_wh",
    type=HOURS_WH,
    required=True,
    metavar="WH,WH,…",
    help="Wh of its 24 hours; or a file with them, as @FILE.",
)
@click.option("--readings", metavar="FILE", help="The raw readings; their SHA-256 goes on the ledger.")
@click.option("--meter-key", required=True, metavar="KEY", help="Name of the meter's key in this home.")
@click.option("--no-wait", is_flag=True, help="Return the id at once instead of waiting for finality.")
@click.option("--timeout", "timeout_s", default=60, show_default=True, metavar="S", help="Seconds to wait.")
@unlocking
@with_session
def report(
    session: Session,
    meter: int,
    day: str,
    hours_wh: tuple[int, ...],
    readings: str | None,
    meter_key: str,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Report the consumption of a day, signed by the meter's key; once for each day."""
    from cli.appeals import digest_of
    from contracts.consumption import report_bytes
    from node.wallet import build_body, raw_and_id
    from state.transaction import ReportConsumption, Transaction

    chain, tip = session.network()
    number, root = day_of(day), digest_of(readings) or bytes(32)
    signature = session.unlock(meter_key).sign(report_bytes(chain, meter, number, hours_wh, root))
    action = ReportConsumption(meter, number, hours_wh, root, signature)
    raw, txid = raw_and_id(Transaction(build_body(chain, [], [action], tip), ()))
    hand_in(session, raw, txid, in_words([action]), no_wait=no_wait, timeout_s=timeout_s)


@consumption.command("match")
@click.argument("meter", type=int)
@DAYS[0]
@DAYS[1]
@click.option("--as", "reader", metavar="KEY", help="Read as the participant of this key; the hours are not public.")
@unlocking
@with_session
def match_(session: Session, meter: int, from_day: str, to_day: str, reader: str | None) -> None:
    """Which hours of a meter are covered by certificates of the same hour that its owner retired."""
    found = _match(session, meter, from_day, to_day, reader)
    sums = ("consumed_wh", "matched_wh", "unmatched_wh", "surplus_wh")
    rows = [(show.moment(item["start"]), *(_wh(item[name]) for name in sums)) for item in found["hours"]]
    text = show.table(("hour", "consumed", "matched", "unmatched", "surplus"), rows, "nothing reported")
    total = found["total"]
    if total["consumed_wh"] is not None:
        text += (
            f"\n\n{total['matched_hours']} of {total['consumed_hours']} hours are covered, "
            f"{_wh(total['matched_wh'])} of {_wh(total['consumed_wh'])}"
        )
    elif found["hours"]:
        text += "\n\nWhat was consumed is for its owner, auditors and authorities: --as KEY."
    session.answer("consumption_match/1", {k: v for k, v in found.items() if k != "schema"}, text)


@consumption.command("retire")
@click.argument("meter", type=int)
@DAYS[0]
@DAYS[1]
@sending
@with_session
def retire_matching(
    session: Session,
    meter: int,
    from_day: str,
    to_day: str,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Retire own certificates for the hours of an own meter that are not covered yet, each for its hour."""
    from cli.holdings import chosen_certificates
    from node.claims import retirement
    from state.numbering import parse_number

    me = acting(session, key_name)
    found = _match(session, meter, from_day, to_day, str(me.key_name))
    if found["owner"] != me.id:
        raise click.UsageError(f"Meter {meter} is participant {found['owner']}'s: only its own consumption is claimed.")
    numbers = [parse_number(item["number"]) for item in found["to_retire"]]
    if not numbers:
        session.answer("sent/1", {"txid": None, "status": "nothing", "actions": []}, "nothing to retire")
        return
    chosen = chosen_certificates(session, me.id, numbers, None, None, None, None)
    chain, _ = session.network()
    actions = [
        retirement(session.client, chain, me.id, chosen[place : place + RANGES], **_claim(me, meter))
        for place in range(0, len(chosen), RANGES)
    ]
    notes = ["a retirement is final: nothing and nobody brings these certificates back"]
    perform(session, actions, [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


def _claim(me: Acting, meter: int) -> dict[str, Any]:
    """Own consumption, in the hours of its production."""
    return {
        "beneficiary": me.name,
        "beneficiary_id": "",
        "location": "",
        "country": me.country,
        "purpose": "own_consumption",
        "note": f"hours of consumption meter {meter}",
        "consumption_from": None,
        "consumption_to": None,
        "jurisdiction": me.country,
    }


def _match(session: Session, meter: int, from_day: str, to_day: str, reader: str | None) -> dict[str, Any]:
    if reader is not None:
        session.read_as(reader, acting(session, reader).id)
    first, last = day_of(from_day), day_of(to_day)
    if last < first:
        raise click.UsageError("The last day is before the first.")
    return session.client.get(f"/v1/consumption/{meter}/match", **{"from": first, "to": last})


def _wh(text: str | None) -> str:
    return "-" if text is None else show.energy(text)
