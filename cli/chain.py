"""`wattest chain`: a whole chain as one file, that anybody can check and audit without the node it came from."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import Group
from cli.people import acting
from cli.session import Session, with_session

if TYPE_CHECKING:
    from node.auditing.chain_file import ChainRecord
    from node.config import Config


READERS = frozenset({"auditor", "authority"})

reading = click.option("--as", "reader", metavar="KEY", help="Read as the auditor or authority of this key.")


def read_as(session: Session, reader: str | None) -> None:
    """A node gives its whole chain to auditors and authorities only."""
    if reader is None:
        return
    me = acting(session, reader)
    session.read_as(reader, me.id)
    roles = {item["role"] for item in session.client.participant(me.id)["roles"]}
    organisations = {item["participant"] for item in session.client.get("/v1/validators")["validators"]}
    if not roles & READERS and me.id not in organisations:
        session.say(
            f"{me.name} is neither auditor nor authority on this network. It can ask to be: "
            f"wattest proposal role --role auditor --from {reader}, and a quorum of the organisations approves."
        )


@click.group(cls=Group)
def chain() -> None:
    """The chain as a file."""


@chain.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@reading
@click.option("--data", metavar="HOME", type=click.Path(path_type=Path), help="From the home of a stopped node.")
@with_session
def export(session: Session, file: Path, data: Path | None, reader: str | None) -> None:
    """Write the whole chain to a file, checked on the way: every link, every body, every Finalization.

    From the node of --node, which may go on working, or with --data from the home of one that does not run.
    """
    from node.auditing.chain_file import chain_bytes
    from node.failures import VerificationFailed

    read_as(session, reader)
    unfinished = file.with_name(file.name + ".part")
    try:
        with records_of(session, None, data) as records, unfinished.open("wb") as out:
            links = Checked(records)
            out.writelines(chain_bytes(links))
        if links.findings:
            raise VerificationFailed(why=str(links.findings.listed[0]))
        unfinished.replace(file)
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    value = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "height": links.height,
        "hash": links.hash.hex(),
        "chain_id": links.chain.hex(),
    }
    text = (
        f"blocks 1 to {links.height} of chain {links.chain.hex()[:16]} written to {file}, each final by its validators"
    )
    session.answer("chain/1", value, text)


class Checked:
    """Records as they pass, followed from the genesis on without executing anything."""

    def __init__(self, records: "Iterable[ChainRecord]") -> None:
        from node.auditing.findings import Findings

        self.findings = Findings()
        self.chain = bytes(32)
        self._records = records
        self._links: Any = None

    @property
    def height(self) -> int:
        return int(self._links.height)

    @property
    def hash(self) -> bytes:
        return bytes(self._links.hash)

    def __iter__(self) -> "Iterator[ChainRecord]":
        from node.auditing.chain_file import Beginning, ChainBlock, End
        from node.auditing.links import links_from

        for record in self._records:
            match record:
                case Beginning():
                    self.chain, self._links = links_from(record.genesis, self.findings)
                case ChainBlock():
                    body = record.block.transactions
                    self._links.follow(record.block.header, body, record.finalization, record.next_vote_keys)
                case End():
                    self._links.end(record.height, record.hash)
            yield record


@contextmanager
def records_of(session: Session, file: Path | None, home: Path | None) -> "Iterator[Iterator[ChainRecord]]":
    """A chain from a file, from a stopped node's home, or from the node of the session; with a bar of how far it is."""
    from node.auditing.chain_file import read_records, reader_of

    if file is not None and home is not None:
        raise click.UsageError("Give a chain file or --data, not both.")
    if file is not None:
        with file.open("rb") as source, session.bar("bytes", file.stat().st_size) as bar:

            def read(size: int) -> bytes:
                found = source.read(size)
                bar.update(len(found))
                return found

            yield read_records(read)
        return
    if home is not None:
        with stopped(home) as records:
            yield records
        return
    if not session.client.reader:
        session.say("The whole chain is for auditors and authorities: name your key with --as KEY.")
    headers, pieces = session.client.stream("/v1/chain")
    height = int(headers["X-Ledger-Height"])
    with session.bar("blocks", height) as bar:
        yield _counted(read_records(reader_of(pieces)), bar)


def _counted(records: "Iterator[ChainRecord]", bar: Any) -> "Iterator[ChainRecord]":
    for record in records:
        yield record
        bar.update(1)


def config_of(home: Path) -> "Config":
    from node.config import load_config

    if not (home / "genesis.json").is_file():
        raise click.UsageError(f"{home} is no home of a node: it has no genesis.json.")
    return load_config(home)


@contextmanager
def stopped(home: Path) -> "Iterator[Iterator[ChainRecord]]":
    """The chain in the home of a node that does not run."""
    from node.auditing.chain_file import chain_records
    from node.home import DataDirectory
    from node.queries.chain import tip_height
    from node.serving import canonical_json
    from state.store import LevelStore

    config = config_of(home)
    with DataDirectory(config, working=False):
        store = LevelStore(config.data / "state", create=False)
        try:
            genesis = canonical_json(config.genesis.read_bytes())
            yield chain_records(store, genesis, tip_height(store))
        finally:
            store.close()
