"""What a command works with: its settings, a client, its keys, and the two channels of its speech.

Answers go to stdout, as text or as one JSON object with a `schema`; talk goes to stderr. One passphrase prompt serves a
whole command, however many keys it unlocks.
"""

import json
import os
import stat
import sys
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from cli.options import FLAGS
from cli.settings import Setting, resolve
from cli.show import inert, inert_json

if TYPE_CHECKING:
    from node.client import NodeClient
    from node.keystore import KeyFile, PrivateKey

P = ParamSpec("P")
R = TypeVar("R")
SESSION = "wattest.session"  # keys in `Context.meta`, as cli/options.py has one for flags
BUILDING = "wattest.building"
OUT = "wattest.out"
MAX_PASSPHRASE_BYTES = 1024
READ_S = 3_600  # how long a node takes a reader's signature for good


class Session:
    def __init__(self, settings: dict[str, Setting]) -> None:
        self.settings = settings
        self.home = Path(str(settings["home"].value))
        self.node_url = str(settings["node"].value)
        self.json = bool(settings["json"].value)
        self.yes = bool(settings["yes"].value)
        self.quiet = bool(settings["quiet"].value)
        self.colour = not settings["no_color"].value and sys.stdout.isatty()
        self.building = False  # inside `tx build`: transactions are written out instead of sent
        self.out: str | None = None  # where `tx build` writes to; None = stdout
        self.passphrase_file: str | None = None
        self.passphrase_fd: int | None = None
        self._passphrase: bytes | None = None
        self._client: NodeClient | None = None
        self._network: tuple[bytes, int] | None = None

    # --- speech

    def answer(self, schema: str, value: dict[str, Any], text: str) -> None:
        """The command's one answer: `text` for people, `value` with its schema for programs."""
        if self.json:
            click.echo(inert_json(json.dumps({"schema": schema, **value}, ensure_ascii=False)))
        else:
            click.echo(inert(text))

    def say(self, text: str) -> None:
        if not self.quiet:
            click.echo(inert(text), err=True)

    def bar(self, label: str, length: int) -> Any:
        """A bar on stderr of how far something is; hidden where nobody watches it."""
        hidden = self.quiet or not sys.stderr.isatty()
        return click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden)

    def confirm(self, lines: list[str]) -> None:
        """Show what is about to happen and ask, default No. Without a terminal and without -y this is a usage error."""
        for line in lines:
            self.say(line)
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here (no terminal); give --yes to go ahead.")
        if not click.confirm("Go ahead?", default=False, err=True):
            raise click.Abort

    # --- network

    @property
    def client(self) -> "NodeClient":
        """Of the node at --node. WrongNetwork where it serves another network than the one that is named."""
        if self._client is None:
            from node.client import NodeClient

            client = NodeClient(self.node_url)
            if self.named_chain() is not None:
                self._network = self._network_of(client)
            self._client = client
        return self._client

    def named_chain(self) -> bytes | None:
        """The network that flag, environment, configuration or the home's genesis.json names."""
        text = str(self.settings["chain_id"].value)
        if text:
            try:
                chain = bytes.fromhex(text)
            except ValueError:
                chain = b""
            if len(chain) != 32:
                raise click.UsageError(f"The chain id is 64 hexadecimal digits, not {text!r}.")
            return chain
        genesis = self.home / "genesis.json"
        if genesis.is_file():
            from contracts.genesis import chain_id, load_json

            return chain_id(load_json(genesis.read_bytes()))
        return None

    def network(self) -> tuple[bytes, int]:
        """Chain id and height of the node; WrongNetwork when the wallet was set up for another one."""
        client = self.client
        if self._network is None:
            self._network = self._network_of(client)
        return self._network

    def _network_of(self, client: "NodeClient") -> tuple[bytes, int]:
        from node.failures import NodeUnreachable, WrongNetwork

        status = client.status()
        try:
            chain, height = bytes.fromhex(status["chain_id"]), int(status["height"])
        except (KeyError, TypeError, ValueError):
            raise NodeUnreachable(url=self.node_url, why="what answers there is no wattest node") from None
        named = self.named_chain()
        if named is not None and named != chain:
            raise WrongNetwork(url=self.node_url, found=chain.hex(), named=named.hex())
        return chain, height

    def read_as(self, key_name: str, participant: int) -> None:
        """From here on ask as this participant: a node shows it what is its own, and what its roles may see."""
        from node.wallet import reader_header

        status = self.client.status()
        chain, until = bytes.fromhex(status["chain_id"]), int(status["time_ms"]) // 1000 + READ_S
        self.client.reader = reader_header(self.unlock(key_name), chain, participant, until)

    # --- keys

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    def key_name(self, given: str | None = None) -> str:
        """The key that acts: --from, WATTEST_FROM, client.key, or the only wallet key in the home."""
        from node.failures import KeystoreError
        from node.keystore import list_keys

        name = given or str(self.settings["key"].value)
        if name:
            return name
        wallets = [name for name, content in list_keys(self.keys) if content.purpose == "wallet"]
        if len(wallets) == 1:
            return wallets[0]
        if not wallets:
            raise KeystoreError(why=f"there is no wallet key in {self.keys}; make one with `wattest keys add NAME`")
        raise click.UsageError(f"Which key signs? Name one with --from: {', '.join(wallets)}.")

    def key_file(self, name: str) -> "KeyFile":
        """Public part of a key, without unlocking it."""
        from difflib import get_close_matches

        from node.failures import KeystoreError
        from node.keystore import key_path, read_key_file

        path = key_path(self.keys, name)
        if not path.exists():
            names = sorted(other.stem for other in self.keys.glob("*.json"))
            near = get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names) or 'none'}"
            raise KeystoreError(why=f"{self.keys} has no key {name!r}{hint}")
        return read_key_file(path)

    def unlock(self, name: str) -> "PrivateKey":
        from node.keystore import key_path, open_key_file

        content = self.key_file(name)
        passphrase = None
        if content.needs_passphrase:
            passphrase = self.passphrase(f"Passphrase of {name}", test_keyring=content.keyring == "test")
        return open_key_file(content, passphrase, key_path(self.keys, name))

    def passphrase(self, prompt: str, *, test_keyring: bool = False, twice: bool = False) -> bytes:
        """From --passphrase-file, --passphrase-fd, WATTEST_PASSPHRASE (test keyring only) or one hidden prompt."""
        if self._passphrase is None:
            self._passphrase = self._read_passphrase(prompt, test_keyring, twice)
        return self._passphrase

    def _read_passphrase(self, prompt: str, test_keyring: bool, twice: bool) -> bytes:
        from node.failures import KeystoreError

        if self.passphrase_file is not None:
            return _passphrase_in(Path(self.passphrase_file))
        if self.passphrase_fd is not None:
            try:
                return _first_line(os.read(self.passphrase_fd, MAX_PASSPHRASE_BYTES))
            except OSError as error:
                raise KeystoreError(why=f"--passphrase-fd {self.passphrase_fd}: {error.strerror}") from None
        variable = os.environ.get("WATTEST_PASSPHRASE")
        if variable and test_keyring:
            return variable.encode()
        if not _terminal():
            hint = "WATTEST_PASSPHRASE serves the test keyring only; " if variable else ""
            raise KeystoreError(why=f"a passphrase is needed and nobody can be asked; {hint}give --passphrase-file")
        text = click.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True)
        return str(text).encode()


