"""`wattest audit`: a whole chain derived again from its blocks alone, and what does not hold named.

Nothing here trusts a node. Every signature, rule and state root is checked by executing the chain again; certificates,
energy and money are added up beside that by books that know no rule (`node/auditing/`). On the data of a stopped node
its stored state is compared row by row, and each issue with the readings that the node holds.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.chain import config_of, read_as, reading, records_of
from cli.options import DefaultGroup
from cli.session import Session, with_session

if TYPE_CHECKING:
    from node.auditing.replay import Replay

HEAD = ("plant", "name", "days", "released", "accepted", "certificates", "carried", "owed", "live")
SUPPLY = ("scheme", "name", "issued", "live", "retired", "expired", "withdrawn")
MONEY = ("currency", "paid in", "paid out", "held")


@click.group(cls=DefaultGroup)
def audit() -> None:
    """Derive a whole chain again from its blocks, or one plant's verdicts from its readings.

    `wattest audit [FILE]` is `wattest audit chain [FILE]`.
    """


assert isinstance(audit, DefaultGroup)
audit.default = "chain"


@audit.command("chain")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data", metavar="HOME", type=click.Path(path_type=Path), help="The home of a stopped node, with readings."
)
@reading
@click.option("--threads", type=click.IntRange(0, 64), default=0, show_default=True, help="That check signatures.")
@with_session
def chain_(session: Session, file: Path | None, data: Path | None, threads: int, reader: str | None) -> None:
    """Derive a chain again: links, votes, rules, state roots, energy, certificates and money. Exit code 6 if it fails.

    FILE is a chain file (`wattest chain export`). Without one the chain of --node is read, or with --data that of a
    stopped node, its stored state and its readings too.
    """
    from node.auditing.replay import Replay
    from node.failures import VerificationFailed

    read_as(session, reader)
    with tempfile.TemporaryDirectory(prefix="wattest-audit-") as folder, _evidence(data) as evidence:
        replay = Replay(Path(folder) / "state", threads, evidence)
        try:
            with records_of(session, file, data) as records:
                replay.run(records)
            rows = _compare(replay, data) if data is not None else 0
            session.answer("audit/1", _value(replay, rows), _text(replay, rows))
        finally:
            replay.close()
    if replay.findings:
        raise VerificationFailed(why=f"{replay.findings.count} findings, the first: {replay.findings.listed[0]}")


@contextmanager
def _evidence(home: Path | None) -> Iterator[Any]:
    """The comparison with the readings in a node's home; None where there are none."""
    if home is None or not (config_of(home).data / "readings").is_dir():
        yield None
        return
    from node.auditing.stored import Evidence
    from node.readings import ReadingStore
    from state.store import LevelRows

    rows = LevelRows(config_of(home).data / "readings", create=False)
    try:
        yield lambda found: Evidence(ReadingStore(rows), found)
    finally:
        rows.close()


def _compare(replay: "Replay", home: Path) -> int:
    """The node's stored rows against the replayed ones, unless the chain broke off before."""
    from node.auditing.stored import compare
    from node.queries.chain import tip_height
    from state.store import LevelStore

    if replay.broken:
        return 0
    store = LevelStore(config_of(home).data / "state", create=False)
    try:
        if tip_height(store) != replay.totals.executed:
            return 0
        return compare(replay.ledger.store, store, replay.findings)
    finally:
        store.close()


# --- the answer


def _value(replay: "Replay", rows: int) -> dict[str, Any]:
    totals, evidence = replay.totals, replay.evidence
    return {
        "chain_id": replay.chain.hex(),
        "height": replay.links.height,
        "hash": replay.links.hash.hex(),
        "executed": totals.executed,
        "transactions": totals.transactions,
        "signatures": totals.signatures,
        "rows_compared": rows,
        "days_compared": evidence.compared.days if evidence else 0,
        "days_without_readings": evidence.compared.without if evidence else 0,
        "devices": [dict(zip(HEAD, row, strict=True)) for row in _plants(replay, exact=True)],
        "schemes": [dict(zip(SUPPLY, row, strict=True)) for row in _supply(replay)],
        "money": [dict(zip(MONEY, row, strict=True)) for row in _money(replay)],
        "findings": [finding.as_dict() for finding in replay.findings.listed],
        "found": replay.findings.count,
    }


def _text(replay: "Replay", rows: int) -> str:
    totals, evidence = replay.totals, replay.evidence
    money = [
        (currency, *(f"{amount // 10**6:,}.{amount % 10**6:06d}" for amount in amounts))
        for currency, *amounts in _money(replay)
    ]
    lines = [
        show.table(HEAD, _plants(replay), "no plants"),
        "",
        show.table(SUPPLY, _supply(replay), "no schemes"),
        "",
        show.table(MONEY, money, "no money"),
        "",
        *(str(finding) for finding in replay.findings.listed),
    ]
    if replay.findings.count > len(replay.findings.listed):
        lines.append(f"… and {replay.findings.count - len(replay.findings.listed)} more")
    if rows:
        lines.append(f"{rows} stored rows compared")
    if evidence:
        lines.append(f"{evidence.compared.days} days judged again, {evidence.compared.without} without readings here")
    done = f"{totals.blocks} blocks, {totals.transactions} transactions, {totals.signatures} signatures"
    verdict = f"{replay.findings.count} findings" if replay.findings else "everything adds up"
    return "\n".join([*lines, f"height {replay.links.height}, {done}: {verdict}"])


def _plants(replay: "Replay", exact: bool = False) -> list[tuple[Any, ...]]:
    from state.history import lot_of
    from state.keyspace import device_key
    from state.records import Device

    live: Counter[int] = Counter()
    for output in replay.books.live.values():
        lot = lot_of(output)
        if lot is not None:
            live[lot.device] += lot.end - lot.start + 1
    energy = str if exact else show.energy
    rows = []
    for number, plant in sorted(replay.books.plants.items()):
        record = replay.ledger.store.get(device_key(number))
        name = record.facts.name if isinstance(record, Device) else ""
        wh = [energy(value) for value in (plant.released_wh, plant.accepted_wh, plant.carry_wh, plant.debt_wh)]
        rows.append((number, name, plant.days, wh[0], wh[1], plant.issued, wh[2], wh[3], live[number]))
    return rows


def _supply(replay: "Replay") -> list[tuple[Any, ...]]:
    from state.keyspace import Space, space_end
    from state.records import Scheme

    rows = []
    prefix = bytes((Space.SCHEME,))
    for _, scheme in replay.ledger.store.scan(prefix, space_end(prefix)):
        assert isinstance(scheme, Scheme)
        plants = [plant for plant in replay.books.plants.values() if plant.scheme == scheme.id]
        ended: Counter[str] = Counter()
        for plant in plants:
            for start, end, how in plant.ended:
                ended[how] += end - start + 1
        issued = sum(plant.issued for plant in plants)
        gone = tuple(ended[how] for how in ("retired", "expired", "withdrawn"))
        rows.append((scheme.id, scheme.name, issued, issued - sum(gone), *gone))
    return rows


def _money(replay: "Replay") -> list[tuple[Any, ...]]:
    books = replay.books
    return [
        (
            currency,
            books.deposited[currency],
            books.paid_out[currency],
            books.deposited[currency] - books.paid_out[currency],
        )
        for currency in sorted(books.deposited)
    ]
