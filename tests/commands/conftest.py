"""A world behind a real API, a home with keys of its people, and a way to run command lines against both."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of

from cli.main import run
from node.keystore import CHEAP

PEOPLE = ("owner", "trader", "bank", "exchange")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WATTEST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WATTEST_HOME", str(tmp_path / "unset-home"))


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


Wattest = Callable[..., Ran]


@pytest.fixture
def wattest(capsys: pytest.CaptureFixture[str]) -> Wattest:
    """Run one command line in this process; exit code, stdout and stderr."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


@pytest.fixture
def node() -> Iterator[AnsweringNode]:
    answering = AnsweringNode(market_town()).start()
    yield answering
    answering.stop()


@pytest.fixture
def wallets(node: AnsweringNode, tmp_path: Path) -> Path:
    home = wallet_of(tmp_path / "wallets", node.chain, *PEOPLE)
    (home / "config.toml").write_text(
        f'[client]\nnode = "{node.url}"\nchain_id = "{node.chain.chain.hex()}"\nkeyring = "test"\n'
    )
    return home


@pytest.fixture
def act(wattest: Wattest, wallets: Path) -> Wattest:
    """Run a command in the home of the people, who say yes."""

    def call(*arguments: object) -> Ran:
        return wattest("--home", wallets, "--yes", *arguments)

    return call


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write a secret to a file of mode 0600; keys sealed with it are sealed cheaply."""
    monkeypatch.setattr("node.keystore.MODERATE", CHEAP)

    def write(text: str) -> Path:
        path = tmp_path / f"secret-{len(list(tmp_path.iterdir()))}"
        path.touch(mode=0o600)
        path.write_text(text + "\n")
        return path

    return write


@pytest.fixture
def governance(node: AnsweringNode, wallets: Path) -> str:
    """Name of the key of a validator's organisation, put beside the people's."""
    wallet_of(wallets, node.chain, "Organisation 0", purpose="governance")
    return "Organisation-0"
