"""`wattest batch FILE`: many transfers from a list, and for each that fails, which line it was and why.

A line is `number,to` (CSV, `#` begins a comment): a certificate number or range, and who gets it. By default all lines
are one transaction: everything moves or nothing does, and the answer names the line that was in the way. With `--each`
every line is a transaction of its own, and the answer has one result a line.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.holdings import chosen_certificates
from cli.options import Command, sending
from cli.people import Acting, acting, find_participant
from cli.session import Session, with_session
from state.spoken import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.wallet import Promised
    from state.numbering import CertificateNumber
    from state.transaction import Action, Transfer

MAX_LINES = 10_000
MAX_PARTS = 256  # bundles, and pieces of them, of one action
SHOWN = 20  # lines, before they are signed
UNSENT = "all or nothing: another line was refused; --each sends what can move"


@dataclass(frozen=True)
class Row:
    line: int
    number: str
    to: str


@click.command(cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--each", is_flag=True, help="One transaction a line: what can move moves.")
@sending
@with_session
def batch(session: Session, file: Path, each: bool, key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Transfer what a list says, a line `number,to`. Exit code 1 where a line was refused."""
    rows = _rows(file)
    me = acting(session, key_name)
    more = [f"and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    lines = [f"{row.number} to {row.to}" for row in rows[:SHOWN]]
    session.confirm([f"{counted(len(rows), 'line')} of {file.name}, signed by {me.key_name}:", *lines, *more])
    results = _one_by_one(session, me, rows, timeout_s) if each else _together(session, me, rows, timeout_s)
    table = [(item["line"], item["number"], item["to"], item["status"], item["why"]) for item in results]
    text = show.table(("line", "certificates", "to", "status", "why"), table, "no lines")
    session.answer("batch_results/1", {"results": results}, text)
    if any(item["status"] != "final" for item in results):
        click.get_current_context().exit(1)


def _rows(file: Path) -> list[Row]:
    """The lines of the list; UsageError names the first that is none."""
    rows = []
    try:
        content = file.read_text("utf-8-sig")  # spreadsheets begin a file with a mark of the encoding
    except (UnicodeDecodeError, OSError):
        raise click.UsageError(f"{file.name} cannot be read as text in UTF-8.") from None
    for count, text in enumerate(content.splitlines(), 1):
        line = text.split("#")[0].strip()
        if not line or line.lower().replace(" ", "") == "number,to":
            continue
        number, comma, to = line.partition(",")
        if not comma or not to.strip():
            raise click.UsageError(f"{file.name}, line {count}: {line!r} is not `number,to`.")
        rows.append(Row(count, number.strip().upper(), to.strip()))
    if not 1 <= len(rows) <= MAX_LINES:
        raise click.UsageError(f"{file.name} has {len(rows)} lines; 1 to {MAX_LINES} are possible.")
    return rows


def _together(session: Session, me: Acting, rows: list[Row], timeout_s: int) -> list[dict[str, Any]]:
    """All in one transaction: the refusal's action index says which lines it was."""
    from node.wallet import transfers
    from state.errors import WattestError

    parts: dict[int, Promised] = {}  # by line
    failed: dict[int, str] = {}
    for row in rows:
        try:
            parts[row.line] = _parts(session, me, row)
            _require_unclaimed(row.line, parts)
        except (WattestError, click.UsageError) as error:
            parts.pop(row.line, None)
            failed[row.line] = str(error)
    if not failed:
        actions = transfers(me.id, [part for promised in parts.values() for part in promised])
        _require_fit(actions)
        try:
            _send(session, me, actions, timeout_s)
        except WattestError as error:
            index = getattr(error, "action_index", None)
            inputs = None if index is None else actions[index].inputs
            for line, promised in parts.items():
                if inputs is None or any(holding.outpoint in inputs for _, holding, _, _ in promised):
                    failed[line] = str(error)
    status, why = ("final", "") if not failed else ("not sent", UNSENT)
    return [_result(row, "refused" if row.line in failed else status, failed.get(row.line, why)) for row in rows]


def _require_unclaimed(line: int, parts: "dict[int, Promised]") -> None:
    """Two lines cannot give the same certificate away."""
    from state.errors import RangesDiffer

    for _, holding, start, end in parts[line]:
        for other, promised in parts.items():
            for _, before, low, high in promised:
                if other != line and before.outpoint == holding.outpoint and low <= end and start <= high:
                    raise RangesDiffer(why=f"line {other} gives some of them away already")


def _require_fit(actions: "list[Transfer]") -> None:
    from state.units import MAX_ACTIONS

    if len(actions) > MAX_ACTIONS or any(max(len(one.inputs), len(one.pieces)) > MAX_PARTS for one in actions):
        raise click.UsageError("That is more than one transaction takes: split the list, or --each.")


def _one_by_one(session: Session, me: Acting, rows: list[Row], timeout_s: int) -> list[dict[str, Any]]:
    from node.wallet import transfers
    from state.errors import WattestError

    results = []
    for row in rows:
        try:
            _send(session, me, transfers(me.id, _parts(session, me, row)), timeout_s)
        except (WattestError, click.UsageError) as error:
            results.append(_result(row, "refused", str(error)))
        else:
            results.append(_result(row, "final", ""))
    return results


def _parts(session: Session, me: Acting, row: Row) -> "Promised":
    from state.numbering import parse_number

    number: CertificateNumber = parse_number(row.number)
    chosen = chosen_certificates(session, me.id, [number], None, None, None, None)
    to = find_participant(session, row.to)
    return [(to, *part) for part in chosen]


def _send(session: Session, me: Acting, actions: "Sequence[Action]", timeout_s: int) -> None:
    from node.wallet import build_body, raw_and_id, sign_transaction

    chain, tip = session.network()
    body = build_body(chain, [me.public], actions, tip)
    raw, txid = raw_and_id(sign_transaction(body, [session.unlock(str(me.key_name))]))
    session.client.submit(raw)
    session.client.wait_final(txid, timeout_s)


def _result(row: Row, status: str, why: str) -> dict[str, Any]:
    return {"line": row.line, "number": row.number, "to": row.to, "status": status, "why": why}