def _passphrase_in(path: Path) -> bytes:
    from node.failures import KeystoreError

    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
                raise KeystoreError(why=f"{path} must be your own and of mode 0600 to hold a passphrase")
            return _first_line(file.read(MAX_PASSPHRASE_BYTES))
    except OSError as error:
        raise KeystoreError(why=f"{path}: {error.strerror}") from None


def _first_line(data: bytes) -> bytes:
    return data.split(b"\n")[0].removesuffix(b"\r")


def require_screen(instead: str) -> None:
    """UsageError where there is no terminal to draw on: a screen in a pipe would wait for keys for ever."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(f"This needs a terminal, and stdin or stdout is none; {instead}.")


def _terminal() -> bool:
    """Whether a hidden prompt can reach a person: getpass opens the terminal itself, stdin may be a pipe."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True


def session_of(context: click.Context) -> Session:
    """The session of this command line, made at the first use from the flags seen so far."""
    session = context.meta.get(SESSION)
    if session is None:
        session = context.meta[SESSION] = Session(resolve(context.meta.get(FLAGS, {})))
        session.building = bool(context.meta.get(BUILDING))
        session.out = context.meta.get(OUT)
    assert isinstance(session, Session)
    return session


def with_session(command: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Hand the session to a command as its first argument and take the passphrase options out of its others."""

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        session = session_of(click.get_current_context())
        session.passphrase_file = kwargs.pop("passphrase_file", None) or session.passphrase_file  # type: ignore[assignment]
        fd = kwargs.pop("passphrase_fd", None)
        session.passphrase_fd = session.passphrase_fd if fd is None else fd  # type: ignore[assignment]
        return command(session, *args, **kwargs)

    return update_wrapper(call, command)
