"""Our own vectors are what the code makes, and what a reader of docs/PROTOCOL.md alone would make of them."""

import ast
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reader = loaded(HERE / "second_reader.py")


def test_vectors_on_disk_are_those_that_the_code_makes() -> None:
    made = loaded(ROOT / "tools" / "vectors.py").files()
    kept = {path.name: path.read_text() for path in (HERE / "protocol").glob("*.json")}
    assert made.keys() == kept.keys()
    for name, text in made.items():
        assert kept[name] == text, f"{name} differs: `make vectors` writes it; is the change meant to be one of format?"


def test_the_protocol_page_shows_the_layouts_of_the_code() -> None:
    layouts = loaded(ROOT / "tools" / "layouts.py")
    page = (ROOT / "docs" / "PROTOCOL.md").read_text()
    assert layouts.BEGIN + layouts.layouts() + layouts.END in page, "run `make docs`"


def test_a_second_reader_finds_them_right() -> None:
    compared = reader.check(HERE / "protocol")
    print(compared)
    assert sum(compared.values()) > 400


def test_the_second_reader_imports_nothing_of_ours() -> None:
    tree = ast.parse((HERE / "second_reader.py").read_text())
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    foreign = {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert foreign == {"msgpack", "nacl", "blake3"}


@pytest.mark.parametrize("name", sorted(reader.CHECKS))
def test_the_second_reader_sees_every_changed_digit(name: str, tmp_path: Path) -> None:
    """One digit of each byte string in turn, up to some forty places a file."""
    directory = tmp_path / "protocol"
    shutil.copytree(HERE / "protocol", directory)
    path = directory / f"{name}.json"
    value = json.loads(path.read_text())
    places = [place for place in texts(value) if not place[-1].startswith("seed")]
    for place in places[:: max(1, len(places) // 40)]:
        spoilt = json.loads(json.dumps(value))
        flip(spoilt, place)
        with pytest.raises((reader.Differs, KeyError)):
            reader.CHECKS[name](reader.Reader(name), spoilt)


def texts(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where byte strings stand that the protocol speaks of."""
    if isinstance(value, str):
        return [tuple(map(str, place))] if value.startswith("0x") and len(value) > 2 else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in texts(item, (*place, key))]


def flip(value: Any, place: tuple[str, ...]) -> None:
    for key in place[:-1]:
        value = value[int(key) if isinstance(value, list) else key]
    last: Any = int(place[-1]) if isinstance(value, list) else place[-1]
    text = value[last]
    value[last] = text[:-1] + ("0" if text[-1] != "0" else "1")
