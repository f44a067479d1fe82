"""`wattest config`: what is set, where it comes from, and how to change it."""

import json
import tomllib
from typing import Any

import click

from cli import show
from cli.options import Group
from cli.session import Session, with_session
from cli.settings import CONFIG, read_config, write_setting


@click.group(cls=Group)
def config() -> None:
    """Settings: a flag wins over a WATTEST_* variable, that over config.toml, that over the default."""


@config.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@with_session
def show_(session: Session, origin: bool) -> None:
    """Every setting in force."""
    found: list[tuple[str, Any, str]] = [(n, s.value, s.origin) for n, s in session.settings.items()]
    path = str(session.home / CONFIG)
    for heading, values in read_config(session.home).items():
        if heading != "client" and isinstance(values, dict):
            found += [(f"{heading}.{name}", value, path) for name, value in values.items()]
    value = {name: {"value": setting, "origin": source} for name, setting, source in found}
    if origin:
        text = show.table(("setting", "value", "origin"), found)
    else:
        text = show.fields((name, setting if setting != "" else "(none)") for name, setting, _ in found)
    session.answer("config/1", {"settings": value}, text)


@config.command("set")
@click.argument("name")
@click.argument("value")
@with_session
def set_(session: Session, name: str, value: str) -> None:
    """Write NAME (such as client.node or node.api_listen) to config.toml of the home.

    VALUE is a number, true, false, a list such as '["a:1"]', or else a text.
    """
    heading, dot, key = name.rpartition(".")
    if not dot or not key.replace("_", "").isalnum():
        raise click.UsageError(f"{name!r}: name a table and a key, such as client.node.")
    path = write_setting(session.home, heading, key, _literal(value))
    session.answer("config_set/1", {"name": name, "file": str(path)}, f"{name} is set in {path}.")


def _literal(value: str) -> str:
    """Numbers, booleans and lists are TOML as they stand; everything else is a text."""
    if value in ("true", "false") or value.lstrip("-").isdigit() or value.startswith("["):
        try:
            tomllib.loads(f"value = {value}")
        except tomllib.TOMLDecodeError as error:
            raise click.UsageError(f"{value} is no value of TOML: {error}") from None
        return value
    return json.dumps(value, ensure_ascii=False)
