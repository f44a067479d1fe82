"""What is installed: the locks, the genesis and the wheel."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from tidy.sources import PACKAGES, ROOT, name_of, package_files

from contracts.genesis import parse_genesis
from state.crypto import public_key

LOCKS = ("run.lock", "dev.lock", "uv.txt")
MOST_DIRECT = 20  # first-minute budget: heavy ones are extras


@cache
def pyproject() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def test_every_locked_package_is_pinned_and_hashed() -> None:
    for name in LOCKS:
        text = (ROOT / "requirements" / name).read_text()
        for entry in re.split(r"\n(?=\S)", text.strip()):
            if not entry.startswith("#"):
                assert re.match(r"[a-z0-9-]+==\S+ \\\n\s+--hash=sha256:[0-9a-f]{64}", entry), entry[:80]


def test_no_lock_names_an_index() -> None:
    """Any mirror may serve the packages; the hashes say which bytes they must be."""
    for name in LOCKS:
        text = (ROOT / "requirements" / name).read_text()
        assert not re.search(r"https?:|file:|--(extra-)?index|--find-links", text), name


def test_development_lock_holds_the_running_lock() -> None:
    """Tests must see the very versions that a node runs with."""
    assert locked("run.lock").items() <= locked("dev.lock").items()


def test_what_builds_the_project_is_locked_with_it() -> None:
    """The editable installation runs without build isolation, so the builder comes from the lock."""
    lines = (ROOT / "requirements" / "build.in").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == pyproject()["build-system"]["requires"]


def test_direct_dependencies_are_locked_and_few() -> None:
    direct = [re.match(r"[A-Za-z0-9-]+", line).group().lower() for line in pyproject()["project"]["dependencies"]]  # type: ignore[union-attr]
    assert len(direct) <= MOST_DIRECT
    assert set(direct) <= set(locked("run.lock"))


def test_genesis_holds_objects_arrays_strings_integers_and_booleans_only() -> None:
    def no_float(text: str) -> float:
        raise AssertionError(f"{text} is a float")

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(pairs) == len(dict(pairs)), [key for key, _ in pairs]
        assert all(value is not None for _, value in pairs)
        return dict(pairs)

    text = (ROOT / "genesis.json").read_text()
    genesis = json.loads(text, parse_float=no_float, object_pairs_hook=no_duplicates)
    assert text.isascii()
    assert genesis["validators"] == [], (
        "the reference genesis names no validators: `wattest testnet init` fills them in"
    )


def test_reference_genesis_starts_a_network_once_validators_are_filled_in() -> None:
    genesis = json.loads((ROOT / "genesis.json").read_text())
    keys = [public_key(bytes([number]) * 32).hex() for number in range(1, 5)]
    fields = ("vote_key", "node_key", "escrow_key", "governance_key")
    alone = {"name": "Grid operator", "country": "FR", "address": "127.0.0.1:27656"}
    genesis["validators"] = [alone | dict(zip(fields, keys, strict=True))]
    assert parse_genesis(json.dumps(genesis).encode()).parameters.registry_code == "WAT"


def test_every_energy_code_of_the_genesis_has_a_pair() -> None:
    codes = json.loads((ROOT / "genesis.json").read_text())["energy_codes"]
    technologies = [entry["code"] for entry in codes["technologies"]]
    fuels = [entry["code"] for entry in codes["fuels"]]
    for pair in codes["pairs"]:
        assert any(code.startswith(pair["technology"]) for code in technologies), pair
    for technology in technologies:
        prefixes = next(p["fuels"] for p in codes["pairs"] if technology.startswith(p["technology"]))
        assert any(fuel.startswith(tuple(prefixes)) for fuel in fuels), technology


def test_wheel_holds_the_packages_and_the_genesis_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    assert {name_of(path) for path in package_files()} <= names
    assert any(name.endswith("share/wattest/genesis.json") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.startswith("wattest-")} <= set(PACKAGES)
