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

if TYPE_CHECKING:
    from state.numbering import CertificateNumber
    from state.transaction import Action

MAX_LINES = 10_000
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
    session.confirm([f"{len(rows)} lines of {file.name}: {row.number} to {row.to}" for row in rows[:20]])
    results = _one_by_one(session, me, rows, timeout_s) if each else _together(session, me, rows, timeout_s)
    table = [(item["line"], item["number"], item["to"], item["status"], item["why"]) for item in results]
    text = show.table(("line", "certificates", "to", "status", "why"), table, "no lines")
    session.answer("batch_results/1", {"results": results}, text)
    if any(item["status"] != "final" for item in results):
        click.get_current_context().exit(1)


def _rows(file: Path) -> list[Row]:
    """The lines of the list; UsageError names the first that is none."""
    rows = []
    for count, text in enumerate(file.read_text("utf-8").splitlines(), 1):
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
    """All in one transaction: the refusal's action index says which line it was."""
    from state.errors import WattestError
    from state.units import MAX_ACTIONS

    lines: list[Row] = []
    actions: list[Action] = []
    failed: dict[int, str] = {}
    for row in rows:
        try:
            made = _actions(session, me, row)
        except (WattestError, click.UsageError) as error:
            failed[row.line] = str(error)
            continue
        actions += made
        lines += [row] * len(made)
    if len(actions) > MAX_ACTIONS:
        raise click.UsageError(
            f"{len(actions)} actions; one transaction takes {MAX_ACTIONS}: split the list, or --each."
        )
    if not failed:
        try:
            _send(session, me, actions, timeout_s)
        except WattestError as error:
            index = getattr(error, "action_index", None)
            failed[lines[index].line if index is not None else rows[0].line] = str(error)
    status, why = ("final", "") if not failed else ("not sent", UNSENT)
    return [_result(row, "refused" if row.line in failed else status, failed.get(row.line, why)) for row in rows]


def _one_by_one(session: Session, me: Acting, rows: list[Row], timeout_s: int) -> list[dict[str, Any]]:
    from state.errors import WattestError

    results = []
    for row in rows:
        try:
            _send(session, me, _actions(session, me, row), timeout_s)
        except (WattestError, click.UsageError) as error:
            results.append(_result(row, "refused", str(error)))
        else:
            results.append(_result(row, "final", ""))
    return results


def _actions(session: Session, me: Acting, row: Row) -> "list[Action]":
    from node.wallet import transfer
    from state.numbering import parse_number

    number: CertificateNumber = parse_number(row.number)
    chosen = chosen_certificates(session, me.id, [number], None, None, None, None)
    return [*transfer(me.id, find_participant(session, row.to), chosen)]


def _send(session: Session, me: Acting, actions: "list[Action]", timeout_s: int) -> None:
    from node.wallet import build_body, raw_and_id, sign_transaction

    chain, tip = session.network()
    body = build_body(chain, [me.public], actions, tip)
    raw, txid = raw_and_id(sign_transaction(body, [session.unlock(str(me.key_name))]))
    session.client.submit(raw)
    session.client.wait_final(txid, timeout_s)


def _result(row: Row, status: str, why: str) -> dict[str, Any]:
    return {"line": row.line, "number": row.number, "to": row.to, "status": status, "why": why}
