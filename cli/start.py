"""`wattest init`: the home of a wallet or of a validator. `wattest completion`: the shell's side of the commands."""

from pathlib import Path

import click

from cli import show
from cli.options import Command, unlocking
from cli.session import Session, with_session
from cli.settings import CONFIG

VALIDATOR_KEYS = ("vote", "node", "escrow", "governance")


@click.command(cls=Command)
@click.option("--genesis", metavar="FILE", help="The network's own genesis.json, copied into the home.")
@click.option("--validator", metavar="NAME", help="Also make the four keys of a validator organisation of this name.")
@click.option("--address", metavar="HOST:PORT", help="Where other validators reach this one.")
@click.option("--country", metavar="CC", default="", help="Country of the organisation, two letters.")
@click.option("--keyring", type=click.Choice(["file", "test"]), default="file", show_default=True)
@unlocking
@with_session
def init(
    session: Session,
    genesis: str | None,
    validator: str | None,
    address: str | None,
    country: str,
    keyring: str,
) -> None:
    """Make a home with its configuration and keys at --home.

    With --validator it prints the entry that the coordinator puts into the genesis; nothing that exists is overwritten.
    """
    from node.config import render_config

    path = session.home / CONFIG
    if path.exists():
        raise click.UsageError(f"{session.home} is a home already; change it with `wattest config set`.")
    if validator and (not address or not country):
        raise click.UsageError("A validator needs --address HOST:PORT and --country CC: both stand in the genesis.")
    content = _read_genesis(genesis) if genesis else None
    passphrase = session.passphrase("Passphrase for the keys", twice=True) if validator and keyring == "file" else None
    session.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if content is not None:
        (session.home / "genesis.json").write_bytes(content)
    publics = _make_keys(session, content, passphrase, keyring) if validator else {}
    settings = {"client.keyring": keyring, "node.keyring": keyring}
    if content is not None:
        settings["client.chain_id"] = _chain(content)
    path.write_text(render_config(settings), "utf-8")
    entry = {"name": validator, "country": country, "address": address, **publics} if validator else None
    text = f"{session.home} is ready."
    if entry:
        text += "\nThe entry of this validator for the genesis:\n" + show.fields(entry.items())
    session.answer("home/1", {"home": str(session.home), "validator": entry}, text)


def _read_genesis(name: str) -> bytes:
    from contracts.genesis import parse_genesis

    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from None
    parse_genesis(content)
    return content


def _chain(genesis: bytes) -> str:
    from contracts.genesis import chain_id, load_json

    return chain_id(load_json(genesis)).hex()


def _make_keys(session: Session, genesis: bytes | None, passphrase: bytes | None, keyring: str) -> dict[str, str]:
    from node.keystore import generate_key, save_key

    chain = _chain(genesis) if genesis is not None else ""
    publics = {}
    for purpose in VALIDATOR_KEYS:
        key = generate_key(purpose, chain)
        save_key(session.keys, purpose, key, passphrase, keyring)
        publics[f"{purpose}_key"] = key.public.hex()
    return publics


@click.command(cls=Command)
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script: `wattest completion bash > ~/.local/share/bash-completion/completions/wattest`."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # the choices above are click's own
    click.echo(kind(context.find_root().command, {}, "wattest", "_WATTEST_COMPLETE").source())
