"""The root of the commands: loading, help, global options, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli import exits
from cli.main import SECTIONS, root
from state import errors
from state.errors import Refusal

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("aiohttp", "numpy", "textual", "nacl", "plyvel", "structlog", "prometheus_client", "segno", "asyncio")
WALLET_FREE = ("aiohttp", "numpy", "textual", "plyvel", "structlog", "prometheus_client", "asyncio")


def loaded_after(*arguments: str, home: Path) -> tuple[set[str], str]:
    """Modules that a command line leaves loaded in a fresh process, and its stdout."""
    program = (
        "import sys\nfrom cli.main import run\n"
        f"code = run({list(arguments)!r})\n"
        "print('\\n' + ' '.join(sys.modules))\nsys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WATTEST_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, cwd=home)
    assert done.returncode == 0, done.stderr
    shown, _, modules = done.stdout.rstrip("\n").rpartition("\n")
    return set(modules.split()), shown


@pytest.mark.parametrize("arguments", [("--help",), ("completion", "bash"), ("keys", "--help"), ("transfer", "--help")])
def test_help_and_completion_load_nothing_heavy(arguments: tuple[str, ...], tmp_path: Path) -> None:
    modules, shown = loaded_after(*arguments, home=tmp_path)
    assert modules.isdisjoint(HEAVY), modules.intersection(HEAVY)
    assert "wattest" in shown


def test_offline_wallet_loads_no_network_stack(tmp_path: Path) -> None:
    modules, _ = loaded_after("keys", "add", "trader", "--keyring", "test", home=tmp_path)
    assert modules.isdisjoint(WALLET_FREE), modules.intersection(WALLET_FREE)
    assert "nacl" in modules


def test_every_exit_code_stands_in_help(wattest) -> None:  # type: ignore[no-untyped-def]
    shown = wattest("--help").out
    for code, meaning in exits.EXITS.items():
        assert f"{code:>3}  {meaning}" in shown


def test_every_command_stands_in_help_with_its_own_line(wattest) -> None:  # type: ignore[no-untyped-def]
    shown = wattest("--help").out
    for commands in SECTIONS.values():
        for name, (_, line) in commands.items():
            assert name in shown
            assert line.split()[0] in shown


@pytest.mark.parametrize("name", sorted({name for commands in SECTIONS.values() for name in commands}))
def test_every_command_loads_and_explains_itself(name: str, wattest) -> None:  # type: ignore[no-untyped-def]
    ran = wattest(name, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: wattest {name}")


def test_answers_go_to_stdout_and_errors_to_stderr(wattest) -> None:  # type: ignore[no-untyped-def]
    assert wattest("config", "show").err == ""
    ran = wattest("trasfer")
    assert (ran.code, ran.out) == (exits.USAGE, "")
    assert "Did you mean 'transfer'?" in ran.err


def test_global_options_stand_before_or_after(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    homes = [
        wattest("--home", tmp_path, "--json", "config", "show").json["settings"]["home"],
        wattest("config", "--home", tmp_path, "show", "--json").json["settings"]["home"],
        wattest("--home", "/elsewhere", "config", "show", "--json", "--home", tmp_path).json["settings"]["home"],
    ]
    assert homes == [{"value": str(tmp_path), "origin": "flag --home"}] * 3


def test_error_is_json_where_json_was_asked_for(wattest) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("--json", "keys", "show", "nobody")
    error = json.loads(ran.err)
    assert (error["schema"], error["code"], error["exit"], ran.code) == ("error/1", "keystore", exits.KEY, exits.KEY)


# --- one test for each exit code


def test_exit_0_when_done(wattest) -> None:  # type: ignore[no-untyped-def]
    assert wattest("keys", "list").code == exits.DONE == 0


def test_exit_1_when_the_ledger_refuses(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("transfer", "--quantity", 1_000, "--to", "trader", "--from", "owner")
    assert ran.code == exits.REFUSED == 1
    assert "ranges_differ" in ran.err


@pytest.mark.parametrize(
    "line", ["transfer", "--nope", "keys add", "tx send /nowhere", "node start", "deposit 1,5 --to 1"]
)
def test_exit_2_for_wrong_usage(line: str, wattest) -> None:  # type: ignore[no-untyped-def]
    assert wattest(*line.split()).code == exits.USAGE == 2


def test_exit_3_when_no_node_answers(wattest) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("status", "--node", "http://127.0.0.1:1")
    assert ran.code == exits.UNREACHABLE == 3
    assert "No node answers" in ran.err


def test_exit_4_for_a_wrong_passphrase(wattest, tmp_path: Path, private) -> None:  # type: ignore[no-untyped-def]
    assert wattest("keys", "add", "trader", "--passphrase-file", private("right")).code == 0
    ran = wattest("keys", "passwd", "trader", "--passphrase-file", private("wrong"))
    assert ran.code == exits.KEY == 4
    assert "passphrase" in ran.err


def test_exit_5_when_finality_does_not_come(act, node) -> None:  # type: ignore[no-untyped-def]
    node.finalises = False
    ran = act("transfer", "--quantity", 1, "--to", "trader", "--from", "owner", "--timeout", 1)
    assert ran.code == exits.TIMED_OUT == 5
    assert "tx show" not in ran.out


def test_exit_6_when_a_profile_differs(act, node, governance) -> None:  # type: ignore[no-untyped-def]
    act(
        "proposal",
        "profile",
        "--device",
        1,
        "--window-from",
        "2014-01-01",
        "--window-to",
        "2014-04-01",
        "--from",
        "owner",
    )
    node.profile_hash = "00" * 32
    ran = act("proposal", "approve", 5, "--from", governance)
    assert ran.code == exits.FAILED_VERIFICATION == 6
    assert "this node computes" in ran.err


def test_exit_130_when_interrupted(wattest, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.session.Session.answer", interrupt)
    assert wattest("keys", "list").code == exits.INTERRUPTED == 130


def test_every_refusal_of_the_ledger_is_exit_1() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Refusal)]
    assert len(kinds) > 20
    kinds.remove(errors.GenesisInvalid)  # a file of the user's own
    assert {exits.exit_code(kind.__new__(kind)) for kind in kinds} == {exits.REFUSED}


def test_version_is_told_without_loading_commands() -> None:
    context = click.Context(root)
    assert any(isinstance(option, click.Option) and "--version" in option.opts for option in root.get_params(context))
