"""`wattest audit device`: download a plant's readings from any node, judge every day again, compare with the ledger."""

import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.audit import audit
from cli.session import Session, with_session
from cli.values import MOMENT

if TYPE_CHECKING:
    from node.auditing.device import Report, Row

DAY_S = 86_400
HEAD = ("day", "step", "the ledger says", "recomputed", "equal?", "why")


@audit.command("device")
@click.argument("number", type=int, metavar="ID")
@click.option(
    "--node", "nodes", multiple=True, metavar="URL", help="Any node; repeat it for others to ask for what it lacks."
)
@click.option(
    "--archive",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Readings from a file first (`wattest reading export`, or a node's archive).",
)
@click.option("--from", "since", type=MOMENT, default=0, help="First day; by default the first one judged.")
@click.option("--to", "until", type=MOMENT, default=2**31, help="Last day; by default the last one judged.")
@with_session
def device_(
    session: Session, number: int, nodes: tuple[str, ...], files: tuple[Path, ...], since: int, until: int
) -> None:
    """Judge a plant's days again from its readings and compare with the ledger. Exit code 6 where they differ.

    No node is trusted: readings count where they give the root that validators attested, commissioning readings where
    they give the signed profile. A day whose readings nobody delivers is unproven, which is neither equal nor
    different; where nothing at all could be proven, the exit code is 6 too.
    """
    from node.archive import Archive
    from node.auditing.device import NO, UNPROVEN, YES, DeviceAudit
    from node.client import NodeClient
    from node.failures import VerificationFailed

    sources = [NodeClient(url) for url in nodes] or [session.client]
    with _progress(session) as bar:

        def progress(done: int, days: int) -> None:
            if bar is not None:
                bar.length = days
                bar.update(done - bar.pos)

        archives = [Archive(files)] if files else []
        report = DeviceAudit(sources, number, progress, archives).run(since // DAY_S, until // DAY_S)
    counts = {name: report.count(name) for name in (YES, NO, UNPROVEN, "decided")}
    value = {
        "device": number,
        "rows": [row.as_dict() | {"date": _date(row.day)} for row in report.rows],
        "findings": report.findings,
        **counts,
    }
    session.answer("audit_device/1", value, _text(report, counts))
    if report.findings:
        raise VerificationFailed(why=f"{len(report.findings)} findings, the first: {report.findings[0]}")
    if report.rows and not counts[YES] and not counts["decided"]:
        raise VerificationFailed(why=f"nothing could be proven: {report.rows[0].why}")


def _text(report: "Report", counts: dict[str, int]) -> str:
    rows = [_row(row) for row in report.rows]
    last = (
        f"{counts['yes']} equal, {counts['no']} different, {counts['unproven']} unproven, {counts['decided']} decided"
    )
    return "\n".join([show.table(HEAD, rows, "no day was judged yet"), "", *report.findings, last])


def _row(row: "Row") -> tuple[Any, ...]:
    shown = row.as_dict()
    return (_date(row.day), shown["step"], row.chain, row.recomputed or "-", row.equal, row.why or "-")


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()


def _progress(session: Session) -> AbstractContextManager[Any]:
    if session.quiet or not sys.stderr.isatty():
        return nullcontext()
    return click.progressbar(length=1, label="days downloaded", file=sys.stderr)
