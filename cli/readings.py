"""`wattest reading`: posting meter readings, one by one as a plant does, or a record of them at a pace."""

import gzip
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import Group, signing
from cli.session import Session, with_session
from cli.values import MOMENT
from node.recordfile import read_rows, seed_json

if TYPE_CHECKING:
    from node.client import NodeClient
    from node.keystore import PrivateKey
    from node.unit import Record

POST_BATCH = 500  # readings of one POST at full speed
SIGNED_BATCH = 1_440  # a day of minutes, the most that a node takes at once


@click.group(cls=Group)
def reading() -> None:
    """Meter readings: {timestamp, id, pwr_avg, wind_spd, t, insolation}."""


@reading.command()
@click.argument("text", metavar="JSON|-", default="-")
@click.option("--gateway", "url", required=True, metavar="URL", help="The gateway to post to.")
@with_session
def post(session: Session, text: str, url: str) -> None:
    """Post one raw reading (or an array of them) to a gateway; - reads it from stdin."""
    from node.client import NodeClient

    body = sys.stdin.buffer.read(1024 * 1024) if text == "-" else text.encode()
    answer = NodeClient(url).post("/readings", body)
    shown = {name: value for name, value in answer.items() if name != "schema"}
    session.answer("reading_posted/1", shown, ", ".join(f"{name} {value}" for name, value in shown.items()))


@reading.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--gateway", "url", metavar="URL", help="Post raw to this gateway, as the plant would.")
@click.option("--device", type=int, metavar="N", help="Or sign them for this plant and send them to --node.")
@click.option("--origin", type=int, default=0, metavar="N", help="Number of the gateway that --from belongs to.")
@click.option("--interval-s", type=int, default=0, help="Length of an interval; learnt, if not given.")
@click.option("--since", type=MOMENT, default=0, help="From this moment of the record on.")
@click.option("--before", type=MOMENT, default=2**40, help="Up to this moment of the record, exclusive.")
@click.option("--pace", type=float, default=0.0, help="Readings a second; 0 = as fast as they are taken.")
@click.option("--close-last", is_flag=True, help="Signed: close the last day too, although no later one follows.")
@signing
@with_session
def replay(
    session: Session,
    files: tuple[Path, ...],
    url: str | None,
    device: int | None,
    origin: int,
    interval_s: int,
    since: int,
    before: int,
    pace: float,
    close_last: bool,
    key_name: str | None,
) -> None:
    """Play records (csv or csv.gz in the seed's columns) into a gateway, or in signed batches into a node.

    The readings keep their own time. Playing the same record again is harmless: what is held already counts as a
    duplicate.
    """
    if (url is None) == (device is None):
        raise click.UsageError("Name either a --gateway to post to, or the --device to sign for.")
    rows = [row for file in files for row in read_rows(file) if since <= int(row["timestamp"]) < before]
    if url is not None:
        from node.client import NodeClient

        accepted = _post_raw(session, NodeClient(url), rows, pace)
        session.answer("replayed/1", {"readings": len(rows), "accepted": accepted}, f"{len(rows)} readings posted")
        return
    assert device is not None
    chain, _ = session.network()
    key = session.unlock(key_name or "gateway")
    records = sign_rows(device, rows, origin, interval_s, close_last)
    counts = send_signed(session.client, chain, key, device, records, _Pace(pace), _progress(session, len(rows)))
    words = (
        f"{counts['accepted']} readings accepted, {counts['duplicates']} known already, {counts['days']} days closed"
    )
    session.answer("replayed/1", {"readings": len(rows), **counts}, words)


