"""`wattest meter`: credentials of readings, and a meter of this home that uses one.

A meter of this home keeps its chain in `HOME/meters`, in the log that a gateway keeps for its units: what was signed is
on disk before it is sent, goes out until a node has acknowledged it, and the next call goes on where this one ended.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.devices import meter
from cli.gateway import parse_broker_of, require_mqtt
from cli.options import sending, unlocking
from cli.session import Session, with_session
from cli.values import MOMENT

if TYPE_CHECKING:
    from node.unit import Record
    from verifier.reading import Reading

SOON_S = 30 * 86_400  # before its end a credential is said to end soon


to_node = (
    click.option(
        "--node", "nodes", multiple=True, metavar="URL", help="A node's API or mqtt[s]://HOST[:PORT][/PREFIX]."
    ),
    click.option("--mqtt-ca", default="", metavar="FILE", help="Authority of the broker's certificate, for mqtts://."),
    click.option("--mqtt-credentials", default="", metavar="FILE", help="File of mode 0600 with USER:PASSWORD."),
)


# --- credentials


@meter.command("list")
@click.option("--owner", metavar="WHO", help="Of this participant's plants: number, name or key name.")
@with_session
def list_(session: Session, owner: str | None) -> None:
    """Whose signature each plant's readings carry, and until when."""
    from cli.people import find_participant

    number = find_participant(session, owner) if owner else None
    now_s = int(session.client.status()["time_ms"]) // 1_000
    found = [_shown(item, now_s) for item in session.client.pages("/v1/devices", "devices", owner=number)]
    rows = [
        (
            item["device"],
            item["plant"],
            item["signs"],
            show.short(item["key"]),
            show.moment(item["until"]),
            item["term"],
        )
        for item in found
    ]
    head = ("plant", "name", "signed by", "key", "until", "term")
    session.answer("meters/1", {"meters": found}, show.table(head, rows, "no plants are accredited"))


@meter.command("show")
@click.argument("device", type=int, metavar="ID")
@with_session
def show_(session: Session, device: int) -> None:
    """A plant's credential, its term and former keys, and where the chain of its readings stands at the node."""
    now_s = int(session.client.status()["time_ms"]) // 1_000
    shown = _shown(session.client.get(f"/v1/devices/{device}"), now_s)
    head = {k: v for k, v in session.client.get(f"/v1/devices/{device}/head").items() if k != "schema"}
    closed = show.day(head["closed_day"]) if head["closed_days"] else None
    text = show.fields(
        [
            ("plant", f"{shown['device']}  {shown['plant']}"),
            ("signed by", shown["signs"]),
            ("key", shown["key"]),
            ("until", f"{show.moment(shown['until'])} ({shown['term']})"),
            ("former keys", ", ".join(show.short(each["former"]) for each in shown["changes"])),
            ("last reading", f"{head['last_seq']}  {show.short(head['hash'])}"),
            ("last closed day", closed),
            ("days let go by the node", head["dropped_days"] or None),
        ]
    )
    session.answer("meter/1", {**shown, "head": head}, text)


def _shown(item: dict[str, Any], now_s: int) -> dict[str, Any]:
    credential = item["credential"] or {"key": "", "gateway": 0, "until": "0", "changes": []}
    until = min(int(credential["until"]), int(item["until"]))
    term = "over" if until <= now_s else "soon over" if until <= now_s + SOON_S else "valid"
    signs = f"gateway {credential['gateway']}" if credential["gateway"] else "its meter"
    if not credential["key"]:
        term, signs = "none", "nobody"
    return {
        "device": item["id"],
        "plant": item["facts"]["name"],
        "signs": signs,
        "gateway": credential["gateway"],
        "key": credential["key"],
        "until": str(until),
        "term": term,
        "changes": credential["changes"],
    }


