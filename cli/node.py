"""`wattest node ...` and `wattest status`."""

import sys
from pathlib import Path
from typing import Any

import click

from cli import show
from cli.options import Command, Group, unlocking
from cli.session import Session, with_session


@click.group(cls=Group)
def node() -> None:
    """A validator or observer node of a home."""


@node.command()
@click.option("--sync", type=click.Choice(["blocks", "snapshot"]), help="Overrides the setting node.sync.")
@click.option("--catch-up", type=click.Choice(["full", "certified"]), help="Overrides the setting node.catch_up.")
@unlocking
@with_session
def start(session: Session, sync: str | None, catch_up: str | None) -> None:
    """Run the node of --home until Ctrl-C or SIGTERM.

    The keys `vote` and `node` of the home sign; both are of one passphrase. Without `vote` the node is an observer: it
    follows and checks, and signs nothing. Ends with 70 to 74 when the node must not go on, see the table of exit codes.

    With --sync snapshot a home without a state, or with one that is more than 10,000 blocks behind, begins from the
    state of a peer, proven from the genesis, instead of from block 1.
    """
    if not (session.home / "genesis.json").is_file() and not (session.home / "data").is_dir():
        raise click.UsageError(f"{session.home} is no node's home: it has no genesis.json. See `wattest init`.")
    from node.start import run  # after the check: it loads the whole node

    flags = {"node.sync": sync, "node.catch_up": catch_up}
    sys.exit(run(session.home, lambda path: session.passphrase("Passphrase of the validator's keys"), flags))


@node.command("free-reserve")
@with_session
def free_reserve(session: Session) -> None:
    """Give back the disk space that the node of --home holds in reserve.

    For a node that ended with 70 on a full disk: it must write before it can open its data. Make more room as well;
    the node takes the reserve again at a start that finds twice as much free.
    """
    from node.reserve import free

    freed = free(session.home / "data")
    text = f"{freed:,} bytes are free again." if freed else f"{session.home} holds no reserve."
    session.answer("reserve_freed/1", {"freed_bytes": freed}, text)


@node.command()
@with_session
def salvage(session: Session) -> None:
    """Rebuild the damaged state of --home from its own blocks.

    For a network whose only validator is this one, or whose others lack the blocks too; elsewhere move data/state away
    and let the node fetch it. The node must be stopped. The damaged folder is kept.
    """
    from node.config import load_config
    from node.salvage import salvage

    found = salvage(load_config(session.home))
    text = (
        f"The blocks up to {found.height} were executed again; the damaged state is kept in {found.kept}. "
        "Start the node: its journal leads on from there."
    )
    session.answer("salvaged/1", {"height": found.height, "kept": str(found.kept)}, text)


@node.command("begin-votes")
@with_session
def begin_votes(session: Session) -> None:
    """Let the vote key of --home vote for the first time.

    Once a key, before its first start. Never for a key that voted before, on whatever machine: its votes would be
    forgotten and could be contradicted, which is what validators lose their seat for.
    """
    from node.config import load_config
    from node.voting import begin_votes

    session.confirm(
        [
            f"The vote key of {session.home} begins to vote.",
            "Go on only if it has never voted, on this machine or any other.",
        ]
    )
    directory = begin_votes(load_config(session.home))
    text = f"{directory} is begun; the node votes from its next start on."
    session.answer("votes_begun/1", {"journal": str(directory)}, text)


@node.command("export-votes")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@with_session
def export_votes(session: Session, file: Path) -> None:
    """Move the validator of --home to another machine: write its last votes to FILE, and never vote here again.

    The node must be stopped. Take FILE and the keys to the other machine and run `wattest node import-votes FILE`
    there.
    """
    from node.config import load_config
    from node.voting import export_votes

    session.confirm([f"The validator of {session.home} stops voting here for good.", *_cost_of_moving(session)])
    moved = export_votes(load_config(session.home), file)
    text = f"{file} holds {moved.votes} votes up to epoch {moved.epoch}; this home does not vote any more."
    session.answer("votes_exported/1", {"file": str(file), "votes": moved.votes, "epoch": moved.epoch}, text)


