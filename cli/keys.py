"""`wattest keys`: make, show, move and re-seal private keys. No key and no passphrase is ever an argument."""

import sys
from pathlib import Path

import click

from cli import show
from cli.options import Group, unlocking
from cli.session import Session, with_session

PURPOSES = ("wallet", "governance", "gateway", "device", "vote", "node", "escrow", "admin")


@click.group(cls=Group)
def keys() -> None:
    """Private keys of this home, one file each, sealed under a passphrase."""


@keys.command()
@click.argument("name")
@click.option("--purpose", type=click.Choice(PURPOSES), default="wallet", show_default=True)
@click.option("--keyring", type=click.Choice(["file", "test"]), help="test = no passphrase, test networks only.")
@unlocking
@with_session
def add(session: Session, name: str, purpose: str, keyring: str | None) -> None:
    """Make a new key NAME."""
    from node.keystore import generate_key

    _store(session, name, generate_key(purpose, _chain(session)), keyring)


@keys.command("list")
@with_session
def list_(session: Session) -> None:
    """The keys of this home; no passphrase is needed."""
    from node.keystore import list_keys

    found = list_keys(session.keys)
    rows = [(name, key.purpose, key.keyring, key.pubkey, show.moment(key.created)) for name, key in found]
    value = {
        "keys": [
            {"name": n, "purpose": k.purpose, "keyring": k.keyring, "public_key": k.pubkey, "chain_id": k.chain}
            for n, k in found
        ]
    }
    session.answer("keys/1", value, show.table(("name", "purpose", "keyring", "public key", "made"), rows, "no keys"))


@keys.command("show")
@click.argument("name")
@with_session
def show_(session: Session, name: str) -> None:
    """The public half of a key."""
    key = session.key_file(name)
    value = {
        "name": name,
        "purpose": key.purpose,
        "keyring": key.keyring,
        "public_key": key.pubkey,
        "chain_id": key.chain,
        "created": key.created,
    }
    text = show.fields(
        [
            ("name", name),
            ("purpose", key.purpose),
            ("public key", key.pubkey),
            ("keyring", key.keyring),
            ("network", key.chain),
            ("made", show.moment(key.created)),
        ]
    )
    session.answer("key/1", value, text)


@keys.command()
@click.argument("name")
@with_session
def export(session: Session, name: str) -> None:
    """Print the sealed key file, to carry it to another home. The passphrase stays what it is."""
    from node.keystore import key_path

    key = session.key_file(name)
    if not key.needs_passphrase:
        session.confirm([f"The key {name} has no passphrase: whoever reads the output owns the key."])
    if key.purpose == "vote":
        session.say("A validator's vote key must vote at one place only: take its vote journal along and stop it here.")
    content = key_path(session.keys, name).read_text("ascii")
    session.answer("key_file/1", {"name": name, "content": content}, content.rstrip("\n"))


@keys.command("import")
@click.argument("name")
@click.option("--file", "source", metavar="FILE", help="A sealed key file, as `keys export` prints it; - is stdin.")
@click.option("--seed-stdin", is_flag=True, help="Read a raw seed of 64 hexadecimal digits from stdin.")
@click.option("--purpose", type=click.Choice(PURPOSES), default="wallet", show_default=True, help="Of a raw seed.")
@click.option("--keyring", type=click.Choice(["file", "test"]), help="test = no passphrase, test networks only.")
@unlocking
@with_session
def import_(
    session: Session,
    name: str,
    source: str | None,
    seed_stdin: bool,
    purpose: str,
    keyring: str | None,
) -> None:
    """Take a key in: a sealed file, which is opened and sealed again under its passphrase, or a raw seed."""
    from node.failures import KeystoreError
    from node.keystore import MAX_FILE_BYTES, generate_key, open_key_file, parse_key_file

    if (source is None) == (not seed_stdin):
        raise click.UsageError("Give either --file or --seed-stdin; a key is never an argument.")
    if seed_stdin:
        try:
            seed = bytes.fromhex(sys.stdin.read(200).strip())
        except ValueError:
            raise KeystoreError(why="what came by stdin is not hexadecimal") from None
        _store(session, name, generate_key(purpose, _chain(session), seed), keyring)
        return
    assert source is not None
    if source == "-":
        data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    else:
        try:
            data = Path(source).read_bytes()[: MAX_FILE_BYTES + 1]
        except OSError as error:
            raise KeystoreError(why=f"{source}: {error.strerror}") from None
    content = parse_key_file(data, source)
    passphrase = session.passphrase(f"Passphrase of {source}") if content.needs_passphrase else None
    _store(session, name, open_key_file(content, passphrase, Path(source)), keyring or content.keyring)


@keys.command()
@click.argument("name")
@unlocking
@with_session
def passwd(session: Session, name: str) -> None:
    """Seal a key under a new passphrase. The old one is asked for, or read from --passphrase-file or -fd."""
    from node.failures import KeystoreError
    from node.keystore import change_passphrase, key_path

    content = session.key_file(name)
    old = session.passphrase(f"Old passphrase of {name}") if content.needs_passphrase else None
    if old is not None:
        session.unlock(name)  # a wrong old passphrase is told before a new one is asked for
    if not sys.stdin.isatty():
        new = sys.stdin.readline(1025).rstrip("\r\n").encode()
    else:
        new = str(click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)).encode()
    if not new:
        raise KeystoreError(why="the new passphrase is empty")
    change_passphrase(key_path(session.keys, name), old, new)
    session.answer("key_sealed/1", {"name": name}, f"{name} is sealed under the new passphrase.")


def new_key(session: Session, name: str, purpose: str) -> str:
    """The key NAME of this home, made and stored under the home's keyring where it does not exist yet; its name."""
    from node.keystore import generate_key, key_path, save_key

    if not key_path(session.keys, name).exists():
        ring = str(session.settings["keyring"].value)
        passphrase = session.passphrase(f"Passphrase for {name}", twice=True) if ring == "file" else None
        save_key(session.keys, name, generate_key(purpose, _chain(session)), passphrase, ring)
        session.say(f"made the key {name}")
    return name


def _chain(session: Session) -> str:
    chain = session.named_chain()
    return chain.hex() if chain else ""


def _store(session: Session, name: str, key: object, keyring: str | None) -> None:
    from node.failures import KeystoreError
    from node.keystore import PrivateKey, key_path, save_key

    assert isinstance(key, PrivateKey)
    ring = keyring or str(session.settings["keyring"].value)
    path = key_path(session.keys, name)
    if path.exists():
        raise KeystoreError(why=f"{path} exists already; a key is never overwritten")
    passphrase = None
    if ring == "file":
        passphrase = session.passphrase(f"Passphrase for {name}", twice=True)
    else:
        session.say("This key has no passphrase: for test networks only.")
    save_key(session.keys, name, key, passphrase, ring)
    value = {"name": name, "purpose": key.purpose, "public_key": key.public.hex(), "keyring": ring, "file": str(path)}
    session.answer("key/1", value, f"{name}  {key.public.hex()}")