@meter.command("rotate")
@click.argument("subject", type=int, metavar="ID")
@click.option("--key", "name", required=True, metavar="KEY", help="Name of the key so far, in this home.")
@click.option("--new", "new_name", required=True, metavar="NAME", help="Name of the new key; made if there is none.")
@click.option("--gateway", "of_gateway", is_flag=True, help="ID is a gateway's number, not a plant's.")
@sending
@click.pass_context
def rotate(context: click.Context, /, subject: int, name: str, new_name: str, of_gateway: bool, **rest: Any) -> None:
    """Let another key sign a plant's readings from the next block on; owner, old and new key sign.

    What the old key signed before stays valid: nodes that were away still take it from other nodes.
    """
    from cli.rotation import rotate as rotate_key

    chosen = {"device": None if of_gateway else subject, "gateway": subject if of_gateway else None}
    context.invoke(rotate_key, name=name, new_name=new_name, **chosen, **rest)


@meter.command("renew")
@click.argument("subject", type=int, metavar="ID")
@click.option("--until", type=MOMENT, required=True, help="End of the new term; 0 revokes.")
@click.option(
    "--of",
    "kind",
    type=click.Choice(["meter", "device", "gateway"]),
    default="meter",
    show_default=True,
    help="What ID is accredited as: a plant's meter, the plant itself, or a gateway.",
)
@sending
@click.pass_context
def renew(context: click.Context, /, subject: int, until: int, kind: str, **rest: Any) -> None:
    """Propose another end of a credential's term; the organisations vote. From its end on no reading is taken."""
    from cli.proposals import renew as renew_term

    context.invoke(renew_term, kind=kind, subject=subject, until=until, **rest)


# --- a meter of this home


@meter.command("send")
@click.argument("source", metavar="FILE|-")
@click.option("--device", type=int, required=True, metavar="N", help="The plant whose meter this is.")
@click.option("--key", "key_name", metavar="KEY", help="Key of the home that signs; its only device key, if one.")
@click.option("--interval-s", type=int, default=0, help="Length of an interval; learnt, if not given.")
@click.option("--rate", type=float, default=0.0, help="Readings a second; 0 = as fast as they are taken.")
@click.option(
    "--batch", type=click.IntRange(1, 1_440), default=1_440, show_default=True, help="Most readings a message."
)
@click.option("--close-last", is_flag=True, help="Close the last day too, although no later one follows.")
@click.option("--timeout", "timeout_s", type=int, default=60, show_default=True, help="Seconds without progress.")
@click.option("--dry-run", is_flag=True, help="Sign and show what would be sent; nothing is kept and nothing sent.")
@unlocking
@with_session
def send(
    session: Session,
    source: str,
    device: int,
    key_name: str | None,
    interval_s: int,
    rate: float,
    batch: int,
    close_last: bool,
    timeout_s: int,
    dry_run: bool,
    nodes: tuple[str, ...],
    mqtt_ca: str,
    mqtt_credentials: str,
) -> None:
    """Sign readings as a plant's meter and send them, by HTTP or MQTT, until a node has them on disk.

    FILE is a record (csv, csv.gz) or raw readings as JSON, one object or an array; - reads JSON from stdin. Readings
    that were sent before are known and not sent again, and those of days that this meter closed are left out as late.
    What no node took yet waits in this home: `wattest meter status`.
    """
    from node.homemeter import HomeMeter, Manner, deliver

    readings = list(_readings(source))
    urls = list(nodes) or [session.node_url]
    require_mqtt([url for url in urls if url.startswith("mqtt")])
    for url in urls:
        if url.startswith("mqtt"):
            parse_broker_of(url, mqtt_ca, mqtt_credentials)
    if dry_run:
        _dry_run(session, device, interval_s, readings, batch, close_last)
        return
    key = session.unlock(key_name or _only_device_key(session))
    chain = session.named_chain() or session.network()[0]
    manner = Manner(rate, batch, close_last, timeout_s, mqtt_ca, mqtt_credentials)
    answer = deliver(HomeMeter(session.home, device, interval_s, key, chain), readings, urls, manner)
    counts = f"{answer['accepted']} readings signed, {answer['duplicates']} known, {answer['late']} late"
    words = f"{counts}; the node has all up to {answer['sent_seq']}"
    session.answer("meter_sent/1", {"device": device, **answer}, words)


for _option in reversed(to_node):
    send = _option(send)


