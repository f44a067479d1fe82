"""The verifier is one file that anybody can copy: what it imports, and how it answers as a command."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
from harness.finalized import lively_world
from harness.world import genesis_json

from cli.main import run as wattest
from node.proof import build_proof

VERIFIER = Path(__file__).resolve().parents[2] / "cli" / "verify_statement.py"


def test_imports_nothing_of_ours() -> None:
    tree = ast.parse(VERIFIER.read_text())
    modules = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert modules - set(sys.stdlib_module_names) == {"msgpack", "nacl"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the verifier, a proof and the genesis; nothing of the project."""
    folder = tmp_path_factory.mktemp("alone")
    world = lively_world()
    statement = next(iter(world.store.scan(b"\x20", b"\x21")))[0][1:]
    shutil.copy(VERIFIER, folder)
    (folder / "statement.proof").write_bytes(build_proof(world.store, statement))
    (folder / "genesis.json").write_bytes(genesis_json())
    (folder / "other.json").write_bytes(genesis_json(idle_interval_ms=12_345))
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "verify_statement.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30, check=False)


def test_copied_file_verifies_in_words(folder: Path) -> None:
    words = run(folder, "statement.proof", "--genesis", "genesis.json")
    assert (words.returncode, words.stderr) == (0, "")
    assert words.stdout.startswith("VERIFIED")
    assert "Bakery Dupont" in words.stdout
    for step in (
        "your genesis is that of chain",
        "made final by 3 of 4 validators",
        "signed by 3 of 4 validators",
        "every fact is what",
    ):
        assert step in words.stdout, "it explains what it proved, step by step"


def test_refused_proof_is_exit_code_6_and_says_why(folder: Path) -> None:
    refused = run(folder, "statement.proof", "--genesis", "other.json")
    assert refused.returncode == 6
    assert "NOT VERIFIED: the file is of chain" in refused.stderr
    assert refused.stdout == ""


def test_missing_file_is_exit_code_2(folder: Path) -> None:
    assert run(folder, "nowhere.proof", "--genesis", "genesis.json").returncode == 2
    assert run(folder, "statement.proof").returncode == 2
    assert run(folder).returncode == 2


SPOOF = "9\x1b[2K\rVERIFIED  statement of everything\n\u202e\x9b2J"


def test_what_a_file_says_cannot_steer_the_screen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A forged file must not paint VERIFIED over its refusal: neither alone nor in the command of ours."""
    proof = msgpack.unpackb((folder / "statement.proof").read_bytes())
    for place in ((4, 3, 0, 2), (3, 3), (3, 4), (0,)):  # a height, the holder, its name, what the file is
        forged = [*proof]
        inside = forged
        for step in place[:-1]:
            inside[step] = [*inside[step]]
            inside = inside[step]
        inside[place[-1]] = SPOOF
        (folder / "forged.proof").write_bytes(msgpack.packb(forged))
        alone = run(folder, "forged.proof", "--genesis", "genesis.json")
        asked = ["statement", "verify", f"{folder}/forged.proof", "--genesis", f"{folder}/genesis.json"]
        assert (alone.returncode, wattest(asked), alone.stdout) == (6, 6, "")
        for told in (alone.stderr, capsys.readouterr().err):
            assert told.removesuffix("\n").isprintable(), repr(told)


def test_why_a_file_is_refused_is_one_sentence(folder: Path) -> None:
    """It must not recite the file, whatever the library that met the mistake likes to quote."""
    proof = (folder / "statement.proof").read_bytes()
    for spoilt in (proof + b"\x00", proof[:-1], b"", b"\x93" + proof):
        (folder / "spoilt.proof").write_bytes(spoilt)
        refused = run(folder, "spoilt.proof", "--genesis", "genesis.json")
        assert refused.returncode == 6
        assert len(refused.stderr) < 200, refused.stderr
    assert run(folder, "statement.proof", "--genesis", "statement.proof").returncode == 6
