"""`wattest config`: what is set, where it comes from, and how to change it."""

import json
from typing import Any

import click

from cli import show
from cli.options import Group
from cli.session import Session, with_session
from cli.settings import write_setting


@click.group(cls=Group)
def config() -> None:
    """Settings: a flag wins over a WATTEST_* variable, that over config.toml, that over the default."""


@config.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@with_session
def show_(session: Session, origin: bool) -> None:
    """Every setting in force: those of commands first, then those of a node in this home."""
    from node.config import load_config

    found: list[tuple[str, Any, str]] = [(n, s.value, s.origin) for n, s in session.settings.items()]
    node = load_config(session.home)
    for name, value in node.values.items():
        if name.startswith("node."):
            found.append((name, list(value) if isinstance(value, tuple) else value, node.origins[name]))
    settings = {name: {"value": setting, "origin": source} for name, setting, source in found}
    if origin:
        text = show.table(("setting", "value", "origin"), found)
    else:
        text = show.fields((name, setting if setting not in ("", []) else "(none)") for name, setting, _ in found)
    session.answer("config/1", {"settings": settings}, text)


@config.command("set")
@click.argument("name")
@click.argument("value")
@with_session
def set_(session: Session, name: str, value: str) -> None:
    """Write NAME (such as client.node or node.api_listen) to config.toml of the home.

    A list is written with commas: node.peers 0@10.0.0.7:27656,1@10.0.0.8:27656.
    """
    from difflib import get_close_matches

    from node.config import SETTINGS

    if name not in SETTINGS:
        near = get_close_matches(name, SETTINGS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(SETTINGS)}."
        raise click.UsageError(f"There is no setting {name!r}.{hint}")
    try:
        parsed = SETTINGS[name].parse(value)
    except ValueError as error:
        raise click.UsageError(f"{name} = {value!r}: {error}") from None
    table, _, key = name.partition(".")
    path = write_setting(session.home, table, key, json.dumps(parsed, ensure_ascii=False))
    session.answer("config_set/1", {"name": name, "file": str(path)}, f"{name} is set in {path}.")
