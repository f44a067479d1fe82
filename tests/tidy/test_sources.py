"""How the sources look: sizes, names, imports, and nothing that belongs to one machine."""

import ast
import re
from pathlib import Path

from tidy.sources import PACKAGES, ROOT, name_of, package_files, python_files, texts

MAX_LINES = 600
GENERATED = re.compile(r"^requirements/.*\.(lock|txt)$|^LICENSE$|^docs/(CODES|REFERENCE)\.md$")
BAGS = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common"}


def test_no_file_is_longer_than_600_lines() -> None:
    by_hand = [path for path in texts() if not GENERATED.match(name_of(path)) and path.suffix != ".json"]
    long = {name_of(path): lines for path in by_hand if (lines := path.read_text().count("\n")) > MAX_LINES}
    assert not long, f"split by subject: {long}"


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    machine = re.compile(r"(?<![\w.~])/(?:work|root|home/\w+|Users/\w+|opt/pypi)/")
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:80]}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if machine.search(line) and path != Path(__file__)
    ]
    assert not found, "\n".join(found)


def test_no_folder_under_tests_is_named_like_a_package() -> None:
    folders = {path.name for path in (ROOT / "tests").rglob("*") if path.is_dir()}
    assert not folders & {*PACKAGES, "bench", "tools"}, "it would shadow the package for whoever imports it from a test"


def test_packages_are_never_imported_bare() -> None:
    """`import state` would take the natural name of a local variable: `from state.overlay import Overlay` instead."""
    bare = [
        f"{name_of(path)}:{node.lineno}: import {alias.name}"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] in PACKAGES and not alias.asname
    ]
    assert not bare, bare


def test_every_module_says_what_it_is() -> None:
    sources = [path for path in package_files() if path.suffix == ".py"]
    silent = [name_of(path) for path in sources if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent, f"no docstring: {silent}"


def test_package_files_hold_a_docstring_and_no_code() -> None:
    """An `__init__.py` that imports would load half the project for `wattest --help`."""
    inits = [path for path in package_files() if path.name == "__init__.py"]
    assert inits
    for path in inits:
        assert len(ast.parse(path.read_text()).body) <= 1, name_of(path)


def test_no_file_is_a_bag() -> None:
    bags = [name_of(path) for path in python_files() if BAGS & {path.stem, *path.stem.split("_")}]
    assert not bags, f"name the noun that is missing: {bags}"


def test_no_work_is_left_marked_in_the_sources() -> None:
    mark = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [name_of(path) for path in python_files() if path != Path(__file__) and mark.search(path.read_text())]
    assert not found, found


def test_screens_use_the_client_side_of_the_node_only() -> None:
    """A dashboard is a guest at the public API: it may hold a wallet or a meter, never a piece of a running node."""
    allowed = {
        "node.keystore",
        "node.wallet",
        "node.client",
        "node.claims",
        "node.answers",
        "node.failures",
        "node.homemeter",
        "node.openings",
        "node.recordfile",
        "node.revealing",
        "node.texts",
    }
    screens = [path for path in package_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] == "tui"]
    imports = {
        (name_of(path), node.module)
        for path in screens
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "node"
    }
    assert screens
    assert not {found for found in imports if found[1] not in allowed}