@node.command("import-votes")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_session
def import_votes(session: Session, file: Path) -> None:
    """Take over a validator whose votes were exported to FILE on another machine.

    The keys `vote` and `node` of that home must lie in --home. It follows the chain at once, and votes from the epoch
    on in which it cannot have voted before.
    """
    from node.config import load_config
    from node.voting import import_votes

    session.confirm([f"The validator of {session.home} is to vote here, and nowhere else.", *_cost_of_moving(session)])
    moved = import_votes(load_config(session.home), file)
    text = (
        f"{moved.votes} votes up to epoch {moved.epoch} are taken over. The node follows from its next start on, and "
        "votes two epochs above the highest that the other validators report."
    )
    session.answer("votes_imported/1", {"votes": moved.votes, "epoch": moved.epoch}, text)


def _cost_of_moving(session: Session) -> list[str]:
    from node.genesis import read_genesis

    genesis, _ = read_genesis(session.home / "genesis.json")
    if genesis.parameters.epoch_length:
        return ["It votes again two epochs later."]
    return [
        "This network has one epoch for ever (epoch_length 0), so it would NEVER VOTE AGAIN.",
        "There, stop the node and move its whole home to the other machine instead: it listens before it votes.",
    ]


@click.command(cls=Command)
@with_session
def status(session: Session) -> None:
    """Height, state root, validators and peers of the node at --node."""
    answer = session.client.status()
    height = int(answer["height"])
    sync = answer.get("sync") or {}
    head = show.fields(
        [
            ("network", f"{answer.get('name', '')}  {answer['chain_id']}"),
            ("node", session.node_url),
            ("height", f"{height:,}"),
            ("block", answer["hash"] or "-"),
            ("state root", answer["state_root"] or "-"),
            ("ledger time", show.moment(int(answer["time_ms"]) // 1000)),
            ("epoch, view", f"{answer.get('epoch')}, {answer.get('view')}"),
            ("peers", answer.get("peers")),
            ("waiting", answer.get("mempool")),
            ("syncing", _sync_in_words(sync) if answer.get("syncing") else "no"),
            *([("keeps", _kept_in_words(sync))] if sync.get("bodies_from") else []),
            ("version", answer.get("version")),
        ]
    )
    rows = [
        (item["index"], item["name"], item["address"], item.get("last_signed_height"))
        for item in answer.get("validators", [])
    ]
    body = show.table(("index", "validator", "address", "last signed"), rows)
    session.answer("status/1", {k: v for k, v in answer.items() if k != "schema"}, f"{head}\n\n{body}")


def _sync_in_words(sync: dict[str, Any]) -> str:
    """How far a node is that is behind; its words stand in `sync.stage` of /v1/status."""
    target = f"height {int(sync.get('target_height') or 0):,}"
    match sync.get("stage"):
        case "looking":
            return "looking for a peer that offers a snapshot"
        case "proving":
            return f"proving the snapshot of {target} from the genesis"
        case "fetching":
            entries, total = int(sync["entries"]), int(sync["of_entries"])
            return f"snapshot of {target}: {entries:,} of {total:,} entries ({100 * entries // max(1, total)} %)"
        case "installing" | "done":
            return f"installing the snapshot of {target}"
        case "stuck":
            return f"towards {target}, but no peer keeps the blocks: start the node with --sync snapshot"
    return f"blocks, towards {target}"


def _kept_in_words(sync: dict[str, Any]) -> str:
    bodies, history = int(sync["bodies_from"]), int(sync["history_from"] or 0)
    text = f"transactions from height {bodies:,}"
    return f"{text}, history from {history:,}" if history else f"{text}, history from the beginning"
