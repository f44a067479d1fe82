"""`wattest device` and `meter`: plants, and whose signature their readings carry."""

import time
from itertools import groupby
from typing import Any

import click

from cli import show
from cli.options import Group, sending
from cli.people import acting
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import KEY, MOMENT, Scaled
from state.attestation import CORRECTION

TERM_S = 5 * 365 * 86_400
UNKNOWN_COORDINATE = 2**31
CHANNELS = {"wind": 1, "temperature": 2, "insolation": 4}
FUELS = {"T01": "F01040100", "T02": "F01050100", "T03": "F01050200", "T04": "F01050200"}  # EECS pairs with one fuel
DEGREES, KILOWATTS, METRES = Scaled(6), Scaled(3), Scaled(2)


@click.group(cls=Group)
def device() -> None:
    """Plants: proposed by their owner, accredited by the validators."""


@device.command()
@click.option("--name", required=True, help="Name of the plant.")
@click.option("--scheme", required=True, metavar="ID", help="Scheme by number or name.")
@click.option("--technology", required=True, metavar="T……", help="EECS technology, e.g. T010100, T020001.")
@click.option("--fuel", metavar="F………", help="EECS fuel; follows from the technology where only one goes with it.")
@click.option("--country", required=True, metavar="CC", help="ISO 3166-1, two letters.")
@click.option("--zone", default="", help="Bidding zone, e.g. DK1.")
@click.option("--location", default="", help="Place in words.")
@click.option("--capacity-kw", "capacity_w", type=KILOWATTS, required=True, help="Nameplate power in kW.")
@click.option("--commissioned", type=MOMENT, default=0, help="Day of commissioning.")
@click.option("--interval-s", type=int, required=True, help="Length of one reading's interval in seconds.")
@click.option("--channels", default="", help="What is measured beside power: wind,temperature,insolation.")
@click.option("--latitude", "latitude_udeg", type=DEGREES, default=UNKNOWN_COORDINATE, help="Degrees north.")
@click.option("--longitude", "longitude_udeg", type=DEGREES, default=UNKNOWN_COORDINATE, help="Degrees east.")
@click.option("--coordinates-estimated", is_flag=True, help="The coordinates are not exact.")
@click.option("--tilt", "tilt_udeg", type=DEGREES, default=-1, help="Of a solar plane, degrees.")
@click.option("--azimuth", "azimuth_udeg", type=DEGREES, default=-1, help="Of a solar plane, degrees from north.")
@click.option("--hub-height-m", "hub_height_cm", type=METRES, default=0, help="Of a wind turbine.")
@click.option("--insolation-source", type=click.Choice(["none", "pyranometer", "plane", "satellite"]), default="none")
@click.option("--gsrn", default="", help="GSRN, 18 digits.")
@click.option("--support", default="", help="Public support received.")
@click.option("--until", type=MOMENT, help="End of the accreditation; five years, if not given.")
@sending
@with_session
def propose(
    session: Session,
    /,
    scheme: str,
    technology: str,
    fuel: str | None,
    channels: str,
    commissioned: int,
    until: int | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
    **facts: Any,
) -> None:
    """Propose an own plant for accreditation. Facts cannot be changed later."""
    from cli.market import find_scheme
    from state.records import DeviceFacts
    from state.transaction import DeviceContent, Propose

    me = acting(session, key_name)
    content = DeviceContent(
        owner=me.id,
        scheme=find_scheme(session, scheme)["id"],
        facts=DeviceFacts(
            **{**facts, "country": facts["country"].upper()},
            technology=technology.upper(),
            fuel=_fuel(technology.upper(), fuel),
            channels=_channels(channels),
            commissioned_day=commissioned // 86_400,
        ),
        until=until or int(time.time()) + TERM_S,
    )
    perform(session, [Propose(me.id, content)], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False)


@device.command("list")
@click.option("--owner", metavar="WHO", help="Of this participant: number, name or key name.")
@with_session
def list_(session: Session, owner: str | None) -> None:
    """Accredited plants."""
    from cli.people import find_participant

    number = find_participant(session, owner) if owner else None
    found = list(session.client.pages("/v1/devices", "devices", owner=number))
    rows = [
        (
            item["id"],
            item["facts"]["name"],
            item["facts"]["technology"],
            show.energy(item["facts"]["capacity_w"]).removesuffix("h"),
            item["facts"]["country"],
            item["owner"],
            item.get("scheme_name"),
            "yes" if item["profile_hash"] else "no",
        )
        for item in found
    ]
    head = ("id", "plant", "technology", "power", "country", "owner", "scheme", "profile")
    session.answer("devices/1", {"devices": found}, show.table(head, rows, "no plants are accredited"))


