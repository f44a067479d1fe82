"""Where a command's settings come from: flag, then `WATTEST_*`, then `config.toml` of the home, then a default.

[client]
node = "http://127.0.0.1:27680"    the API that commands talk to
chain_id = "…"                    the network that this wallet acts on; signatures for another one are refused
keyring = "file"                  file (passphrase) or test (no passphrase, test networks only)
key = "trader"                    the key that signs where --from names none
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

DEFAULT_NODE = "http://127.0.0.1:27680"
CONFIG = "config.toml"

DEFAULTS: dict[str, str | bool] = {
    "home": "~/.wattest",
    "node": DEFAULT_NODE,
    "chain_id": "",
    "keyring": "file",
    "key": "",
    "json": False,
    "yes": False,
    "quiet": False,
    "no_color": False,
}
VARIABLES = {name: f"WATTEST_{name.upper()}" for name in DEFAULTS} | {"key": "WATTEST_FROM"}
IN_CONFIG = ("node", "chain_id", "keyring", "key")


@dataclass(frozen=True)
class Setting:
    value: str | bool
    origin: str  # flag --x | environment NAME | FILE | default


def resolve(flags: dict[str, Any]) -> dict[str, Setting]:
    """Every setting with its origin. UsageError where config.toml is not TOML or has a wrong type."""
    found = {name: _outside(name, flags) for name in DEFAULTS}
    home = Path(str((found["home"] or Setting(DEFAULTS["home"], "default")).value)).expanduser()
    config = read_config(home).get("client", {})
    settings = {}
    for name, default in DEFAULTS.items():
        setting = found[name]
        if setting is None and name in IN_CONFIG and name in config:
            if not isinstance(config[name], str):
                raise click.UsageError(f"{home / CONFIG}: client.{name} must be a text in quotes.")
            setting = Setting(config[name], str(home / CONFIG))
        settings[name] = setting or Setting(default, "default")
    settings["home"] = Setting(str(home), settings["home"].origin)
    return settings


def _outside(name: str, flags: dict[str, Any]) -> Setting | None:
    if name in flags:
        return Setting(flags[name], "flag --" + name.replace("_", "-"))
    variable = VARIABLES[name]
    text = os.environ.get(variable)
    if not text and name == "no_color":
        variable, text = "NO_COLOR", os.environ.get("NO_COLOR")
    if not text:
        return None
    if isinstance(DEFAULTS[name], bool):
        return Setting(text.lower() not in ("0", "false", "no"), f"environment {variable}")
    return Setting(text, f"environment {variable}")


def read_config(home: Path) -> dict[str, Any]:
    """The tables of HOME/config.toml, empty where there is none."""
    path = home / CONFIG
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise click.UsageError(f"{path}: {name} stands outside of a section such as [client].")
    return tables


def write_setting(home: Path, table: str, name: str, literal: str) -> Path:
    """Set `name` of `[table]` to a TOML literal and leave every other line of the file as it is."""
    path = home / CONFIG
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    changed = _with_setting(lines, table, f"{name} = {literal}", name)
    text = "\n".join(changed) + "\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{literal} is no value of TOML: {error}") from None
    home.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(text, "utf-8")
    draft.replace(path)
    return path


def _with_setting(lines: list[str], table: str, line: str, name: str) -> list[str]:
    inside = False
    for number, text in enumerate(lines):
        if text.strip().startswith("["):
            if inside:
                return [*lines[:number], line, *lines[number:]]
            inside = text.strip() == f"[{table}]"
        elif inside and text.split("=")[0].strip() == name:
            return [*lines[:number], line, *lines[number + 1 :]]
    return [*lines, line] if inside else [*lines, *([""] if lines else []), f"[{table}]", line]
