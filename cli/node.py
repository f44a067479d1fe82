"""`wattest node ...` and `wattest status`."""

import sys

import click

from cli import show
from cli.options import Command, Group, unlocking
from cli.session import Session, with_session


@click.group(cls=Group)
def node() -> None:
    """A validator or observer node of a home."""


@node.command()
@unlocking
@with_session
def start(session: Session) -> None:
    """Run the node of --home until Ctrl-C or SIGTERM.

    The keys `vote` and `node` of the home sign; both are of one passphrase. Ends with 70 to 74 when the node must not
    go on, see the table of exit codes.
    """
    if not (session.home / "genesis.json").is_file():
        raise click.UsageError(f"{session.home} is no node's home: it has no genesis.json. See `wattest init`.")
    from node.start import run  # after the check: it loads the whole node

    sealed = any(session.key_file(name).needs_passphrase for name in ("vote", "node"))
    passphrase = session.passphrase("Passphrase of the validator's keys") if sealed else None
    sys.exit(run(session.home, lambda path: passphrase))


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


@click.command(cls=Command)
@with_session
def status(session: Session) -> None:
    """Height, state root, validators and peers of the node at --node."""
    answer = session.client.status()
    height = int(answer["height"])
    head = show.fields(
        [
            ("network", f"{answer.get('name', '')}  {answer['chain_id']}"),
            ("node", session.node_url),
            ("height", f"{height:,}"),
            ("block", answer["hash"]),
            ("state root", answer["state_root"]),
            ("ledger time", show.moment(int(answer["time_ms"]) // 1000)),
            ("epoch, view", f"{answer.get('epoch')}, {answer.get('view')}"),
            ("peers", answer.get("peers")),
            ("waiting", answer.get("mempool")),
            ("syncing", answer.get("syncing")),
            ("version", answer.get("version")),
        ]
    )
    rows = [
        (item["index"], item["name"], item["address"], item.get("last_signed_height"))
        for item in answer.get("validators", [])
    ]
    body = show.table(("index", "validator", "address", "last signed"), rows)
    session.answer("status/1", {k: v for k, v in answer.items() if k != "schema"}, f"{head}\n\n{body}")