@device.command("show")
@click.argument("number", type=int)
@click.option("--days", "count", default=10, show_default=True, help="Verdicts of so many days, the latest.")
@with_session
def show_(session: Session, number: int, count: int) -> None:
    """One plant: facts, profile, credential, and the verdicts of its days."""
    found = session.client.get(f"/v1/devices/{number}")
    days = list(session.client.pages(f"/v1/devices/{number}/days", "days"))
    others = session.client.pages("/v1/devices", "devices")
    heard_by = [item["id"] for item in others if number in item["neighbours"]]
    facts = found["facts"]
    credential = found.get("credential") or {}
    profile = show.short(found["profile_hash"])
    head = show.fields(
        [
            ("plant", f"{found['id']}  {facts['name']}, {facts['location'] or facts['country']}"),
            ("owner", found["owner"]),
            ("technology, fuel", f"{facts['technology']}, {facts['fuel']}"),
            ("power", show.energy(facts["capacity_w"]).removesuffix("h")),
            ("scheme", found.get("scheme_name")),
            ("accredited until", show.moment(found["until"])),
            ("readings signed by", f"gateway {credential['gateway']}" if credential.get("gateway") else None),
            ("readings key", credential.get("key")),
            ("profile", f"{profile} of {show.moment(found['profile_from'])} on" if profile else "none yet"),
            ("hears", ", ".join(str(each) for each in found["neighbours"]) or None),
            ("heard by", ", ".join(str(each) for each in heard_by) or None),
            ("certificates", int(found["next_serial"]) - 1),
            ("owes", _owes(found["debt"])),
            (
                "waits to be issued",
                [f"{show.energy(item['credit_wh'])} of {show.day(item['day'])}" for item in found["credits"]],
            ),
            ("pledged", [_pledged(item) for item in found["pledges"]]),
        ]
    )
    columns = ("day", "verdict", "certified", "in review", "until", "refused or held", "reasons")
    body = show.table(columns, [_day_row(steps) for steps in _by_day(days)[-count:]], "no day was judged yet")
    shown = [step for steps in _by_day(days)[-count:] for step in steps]
    session.answer(
        "device/1",
        {**{k: v for k, v in found.items() if k != "schema"}, "heard_by": heard_by, "days": shown},
        f"{head}\n\n{body}",
    )


def _owes(debt: dict[str, Any] | None) -> str | None:
    if debt is None or not int(debt["debt_wh"]):
        return None
    return f"{show.energy(debt['debt_wh'])} that were certified in error, due {show.moment(debt['due_at'])}"


def _pledged(item: dict[str, Any]) -> str:
    amount = int(item["funds"]["amount"])
    notice = f", notice given {show.moment(item['notice_at'])}" if int(item["notice_at"]) else ""
    return f"{amount // 10**6:,}.{amount % 10**6 // 10_000:02d} {item['funds']['currency']}{notice}"


def _by_day(days: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The steps of each day's release, oldest day first."""
    return [list(steps) for _, steps in groupby(days, key=lambda item: item["day"])]


def _day_row(steps: list[dict[str, Any]]) -> tuple[object, ...]:
    """A day as its latest step left it."""
    first, last = steps[0], steps[-1]
    corrected = last["step"] == CORRECTION  # then its record says what the day stands at
    certified_wh = sum(int(step["release_wh"]) for step in ([last] if corrected else steps))
    review_wh = int(last["review_wh"])
    rest_wh = int(first["energy_wh"]) - certified_wh - review_wh
    verdict = first["verdict"] if last["verdict"] == "accept" else last["verdict"]
    until = last["review_until"] or "-"
    energies = [show.energy(value) if value else "-" for value in (certified_wh, review_wh)]
    return (first["date"], verdict, *energies, until, show.energy(rest_wh) if rest_wh else "-", last["reasons"])


@click.group(cls=Group)
def meter() -> None:
    """Credentials of readings."""


@meter.command("propose")
@click.option("--device", "number", type=int, required=True, metavar="N", help="The plant.")
@click.option("--key", type=KEY, default=b"", metavar="HEX", help="Public key of the meter itself.")
@click.option("--gateway", type=int, default=0, metavar="N", help="Gateway that signs for the meter.")
@click.option("--until", type=MOMENT, help="End of the credential; five years, if not given.")
@sending
@with_session
def propose_meter(
    session: Session,
    number: int,
    key: bytes,
    gateway: int,
    until: int | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Propose whose signature the readings of an own plant carry: the meter's key or a gateway."""
    from state.transaction import MeterContent, Propose

    if bool(key) == bool(gateway):
        raise click.UsageError("Name either the meter's --key or the --gateway that signs for it.")
    me = acting(session, key_name)
    content = MeterContent(number, key, gateway, until or int(time.time()) + TERM_S)
    perform(session, [Propose(me.id, content)], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False)


def _fuel(technology: str, fuel: str | None) -> str:
    if fuel:
        return fuel.upper()
    found = FUELS.get(technology[:3])
    if found is None:
        raise click.UsageError(f"Several fuels go with {technology}: name one with --fuel.")
    return found


def _channels(text: str) -> int:
    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in CHANNELS]
    if unknown:
        raise click.UsageError(f"{unknown[0]!r} is no channel; there are: {', '.join(CHANNELS)}.")
    return sum(CHANNELS[name] for name in set(names))
