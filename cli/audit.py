"""`wattest audit`: the books of the registry, added up again from outside.

Nothing here trusts a total of the node. Energy: what accepted days released is what became certificates and what is
carried, for each plant and month. Certificates: numbers run from 1 without a gap, live ranges do not overlap, and
issued = live + retired + expired for each scheme (`research/registry.md` section 4).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click

from cli import show
from cli.options import Command
from cli.session import Session, with_session

CORRECTION = 3  # step of a day's record
ATTEMPTS = 5  # a block between two questions makes honest books differ; then they are read again

Item = dict[str, Any]


@dataclass
class Books:
    """Everything that an audit reads, at one height."""

    height: int
    devices: list[Item]
    days: dict[int, list[Item]]
    live: dict[int, list[Item]]
    schemes: dict[int, Item]
    supply: list[Item]
    statements: list[Item]
    findings: list[str] = field(default_factory=list)


@click.command(cls=Command)
@with_session
def audit(session: Session) -> None:
    """Add the books up again: energy against certificates, plant by plant. Exit code 6 where they do not agree."""
    from node.failures import VerificationFailed

    books = _settled_books(session)
    rows = [_row(books, device) for device in books.devices]
    head = ("plant", "name", "days", "released", "certificates", "carried", "live")
    value = {
        "height": books.height,
        "devices": [dict(zip(head, row, strict=True)) for row in rows],
        "findings": books.findings,
    }
    verdict = f"{len(books.findings)} findings" if books.findings else "everything adds up"
    text = "\n".join([show.table(head, rows, "no plants"), "", *books.findings, f"height {books.height}: {verdict}"])
    session.answer("audit/1", value, text)
    if books.findings:
        raise VerificationFailed(why=f"{len(books.findings)} findings, the first: {books.findings[0]}")


def _settled_books(session: Session) -> Books:
    """Books of one height: read again while blocks arrive in between, unless they agree anyway."""
    for _ in range(ATTEMPTS):
        books = _read(session)
        books.findings = list(findings(books))
        if not books.findings or int(session.client.status()["height"]) == books.height:
            break
        session.say("The ledger moved on while it was read; once more…")
    return books


def _read(session: Session) -> Books:
    client = session.client
    height = int(client.status()["height"])
    devices = list(client.pages("/v1/devices", "devices"))
    return Books(
        height=height,
        devices=devices,
        days={item["id"]: list(client.pages(f"/v1/devices/{item['id']}/days", "days")) for item in devices},
        live={
            item["id"]: list(client.pages("/v1/certificates", "certificates", device=item["id"])) for item in devices
        },
        schemes={item["id"]: item for item in client.get("/v1/schemes")["schemes"]},
        supply=client.get("/v1/supply")["schemes"],
        statements=list(client.pages("/v1/statements", "statements")),
    )


# --- what must hold


def findings(books: Books) -> Iterator[str]:
    """Sentences about everything that does not add up; none for honest books."""
    for device in books.devices:
        for sentence in _of_device(books, device):
            yield f"plant {device['id']}: {sentence}"
    yield from _of_supply(books)


def _of_device(books: Books, device: Item) -> Iterator[str]:
    days, months = books.days[device["id"]], device["months"]
    for key, times in Counter((day["day"], day["step"], day["revision"]) for day in days).items():
        if times > 1:
            yield f"{show.day(key[0])} was released {times} times"
    for day in days:
        release, energy = int(day["release_wh"]), int(day["energy_wh"])
        if release > energy or (release and day["verdict"] != "accept"):
            yield f"{day['verdict']} of {show.day(day['day'])} released {release} of {energy} Wh"
    released, taken_back = _released(days)
    for credit in device["credits"]:
        released[_month(credit["day"])] -= int(credit["credit_wh"])  # corrected upwards, not yet issued
    for month in months:
        booked = int(month["released_wh"])
        if booked != released.pop(month["month"], 0):
            yield f"month {month['month']} books {booked} Wh, its days released another amount"
        face = int(books.schemes[month["scheme"]]["face_value"])
        given = int(month["carry_in_wh"]) + booked + int(month["returned_wh"])
        taken = face * int(month["issued"])
        taken += sum(int(month[name]) for name in ("carry_wh", "moved_wh", "corrected_wh", "netted_wh"))
        if given != taken:
            yield f"month {month['month']} has {given} Wh and accounts for {taken} Wh"
    for number in (number for number, amount in released.items() if amount):
        yield f"month {number} released {released[number]} Wh and has no account"
    debt = device["debt"] or {"incurred_wh": 0}
    if taken_back != sum(int(month["corrected_wh"]) for month in months) + int(debt["incurred_wh"]):
        yield f"corrections took {taken_back} Wh back, its carries and its debt gave another amount"
    issued = sum(int(month["issued"]) for month in months)
    if issued != int(device["next_serial"]) - 1:
        yield f"{issued} certificates were issued, numbers were given to {int(device['next_serial']) - 1}"
    yield from _of_ranges(books.live[device["id"]], int(device["next_serial"]) - 1)


def _released(days: list[Item]) -> tuple[Counter[int], int]:
    """Wh that each month's days released, corrections upwards included; and Wh that corrections took back in all.

    A correction (step 3) states what the whole day should have released; the steps before it state what they added.
    """
    released, stands, taken_back = Counter[int](), Counter[int](), 0
    for day in sorted(days, key=lambda each: (each["day"], each["step"], each["revision"])):
        number, release = day["day"], int(day["release_wh"])
        change = release - stands[number] if day["step"] == CORRECTION else release
        stands[number] += change
        released[_month(number)] += max(0, change)
        taken_back += max(0, -change)
    return released, taken_back


def _of_ranges(live: Iterable[Item], last: int) -> Iterator[str]:
    position = 0
    for start, end in sorted((int(item["start"]), int(item["end"])) for item in live):
        if start <= position or end < start or end > last:
            yield f"the live range {start}..{end} overlaps another or was never issued"
        position = max(position, end)


def _of_supply(books: Books) -> Iterator[str]:
    issued, live = Counter[int](), Counter[int]()
    for device in books.devices:
        for month in device["months"]:
            issued[month["scheme"]] += int(month["issued"])
        for item in books.live[device["id"]]:
            live[item["scheme"]] += int(item["quantity"])
    for line in books.supply:
        counts = {name: int(line[name]) for name in ("issued", "live", "retired", "expired", "withdrawn")}
        if counts["issued"] != sum(counts.values()) - counts["issued"]:
            yield f"scheme {line['name']}: {counts} do not add up"
        own = issued[line["scheme"]], live[line["scheme"]]
        if (counts["issued"], counts["live"]) != own:
            yield f"scheme {line['name']}: {counts}, but its plants issued {own[0]}, of which {own[1]} live"
    claimed = sum(int(item["quantity"]) for item in books.statements)
    retired = sum(int(line["retired"]) for line in books.supply)
    if claimed != retired:
        yield f"statements claim {claimed} certificates, {retired} were retired"


def _month(day: int) -> int:
    date = datetime.fromtimestamp(day * 86_400, UTC)
    return date.year * 100 + date.month


def _row(books: Books, device: Item) -> tuple[Any, ...]:
    months = device["months"]
    return (
        device["id"],
        device["facts"]["name"],
        len(books.days[device["id"]]),
        show.energy(sum(int(month["released_wh"]) for month in months)),
        sum(int(month["issued"]) for month in months),
        show.energy(sum(int(month["carry_wh"]) for month in months)),
        sum(int(item["quantity"]) for item in books.live[device["id"]]),
    )
