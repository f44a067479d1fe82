"""Whatever is typed, a command ends with a code of the table and a sentence: never with a traceback."""

import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from cli import exits
from cli.main import root

# Commands that stay, or that would change this machine: what they refuse is tested by name below.
STAYING = {"demo", "dashboard", "gateway", "testnet start", "testnet init", "node start", "config set"}
VOTES = {"node begin-votes", "node export-votes", "node import-votes"}
WORDS = [
    "", "x", "-1", "0", "1", "999999999999", "1e9", "NaN", "é", "\u202e", "a" * 300, "../../etc/passwd", "/nonexistent",
    "/tmp", "WAT-FR-0000001-201404-000000002-53", "WAT-FR-0000001-201404-000000001/000000000003-40", "2014-04-02",
    "0" * 64, "f" * 32, "trader", "owner", "1-3", "{}", "[", "%s{x}", "'; drop", "2014-13-45", "18446744073709551616",
    "0.0000001", "12.5", "EUR", "🙂",
]  # fmt: skip
ROUNDS = 2


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, (*path, name))
    elif " ".join(path) not in STAYING | VOTES:
        yield " ".join(path), command


COMMANDS = dict(leaves(root))


def nonsense(chance: random.Random, name: str, command: click.Command) -> list[str]:
    line = name.split()
    for parameter in command.get_params(click.Context(command)):
        if isinstance(parameter, click.Argument):
            line += [chance.choice(WORDS) for _ in range(chance.choice((0, 1, 1, 1, 2)))]
        elif parameter.name not in ("help", "home", "node", "chain_id") and chance.random() < (
            0.9 if parameter.required else 0.35
        ):
            line.append(chance.choice(parameter.opts))
            if not getattr(parameter, "is_flag", False):
                known = list(getattr(parameter.type, "choices", ())) or WORDS
                line.append(chance.choice(known if chance.random() < 0.8 else WORDS))
    return line


class NoTerminal(io.StringIO):
    buffer = io.BytesIO(b"junk")


@pytest.mark.parametrize("seed", range(2))
def test_no_command_line_ends_in_a_traceback(act, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int) -> None:  # type: ignore[no-untyped-def]
    print(f"seed {seed}")
    monkeypatch.chdir(tmp_path)  # some of the words are names of files to write
    chance = random.Random(seed)
    monkeypatch.setattr("sys.stdin", NoTerminal("junk"))
    for name, command in COMMANDS.items():
        misspelt = [*name.split()[:-1], name.split()[-1][:-1] + "z"]
        for line in [nonsense(chance, name, command) for _ in range(ROUNDS)] + [misspelt]:
            ran = act(*line)
            assert ran.code in exits.EXITS, line
            assert (ran.code == exits.DONE) == (ran.err.strip() == "" or bool(ran.out.strip())), (line, ran)


def junk(text: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(text)
        return path

    return write


@pytest.mark.parametrize("url", ["http://[", "ftp://x", "http://127.0.0.1:99999", f"http://{'a' * 80}", "http://a b/"])
def test_refuses_an_address_that_is_none(wattest, url: str) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("--node", url, "status")
    assert ran.code == exits.UNREACHABLE
    assert "node_unreachable" in ran.err


@pytest.mark.parametrize("content", [b"junk", b"[]", b'{"a": 1, "a": 1}', b'{"a": 1.5}', b"\xff\xfe", b"{}"])
def test_refuses_to_make_a_network_from_what_is_no_genesis(wattest, tmp_path: Path, content: bytes) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "genesis.json").write_bytes(content)
    ran = wattest("testnet", "init", tmp_path / "net", "--genesis", tmp_path / "genesis.json")
    assert ran.code == exits.USAGE
    assert "genesis" in ran.err
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"[]", b"{}", b'{"nodes": 1}', b'{"nodes": []}', b'{"nodes": [{"home": "node0"}]}']
)
def test_refuses_to_start_what_is_no_network(wattest, tmp_path: Path, content: bytes) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "testnet.json").write_bytes(content)
    ran = wattest("testnet", "start", tmp_path)
    assert ran.code == exits.USAGE
    assert "holds no network" in ran.err


def test_refuses_to_start_a_network_whose_home_is_gone(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    nodes = [{"index": 0, "name": "Validator 0", "home": "node0", "api": "http://127.0.0.1:1"}]
    (tmp_path / "testnet.json").write_text(json.dumps({"nodes": nodes}))
    ran = wattest("testnet", "start", tmp_path)
    assert ran.code == exits.USAGE
    assert "node0" in ran.err


@pytest.mark.parametrize("content", [b"client = 3\n", b"x = [", b"\xff\xfe", b"[client]\nnode = 3\n", b"[[client]]\n"])
def test_refuses_settings_that_are_none(wattest, tmp_path: Path, content: bytes) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.toml").write_bytes(content)
    ran = wattest("--home", tmp_path, "status")
    assert ran.code == exits.USAGE
    assert "config.toml" in ran.err


@pytest.mark.parametrize(
    "line", ["config set client.node http://x", "init", "keys add a --keyring test", "testnet init {}/net"]
)
def test_refuses_a_home_where_nothing_can_be_written(wattest, tmp_path: Path, line: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "file"
    file.touch()
    ran = wattest("--home", file / "home", *line.format(file).split())
    assert ran.code in (exits.USAGE, exits.KEY)
    assert str(file) in ran.err


@pytest.mark.parametrize("line", ["node begin-votes", "node export-votes votes", "node import-votes /etc/passwd"])
def test_refuses_to_handle_votes_where_no_node_is(wattest, tmp_path: Path, line: str) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("--home", tmp_path, "--yes", *line.split())
    assert ran.code == exits.USAGE
    assert "genesis.json" in ran.err
