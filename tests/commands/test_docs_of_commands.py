"""docs/CLI.md says what the commands are: it fails when it lags."""

import re
from pathlib import Path

import click
import pytest

from cli import exits
from cli.main import SECTIONS, root

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "CLI.md").read_text()
TOP = [name for commands in SECTIONS.values() for name in commands]


def leaves(name: str) -> list[str]:
    """Full names of the commands under one of the root."""
    context = click.Context(root)
    command = root.get_command(context, name)
    if not isinstance(command, click.Group) or name == "tx":
        return [name]
    return [f"{name} {verb}" for verb in command.list_commands(context)]


@pytest.mark.parametrize("name", TOP)
def test_every_command_stands_in_the_page(name: str) -> None:
    for full in leaves(name):
        assert f"`wattest {full}" in PAGE, full


def test_exit_codes_of_the_page_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == exits.EXITS


def test_the_page_names_no_command_that_is_gone() -> None:
    named = {match.split()[0] for match in re.findall(r"`wattest ([a-z][a-z ]*)", PAGE)}
    assert named <= set(TOP)
