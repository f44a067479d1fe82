"""Settings of a home: flag, then `WATTEST_*` variable, then `config.toml`, then the default; each with its origin.

    HOME/config.toml   [node]    p2p_listen api_listen pages_listen public_url peers sync catch_up keep_blocks
                                 past verify_threads reserve_mib profile keyring mqtt mqtt_ca mqtt_credentials
                                 keep_readings readings_archive
                       [client]  node chain_id keyring key

Every key `[section] name` has the variable `WATTEST_NAME` (node) or `WATTEST_CLIENT_NAME`; unknown keys are refused,
because a misspelt one would silently leave the default in force.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from state.errors import WattestError

Value = str | int | tuple[str, ...]

PROFILES = ("default", "demo", "bench")  # request rates of the API
KEYRINGS = ("file", "test")
BLOCKS, SNAPSHOT = "blocks", "snapshot"  # what a node begins from that has no state, or one that is far behind
FULL, CERTIFIED = "full", "certified"  # what it checks of a block that is final already
LEAST_KEPT_DAYS = 270  # of readings: a season's review, and what its windows look back on
LEAST_KEPT_BLOCKS = 256  # peers that are a little behind still find what they need


class ConfigError(WattestError):
    code = "config"
    sentence = "The configuration is not usable: {why}."


class KeyNotNamed(ConfigError):
    """A key of the home that the ledger of its genesis does not name for this node."""


@dataclass(frozen=True)
class Setting:
    default: Value
    parse: Callable[[str], Value]
    meaning: str


def _text(value: str) -> Value:
    return value


def _listen(value: str) -> Value:
    parse_address(value)
    return value


def _listen_or_not(value: str) -> Value:
    return _listen(value) if value else value


def _threads(value: str) -> Value:
    number = int(value)
    if not 0 <= number <= 64:
        raise ValueError("not within 0..64")
    return number


def _reserve(value: str) -> Value:
    number = int(value)
    if not 0 <= number <= 4_096:
        raise ValueError("not within 0..4096")
    return number


def _kept_blocks(value: str) -> Value:
    number = int(value)
    if number and not LEAST_KEPT_BLOCKS <= number <= 10**9:
        raise ValueError(f"neither 0 nor within {LEAST_KEPT_BLOCKS}..1000000000")
    return number


def _kept_days(value: str) -> Value:
    number = int(value)
    if number and not LEAST_KEPT_DAYS <= number <= 100_000:
        raise ValueError(f"neither 0 nor within {LEAST_KEPT_DAYS}..100000")
    return number


def _one_of(*words: str) -> Callable[[str], Value]:
    def parse(value: str) -> Value:
        if value not in words:
            raise ValueError(f"not one of {', '.join(words)}")
        return value

    return parse


def _peers(value: str) -> Value:
    peers = tuple(part.strip() for part in value.split(",") if part.strip())
    for peer in peers:
        parse_peer(peer)
    return peers


SETTINGS: Mapping[str, Setting] = {
    "node.p2p_listen": Setting("127.0.0.1:27656", _listen, "address and port for other nodes; port 0 picks a free one"),
    "node.api_listen": Setting("127.0.0.1:27680", _listen, "address and port of the HTTP API"),
    "node.pages_listen": Setting("", _listen_or_not, "address and port for the pages alone; empty = on api_listen"),
    "node.public_url": Setting("", _text, "where the public reaches the API; printed in QR codes"),
    "node.peers": Setting((), _peers, "INDEX@HOST:PORT: reach a validator elsewhere than its record says"),
    "node.sync": Setting(
        BLOCKS, _one_of(BLOCKS, SNAPSHOT), "a node without a state fetches all blocks, or a snapshot of the state"
    ),
    "node.catch_up": Setting(
        FULL, _one_of(FULL, CERTIFIED), "signatures of final blocks: checked again (full), or left to their quorum"
    ),
    "node.keep_blocks": Setting(0, _kept_blocks, "newest blocks whose transactions are kept; 0 = all, an archive"),
    "node.past": Setting(
        "on", _one_of("on", "off"), "answers about earlier heights: on, made again when asked; or off"
    ),
    "node.verify_threads": Setting(0, _threads, "threads that check signatures; 0 = on the node's own loop"),
    "node.reserve_mib": Setting(64, _reserve, "MiB of disk held back so that a full disk can be recovered from"),
    "node.profile": Setting("default", _one_of(*PROFILES), "request rates: default, demo or bench"),
    "node.keyring": Setting("file", _one_of(*KEYRINGS), "file: keys under a passphrase; test: keys in the clear"),
    "node.keep_readings": Setting(0, _kept_days, "days that readings are kept, longer where they are needed; 0 = all"),
    "node.readings_archive": Setting("", _text, "where readings are written before they go; empty = HOME/archive"),
    "node.mqtt": Setting("", _text, "mqtt[s]://HOST[:PORT][/PREFIX] of a broker to take readings from; empty = none"),
    "node.mqtt_ca": Setting("", _text, "file of the authority whose certificate the broker has; empty = the machine's"),
    "node.mqtt_credentials": Setting("", _text, "file of mode 0600 with USER:PASSWORD for the broker"),
    "client.node": Setting("http://127.0.0.1:27680", _text, "the node that commands talk to"),
    "client.chain_id": Setting("", _text, "refuse to sign for any other network"),
    "client.keyring": Setting("file", _one_of(*KEYRINGS), "as node.keyring, for wallets"),
    "client.key": Setting("", _text, "the key that signs where a command names none"),
}


@dataclass(frozen=True)
class Config:
    """`values` and `origins` are keyed `section.name`; an origin is flag, environment, file or default."""

    home: Path
    values: Mapping[str, Value]
    origins: Mapping[str, str]

    def text(self, key: str) -> str:
        value = self.values[key]
        assert isinstance(value, str)
        return value

    def number(self, key: str) -> int:
        value = self.values[key]
        assert isinstance(value, int)
        return value

    def peer_addresses(self) -> dict[int, str]:
        """Validator index -> host:port, where the operator overrides the record."""
        peers = self.values["node.peers"]
        assert isinstance(peers, tuple)
        return dict(parse_peer(peer) for peer in peers)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def genesis(self) -> Path:
        return self.home / "genesis.json"


def load_config(
    home: Path, flags: Mapping[str, str | None] | None = None, environment: Mapping[str, str] | None = None
) -> Config:
    """All settings of a home with their origins. `flags` are keyed like `SETTINGS`; None = not given."""
    environment = os.environ if environment is None else environment
    flags = flags or {}
    in_file = _read_file(home / "config.toml")
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    for key, setting in SETTINGS.items():
        flag = flags.get(key)
        if flag is not None:
            values[key], origins[key] = _parse(key, flag, "the flag"), "flag"
        elif variable(key) in environment:
            values[key], origins[key] = _parse(key, environment[variable(key)], variable(key)), "environment"
        elif key in in_file:
            values[key], origins[key] = _parse(key, in_file[key], str(home / "config.toml")), "file"
        else:
            values[key], origins[key] = setting.default, "default"
    return Config(home, values, origins)


def render_config(changes: Mapping[str, Value]) -> str:
    """The text of a `config.toml` with these values, and every other setting as a comment with its default."""
    lines: list[str] = []
    section = ""
    for key, setting in SETTINGS.items():
        its_section, _, name = key.partition(".")
        if its_section != section:
            section = its_section
            lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
        lines.append(f"# {setting.meaning}")
        value = changes.get(key)
        lines.append(f"{name} = {_toml(value)}" if value is not None else f"# {name} = {_toml(setting.default)}")
    return "\n".join(lines) + "\n"


def variable(key: str) -> str:
    """The environment variable of a setting: WATTEST_P2P_LISTEN, WATTEST_CLIENT_NODE."""
    return "WATTEST_" + key.removeprefix("node.").replace(".", "_").upper()


def parse_address(text: str) -> tuple[str, int]:
    """`host:port`; an IPv6 host stands in brackets. ValueError otherwise."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError("not HOST:PORT")
    return host.strip("[]"), int(port)


def parse_peer(text: str) -> tuple[int, str]:
    index, separator, address = text.partition("@")
    if not separator or not index.isdecimal():
        raise ValueError("not INDEX@HOST:PORT")
    parse_address(address)
    return int(index), address


def _parse(key: str, text: str, where: str) -> Value:
    try:
        return SETTINGS[key].parse(text)
    except ValueError as error:
        raise ConfigError(why=f"{key} = {text!r} in {where}: {error}") from None


def _read_file(path: Path) -> dict[str, str]:
    """The file's settings as text, as if each had come from a variable."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(why=f"{path}: {error}") from None
    found: dict[str, str] = {}
    for section, table in tables.items():
        for name, value in table.items() if isinstance(table, dict) else [("", table)]:
            key = f"{section}.{name}"
            if key not in SETTINGS:
                raise ConfigError(why=f"{path}: there is no setting {key.rstrip('.')}")
            found[key] = _as_text(value, key, path)
    return found


def _as_text(value: Any, key: str, path: Path) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise ConfigError(why=f"{path}: {key} holds neither a text, a whole number nor a list of texts")


def _toml(value: Value) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