@reading.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--device", type=int, required=True, metavar="N", help="The plant.")
@click.option("--from", "since", type=MOMENT, required=True, help="First day.")
@click.option("--to", "until", type=MOMENT, required=True, help="Last day.")
@with_session
def export(session: Session, file: Path, device: int, since: int, until: int) -> None:
    """Write a plant's days as its meter signed them, one JSON object a line, each provable into the ledger's root.

    Days that the node does not hold are counted, not written; `wattest audit device --archive FILE` reads the file.
    A FILE that ends with .gz is compressed.
    """
    days = range(since // 86_400, until // 86_400 + 1)
    if file.exists():
        raise click.UsageError(f"{file} is there already.")
    written = readings = 0
    part = file.with_name(file.name + ".part")
    with gzip.open(part, "wt") if file.suffix == ".gz" else part.open("w") as lines:
        for day in days:
            found = session.client.get(f"/v1/devices/{device}/evidence", day=day)
            if found["close"] is not None and found["batches"]:
                lines.write(json.dumps(found, separators=(",", ":")) + "\n")
                written += 1
                readings += int(found["close"]["close"][3])
    part.replace(file)
    value = {"file": str(file), "device": device, "days": written, "missing": len(days) - written, "readings": readings}
    session.answer(
        "readings_exported/1", value, f"{written} days, {readings} readings; {len(days) - written} days are not held"
    )


def sign_rows(
    device: int, rows: Iterable[dict[str, str]], origin: int, interval_s: int = 0, close_last: bool = True
) -> "Iterator[Record]":
    """The chain of a device from its first reading on: signed readings, and a close behind each day."""
    from node.unit import Unit, UnitSetting
    from verifier.reading import parse_seed

    unit = Unit(str(device), UnitSetting(device, interval_s), origin)
    for row in rows:
        for record in unit.take(parse_seed(seed_json(row).encode()).reading):
            unit.apply(record)
            yield record
    if close_last:
        for record in unit.close_day():
            unit.apply(record)
            yield record


def send_signed(
    client: "NodeClient",
    chain: bytes,
    key: "PrivateKey",
    device: int,
    records: "Iterable[Record]",
    wait: Callable[[int], None] = lambda count: None,
    progress: AbstractContextManager[Any] | None = None,
) -> dict[str, int]:
    """Hand readings in, in signed batches that end with each day, and the closes; what the node made of them."""
    from node.intake import CLOSE_TAG, READINGS_TAG
    from node.unit import Closed, Signed
    from state.crypto import signed_bytes

    counts = {"accepted": 0, "duplicates": 0, "days": 0}
    texts: list[str] = []

    def flush(bar: Any) -> None:
        if not texts:
            return
        answer = client.post_readings(texts, key.sign(signed_bytes(READINGS_TAG, chain, tuple(texts))), key.public)
        counts["accepted"] += answer["accepted"]
        counts["duplicates"] += answer["duplicates"]
        if bar is not None:
            bar.update(len(texts))
        wait(len(texts))
        texts.clear()

    with progress or nullcontext() as bar:
        for record in records:
            match record:
                case Signed():
                    texts.append(record.text)
                    if len(texts) == SIGNED_BATCH:
                        flush(bar)
                case Closed():
                    flush(bar)
                    close = (device, record.day, record.last_seq, record.count, record.head_hash, record.readings_root)
                    shown = [part.hex() if isinstance(part, bytes) else part for part in close]
                    client.post_day(shown, key.sign(signed_bytes(CLOSE_TAG, chain, close)), key.public)
                    counts["days"] += 1
        flush(bar)
    return counts


def _post_raw(session: Session, client: "NodeClient", rows: list[dict[str, str]], pace: float) -> int:
    """In the order of time over all units; one POST a reading at a pace, arrays of one unit at full speed."""
    accepted = 0
    wait = _Pace(pace)
    with _progress(session, len(rows)) as bar:
        for group in _groups(rows, 1 if pace else POST_BATCH):
            body = seed_json(group[0]) if len(group) == 1 else "[" + ",".join(map(seed_json, group)) + "]"
            answer = client.post("/readings", body.encode())
            accepted += int(answer.get("accepted", len(group)))
            wait(len(group))
            if bar is not None:
                bar.update(len(group))
    return accepted


def _groups(rows: list[dict[str, str]], size: int) -> Iterator[list[dict[str, str]]]:
    ordered = sorted(rows, key=lambda row: int(row["timestamp"])) if size == 1 else rows
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


class _Pace:
    """Sleeps so that on average `per_second` readings pass; 0 never sleeps."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._due = time.monotonic()

    def __call__(self, count: int) -> None:
        if self._per_second <= 0:
            return
        self._due += count / self._per_second
        time.sleep(max(0.0, self._due - time.monotonic()))


def _progress(session: Session, total: int) -> AbstractContextManager[Any]:
    if session.quiet or not sys.stderr.isatty():
        return nullcontext()
    return click.progressbar(length=total, label="readings", file=sys.stderr)
