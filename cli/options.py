"""Command classes: global options that may stand before or after the noun, and subcommands loaded when they are named.

`wattest --help` imports click and this; what a command needs is imported when it runs.
"""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar

import click

FLAGS = "wattest.flags"  # key in `Context.meta`, which all contexts of one command line share

F = TypeVar("F", bound=Callable[..., Any])


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value not in (None, False):
        context.meta.setdefault(FLAGS, {})[parameter.name] = value


def _global(*names: str, **settings: Any) -> click.Option:
    return click.Option(names, expose_value=False, allow_from_autoenv=False, callback=_remember, **settings)


def _global_options(hidden: bool) -> list[click.Parameter]:
    flag = {"is_flag": True, "hidden": hidden}
    return [
        _global(
            "--home", metavar="DIR", hidden=hidden, help="Home with config.toml and keys. [WATTEST_HOME, ~/.wattest]"
        ),
        _global("--node", metavar="URL", hidden=hidden, help="API of the node to talk to. [WATTEST_NODE]"),
        _global("--chain-id", metavar="HEX", hidden=hidden, help="Id of the network to act on. [WATTEST_CHAIN_ID]"),
        _global("--json", **flag, help="Answer with one JSON object on stdout. [WATTEST_JSON]"),
        _global("--yes", "-y", **flag, help="Do not ask before value moves. [WATTEST_YES]"),
        _global("--quiet", "-q", **flag, help="No talk on stderr. [WATTEST_QUIET]"),
        _global("--no-color", **flag, help="No colours. [WATTEST_NO_COLOR, NO_COLOR]"),
    ]


GLOBAL_NAMES = ("home", "node", "chain_id", "json", "yes", "quiet", "no_color")


class Command(click.Command):
    """A leaf command; it accepts the global options too."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return _with_globals(super().get_params(ctx), hidden=True)


class Group(click.Group):
    """A noun with its verbs; a mistyped verb is answered with the nearest one."""

    command_class = Command
    hide_globals = True

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return _with_globals(super().get_params(ctx), hidden=self.hide_globals)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            near = get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


class DefaultGroup(Group):
    """A noun that is a command of its own too: without a verb `default` is meant."""

    default = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own_help = args[:1] in (["--help"], ["-h"])
        if not own_help and (not args or args[0] not in self.commands):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


class LazyGroup(Group):
    """A group whose commands are named by `sections`: heading -> {name: (module:attribute, one line of help)}."""

    sections: dict[str, dict[str, tuple[str, str]]]

    def __init__(self, *args: Any, sections: dict[str, dict[str, tuple[str, str]]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.sections = sections

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in self.sections.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for commands in self.sections.values():
            if cmd_name in commands:
                module, attribute = commands[cmd_name][0].split(":")
                command = getattr(import_module(module), attribute)
                assert isinstance(command, click.Command)
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and lines come from the table: help must not import every command."""
        for heading, commands in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])


def _with_globals(own: list[click.Parameter], hidden: bool) -> list[click.Parameter]:
    taken = {option for parameter in own for option in parameter.opts}
    return own + [option for option in _global_options(hidden) if not taken.intersection(option.opts)]


# --- options that several commands share


def unlocking(command: F) -> F:
    """Where the passphrase of a key comes from."""
    for option in (
        click.option("--passphrase-fd", type=int, metavar="N", help="Read the passphrase from this open file."),
        click.option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file of mode 0600."),
    ):
        command = option(command)
    return command


def signing(command: F) -> F:
    """Which key signs, and where its passphrase comes from."""
    key = click.option("--from", "key_name", metavar="KEY", help="Name of the key that signs. [WATTEST_FROM]")
    return key(unlocking(command))


def sending(command: F) -> F:
    """Options of every command that puts a transaction on the ledger."""
    for option in (
        click.option("--timeout", "timeout_s", default=60, show_default=True, metavar="S", help="Seconds to wait."),
        click.option("--no-wait", is_flag=True, help="Return the id at once instead of waiting for finality."),
    ):
        command = option(command)
    return signing(command)