@meter.command()
@click.argument("device", type=int, metavar="ID")
@with_session
def status(session: Session, device: int) -> None:
    """This home's meter of a plant: last sequence, last hash, what waits; and what the node has, if it answers."""
    from node.failures import NodeUnreachable, RefusedByNode

    chain = session.named_chain() or session.network()[0]
    own = _at(session, device, chain)
    try:
        head = session.client.get(f"/v1/devices/{device}/head")
        held: dict[str, Any] | None = {
            "last_seq": head["last_seq"],
            "hash": head["hash"],
            "closed_day": head["closed_day"],
        }
    except (NodeUnreachable, RefusedByNode) as failure:
        session.say(str(failure))
        held = None
    text = show.fields(
        [
            ("plant", device),
            ("last sequence", own["seq"]),
            ("last hash", own["hash"]),
            ("last day", show.day(own["day"]) + (", open" if own["open"] else ", closed") if own["seq"] else None),
            ("acknowledged up to", own["sent_seq"]),
            ("backlog", own["waiting"]),
            ("the node has", f"{held['last_seq']}  {show.short(held['hash'])}" if held else "unknown"),
        ]
    )
    session.answer("meter_status/1", {"device": device, **own, "node": held}, text)


def _readings(source: str) -> "Iterator[Reading]":
    """Of one plant; its own id in the file does not matter, the device is named."""
    from node.gateway import parse_posts
    from node.recordfile import readings_of_one_plant

    if source != "-" and source.endswith((".csv", ".csv.gz")):
        yield from readings_of_one_plant(Path(source))
        return
    body = sys.stdin.buffer.read(1024 * 1024) if source == "-" else Path(source).read_bytes()
    for seed in parse_posts(body.strip()):
        yield seed.reading


def _only_device_key(session: Session) -> str:
    from node.keystore import list_keys

    names = [name for name, content in list_keys(session.keys) if content.purpose == "device"]
    if len(names) != 1:
        found = f"there are {', '.join(names)}" if names else "make one with `wattest keys add NAME --purpose device`"
        raise click.UsageError(f"Which key signs the readings? Name it with --key; {session.keys}: {found}.")
    return names[0]


def _at(session: Session, device: int, chain: bytes) -> dict[str, Any]:
    """Where the meter's log stands; an empty one where nothing was sent yet."""
    from node.homemeter import log_of
    from node.spool import Spool
    from node.unit import Unit, UnitSetting
    from state.codec import decode

    unit = Unit(str(device), UnitSetting(device), 0)
    path = log_of(session.home, device, chain)
    if path.exists():
        spool = Spool(path)
        try:
            for data in spool.records:
                unit.apply(decode(_record(), data))
        finally:
            spool.close()
    at = unit.at
    return {
        "seq": at.seq,
        "hash": at.prev.hex(),
        "day": at.day,
        "open": at.open,
        "sent_seq": at.sent_seq,
        "closed_day_sent": at.sent_day,
        "waiting": unit.waiting,
    }


def _record() -> Any:
    from node.unit import Record

    return Record


def _dry_run(
    session: Session, device: int, interval_s: int, readings: "Sequence[Reading]", batch: int, close_last: bool
) -> None:
    """The chain that these readings would make behind nothing: for each message its readings and hashes."""
    from node.unit import Closed, Signed, Unit, UnitSetting

    unit = Unit(str(device), UnitSetting(device, interval_s), 0)
    messages: list[dict[str, Any]] = []
    texts: list[Signed] = []

    def flush() -> None:
        if texts:
            bounds = {"first_seq": texts[0].seq, "last_seq": texts[-1].seq}
            messages.append({"topic": "readings", "readings": len(texts), **bounds, "text": texts[0].text})
        texts.clear()

    def tell(records: "Sequence[Record]") -> None:
        for record in records:
            unit.apply(record)
            if isinstance(record, Closed):
                flush()
                root = record.readings_root.hex()
                messages.append({"topic": "days", "day": record.day, "count": record.count, "readings_root": root})
            elif isinstance(record, Signed):
                texts.append(record)
                if len(texts) == batch:
                    flush()

    unit.require_acceptable(readings, int(time.time()))
    for reading in readings:
        tell(unit.take(reading))
    if close_last:
        tell(unit.close_day())
    flush()
    text = "\n".join(json.dumps(message) for message in messages)
    session.answer("meter_dry_run/1", {"device": device, "messages": messages}, text)
