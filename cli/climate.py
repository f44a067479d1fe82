"""`wattest climate`: sources of wind or light without a plant, proposed by their provider."""

import time
from typing import Any

import click

from cli import show
from cli.devices import CHANNELS, DEGREES, METRES, TERM_S
from cli.options import Group, sending
from cli.people import acting
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import MOMENT

KINDS = tuple(CHANNELS)


@click.group(cls=Group)
def climate() -> None:
    """Climate sources: a reanalysis, a satellite or a mast of somebody who has no plant."""


@climate.command()
@click.option("--name", required=True, help="Name of the source.")
@click.option("--scheme", required=True, metavar="ID", help="Scheme by whose terms its days may be late.")
@click.option("--country", required=True, metavar="CC", help="ISO 3166-1, two letters.")
@click.option("--location", default="", help="Place in words.")
@click.option("--latitude", "latitude_udeg", type=DEGREES, required=True, help="Degrees north.")
@click.option("--longitude", "longitude_udeg", type=DEGREES, required=True, help="Degrees east.")
@click.option(
    "--measures", type=click.Choice(KINDS), multiple=True, required=True, help="Wind or insolation; may be repeated."
)
@click.option("--height-m", "hub_height_cm", type=METRES, default=0, help="Above ground, of the wind.")
@click.option("--interval-s", type=int, default=3_600, show_default=True, help="Length of one reading's interval.")
@click.option("--until", type=MOMENT, help="End of the accreditation; five years, if not given.")
@sending
@with_session
def propose(
    session: Session,
    /,
    name: str,
    scheme: str,
    country: str,
    location: str,
    measures: tuple[str, ...],
    until: int | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
    **place: Any,
) -> None:
    """Propose an own climate source. Plants of others in its reach hear it from their next profile on.

    Its meter is proposed and its readings are sent like a plant's, with `pwr_avg` and `register_wh` null.
    """
    from cli.market import find_scheme
    from state.records import DeviceFacts
    from state.transaction import DeviceContent, Propose
    from verifier.source import TECHNOLOGY

    me = acting(session, key_name)
    facts = DeviceFacts(
        name=name,
        gsrn="",
        country=country.upper(),
        zone="",
        location=location,
        fuel="",
        technology=TECHNOLOGY,
        capacity_w=0,
        commissioned_day=0,
        channels=sum(CHANNELS[kind] for kind in set(measures)),
        coordinates_estimated=False,
        tilt_udeg=-1,
        azimuth_udeg=-1,
        insolation_source="none",
        support="",
        **place,
    )
    content = DeviceContent(me.id, find_scheme(session, scheme)["id"], facts, until or int(time.time()) + TERM_S)
    perform(session, [Propose(me.id, content)], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False)


@climate.command("list")
@with_session
def list_(session: Session) -> None:
    """Accredited climate sources, and who hears them."""
    from verifier.source import TECHNOLOGY

    devices = list(session.client.pages("/v1/devices", "devices"))
    found = [
        {**item, "heard_by": heard_by(devices, item["id"])}
        for item in devices
        if item["facts"]["technology"] == TECHNOLOGY
    ]
    rows = [
        (
            item["id"],
            item["facts"]["name"],
            item["owner"],
            ", ".join(kind for kind, bit in CHANNELS.items() if item["facts"]["channels"] & bit),
            item["facts"]["interval_s"],
            show.moment(item["until"]),
            ", ".join(str(number) for number in item["heard_by"]) or "-",
        )
        for item in found
    ]
    head = ("id", "source", "provider", "measures", "interval s", "until", "heard by plants")
    session.answer("climate/1", {"sources": found}, show.table(head, rows, "no climate sources are accredited"))


def heard_by(devices: list[dict[str, Any]], number: int) -> list[int]:
    """The plants in whose records the device stands."""
    return [item["id"] for item in devices if number in item["neighbours"]]
