"""Documentation that can rot fails here instead."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tidy.sources import ROOT, name_of, package_files, texts

from tools import reference

MARKDOWN = [path for path in texts() if path.suffix == ".md"]
NOT_YET = "not yet"  # a line that says so may name a command that does not exist


@pytest.mark.parametrize("page", ["CODES.md", "REFERENCE.md"])
def test_generated_page_is_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs" / page).read_text()
    assert written == reference.pages()[page], f"docs/{page} lags behind the code: run `make docs`"


def test_refusal_codes_are_stable_words_and_unique() -> None:
    codes = [code for _, code, _, _ in reference.refusals()]
    assert len(codes) > 30
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"`[a-z][a-z_]{2,30}`", code) for code in codes)


DISCOVERED = {
    "cli/main.py": reference.commands,
    "node/api/routes.py": reference.endpoints,
    "contracts/events.py": reference.events,
    "node/metrics.py": reference.metrics,
    "node/config.py": reference.settings,
}


@pytest.mark.parametrize("source", [name for name in DISCOVERED if (ROOT / name).exists()])
def test_what_the_code_offers_is_discovered(source: str) -> None:
    """A file that offers something, of which nothing is found, means that the discovery went blind."""
    rows = DISCOVERED[source]()
    assert rows, f"tools/reference.py finds nothing in {source}"
    silent = [row[0] for row in rows if not row[1]]
    assert not silent, f"nothing is said about {silent}"


def test_exit_codes_of_the_code_are_in_the_table() -> None:
    known = {row[0] for row in reference.EXIT_CODES}
    strange = {(name, code) for name, code in _exit_codes() if code not in known}
    assert not strange, f"not in EXIT_CODES of tools/reference.py: {strange}"


@pytest.mark.skipif(not (ROOT / "cli" / "exits.py").exists(), reason="the command does not exist yet")
def test_help_of_the_command_lists_the_same_exit_codes() -> None:
    assert set(importlib.import_module("cli.exits").EXITS) == {row[0] for row in reference.EXIT_CODES}


def _exit_codes() -> Iterator[tuple[str, int]]:
    """(file, number) of sys.exit(N), os._exit(N), SystemExit(N) and context.exit(N) in cli and node."""
    for path in package_files():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ("cli", "node"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.args:
                    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    value = node.args[0]
                    if called in ("exit", "_exit", "SystemExit") and isinstance(value, ast.Constant):
                        yield name_of(path), value.value


def test_links_lead_somewhere() -> None:
    link = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
    targets = [(path, target) for path in MARKDOWN for target in link.findall(path.read_text())]
    broken = [f"{name_of(path)} -> {to}" for path, to in targets if "://" not in to and not (path.parent / to).exists()]
    assert not broken, broken


def test_source_files_that_docs_name_exist() -> None:
    """A path in backticks that begins with one of our folders leads to a file; a changelog may name what is gone."""
    path_of = re.compile(r"`((?:state|contracts|consensus|verifier|node|cli|tui|tests|bench|tools)/[\w/.-]+\.\w+)`")
    pages = [page for page in MARKDOWN if page.name != "CHANGELOG.md"]
    named = [(page, name) for page in pages for name in path_of.findall(page.read_text())]
    assert named
    gone = [f"{name_of(page)} -> {name}" for page, name in named if not (ROOT / name).exists()]
    assert not gone, gone


def test_make_targets_that_docs_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (name_of(path), target)
        for path in MARKDOWN
        for target in re.findall(r"(?:`|^)(?:[A-Z_]+=\S+ )*make ([a-z]+)", path.read_text(), re.MULTILINE)
    }
    assert named
    assert not {name for name in named if name[1] not in targets}


@pytest.mark.skipif(not (ROOT / "cli" / "main.py").exists(), reason="the command does not exist yet")
def test_commands_that_docs_name_exist() -> None:
    """`wattest noun verb` in text or at the start of a line of a code block; a line that says "not yet" may dream."""
    words = [row[0].strip("`").split()[1:] for row in reference.commands()]
    paths = {tuple(word for word in path if re.fullmatch("[a-z][a-z-]*", word)) for path in words}
    known = {path[:length] for path in paths for length in range(len(path) + 1)}
    spoken = re.compile(r"(?:`|^\s*(?:\$ )?)(?:\.venv/bin/)?wattest ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?(?![\w./-])")
    strange = []
    for path in MARKDOWN:
        for line in path.read_text().splitlines():
            for noun, verb in spoken.findall("" if NOT_YET in line else line):
                if (noun,) not in known or (verb and (noun,) not in paths and (noun, verb) not in known):
                    strange.append(f"{name_of(path)}: wattest {noun} {verb}")
    assert not strange, "\n".join(strange)


def test_every_field_of_the_genesis_is_documented() -> None:
    page = (ROOT / "docs" / "GENESIS.md").read_text()
    fields = set(_keys(json.loads((ROOT / "genesis.json").read_text())))
    missing = sorted(field for field in fields if f"`{field}`" not in page)
    assert not missing, f"docs/GENESIS.md does not name {missing}"


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def test_decision_records_are_numbered_without_gaps_and_complete() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:4] for path in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for path in records:
        headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
        assert headings[:3] == ["Context", "Decision", "Consequences"], path.name


def test_changelog_has_what_is_unreleased_on_top() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
