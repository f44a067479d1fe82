"""`wattest certificate search` and `export`: any certificates by any of their attributes, a page or all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cli import show
from cli.options import Command
from cli.people import acting, find_participant
from cli.session import Session, with_session
from state.spoken import counted

if TYPE_CHECKING:
    from cli.parquet import Table

F = TypeVar("F", bound=Callable[..., Any])

SOURCES = ("solar", "wind", "hydro", "biomass", "nuclear", "other")
STATUSES = ("live", "active", "locked", "reserved", "retired", "expired", "withdrawn")
SORTS = ("number", "produced", "issued", "quantity", "holder")
FORMATS = ("csv", "json", "parquet")
HEAD = ("number", "quantity", "status", "source", "zone", "produced from", "holder")


def filtering(command: F) -> F:
    """The attributes that can be asked for, in any combination."""
    for option in (
        click.option("--statement", metavar="ID", help="What this statement retired."),
        click.option("--from", "key_name", metavar="KEY", help="Of the participant of this key of the home: your own."),
        click.option("--holder", metavar="WHO", help="Of this participant; of what has ended, the last holder."),
        click.option("--status", type=click.Choice(STATUSES), help="live = active, locked or reserved."),
        click.option("--produced-to", metavar="DAY", help="Last day of production, 2026-11-22."),
        click.option("--produced-from", metavar="DAY", help="First day of production."),
        click.option("--scheme", type=int, metavar="N", help="Of this scheme."),
        click.option("--country", metavar="CC", help="Country of the plant."),
        click.option("--zone", metavar="ZONE", help="Market zone of the plant, e.g. DK1."),
        click.option("--device", type=int, metavar="N", help="Of this plant."),
        click.option("--technology", metavar="T…", help="EECS technology code or its beginning, e.g. T02."),
        click.option("--source", type=click.Choice(SOURCES), help="Energy source."),
    ):
        command = option(command)
    return command


@click.command(cls=Command)
@filtering
@click.option("--sort", type=click.Choice(SORTS), default="number", show_default=True, help="The order.")
@click.option("--down", is_flag=True, help="From the last to the first.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Ranges of this page.")
@click.option("--cursor", metavar="TEXT", help="The page after the one that said so.")
@with_session
def search(session: Session, /, sort: str, down: bool, limit: int, cursor: str | None, **filters: Any) -> None:
    """Certificates by source, plant, zone, period, status, holder or statement, with exact totals."""
    query = asked(session, **filters)
    order = "down" if down else "up"
    found = session.client.get("/v1/search", **query, sort=sort, order=order, limit=limit, cursor=cursor)
    rows = [
        (
            item["number"],
            item["quantity"],
            item["status"],
            item["source"],
            item["zone"],
            show.moment(item["production_from"])[:10],
            item["holder_name"],
        )
        for item in found["certificates"]
    ]
    sizes = f"{counted(int(found['total']), 'range')}, {counted(int(found['quantity']), 'certificate')}"
    total = f"{sizes}, {show.energy(found['energy_wh'])}"
    lines = [show.table(HEAD, rows, "no certificates are like that"), "", f"{total}, at height {found['height']}"]
    if found["cursor"]:
        lines.append(f"more with --cursor {found['cursor']}")
    session.answer("search/1", {name: found[name] for name in found if name != "schema"}, "\n".join(lines))


@click.command(cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@filtering
@click.option("--format", "form", type=click.Choice(FORMATS), help="By the end of the file's name, if not given.")
@with_session
def export(session: Session, /, file: Path, form: str | None, **filters: Any) -> None:
    """Write everything that a search matches to a file, with EnergyTag's field names.

    Parquet needs the extra `export` (pyarrow). The file appears when it is complete: all rows are of one height.
    """
    form = form or _form_of(file)
    table = _parquet(file) if form == "parquet" else None
    query = asked(session, **filters)
    served = "json" if table else form
    headers, chunks = session.client.stream("/v1/search/export", **query, format=served)
    total, height = int(headers["X-Total-Count"]), int(headers["X-Ledger-Height"])
    unfinished = file.with_name(file.name + ".part")
    try:
        lines = _counted(session, chunks, total + (form == "csv"))
        if table:
            table.write(unfinished, lines)
        else:
            with unfinished.open("wb") as out:
                out.writelines(lines)
        unfinished.replace(file)
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    written = {"file": str(file), "format": form, "ranges": str(total), "height": height, "bytes": file.stat().st_size}
    session.answer("exported/1", written, f"{total} ranges of height {height} written to {file}")


def asked(session: Session, holder: str | None, key_name: str | None, **filters: Any) -> dict[str, Any]:
    """The filters as parameters of the API."""
    if holder and key_name:
        raise click.UsageError("Say --holder or --from, not both.")
    who = find_participant(session, holder) if holder else None
    if key_name:
        who = acting(session, key_name).id
    renamed = {"produced_from": "from", "produced_to": "to"}
    capitals = {"technology", "country"}
    query = {
        renamed.get(name, name): value.upper() if name in capitals and value else value
        for name, value in filters.items()
    }
    return {**query, "holder": who}


def _form_of(file: Path) -> str:
    suffix = file.suffix.lower().removeprefix(".").replace("jsonl", "json")
    if suffix not in FORMATS:
        raise click.UsageError(f"Which format? Name the file .csv, .json or .parquet, or give --format ({file}).")
    return suffix


def _parquet(file: Path) -> "Table":
    try:
        from cli.parquet import Table
    except ImportError:
        raise click.UsageError(
            "Parquet needs pyarrow: install the extra `export` (pip install 'wattest[export]'), or export .csv."
        ) from None
    return Table()


def _counted(session: Session, chunks: Iterator[bytes], expected: int) -> Iterator[bytes]:
    """Whole lines, with a bar of how many there are; a stream that broke off is never taken for a complete one."""
    from node.failures import NodeUnreachable

    count, rest = 0, b""
    with session.bar("ranges", expected) as bar:
        for chunk in chunks:
            whole, found, rest = (rest + chunk).rpartition(b"\n")
            number = whole.count(b"\n") + bool(found)
            if number:
                yield whole + found
            count += number
            bar.update(number)
    if rest or count != expected:
        raise NodeUnreachable(url=session.client.url, why=f"the export broke off after {count} of {expected} lines")
