"""Documentation that can rot fails here instead."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
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
    assert all(re.fullmatch(r"[a-z][a-z_]{2,30}", code) for code in codes)


DISCOVERED = {
    "cli/main.py": reference.commands,
    "node/api.py": reference.endpoints,
    "contracts/events.py": reference.events,
    "node/metrics.py": reference.metrics,
    "node/config.py": reference.settings,
}


@pytest.mark.parametrize("source", [name for name in DISCOVERED if (ROOT / name).exists()])
def test_what_the_code_offers_is_discovered(source: str) -> None:
    """A file that offers something, of which nothing is found, means that the discovery went blind."""
    rows = DISCOVERED[source]()
    assert rows, f"tools/reference.py finds nothing in {source}"
    silent = [row[0] for row in rows if source in ("cli/main.py", "contracts/events.py") and not row[1] and not row[-1]]
    assert not silent, f"no help text: {silent}"


def test_exit_codes_of_the_code_are_in_the_table() -> None:
    known = {row[0] for row in reference.EXIT_CODES}
    strange = {(name, code) for name, code in _exit_codes() if code not in known}
    assert not strange, f"not in EXIT_CODES of tools/reference.py: {strange}"


def _exit_codes() -> Iterator[tuple[str, int]]:
    """(file, number) of sys.exit(N), SystemExit(N), ctx.exit(N), `exit_code = N`, and members of *Exit* classes."""
    for path in package_files():
        if path.suffix != ".py" or path.relative_to(ROOT).parts[0] not in ("cli", "node"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            values: list[ast.expr | None] = []
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
                "exit",
                "_exit",
                "SystemExit",
            ):
                values = list(node.args[:1])
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any("exit" in getattr(target, "id", getattr(target, "attr", "")).lower() for target in targets):
                    values = [node.value]
            elif isinstance(node, ast.ClassDef) and "Exit" in node.name:
                values = [line.value for line in node.body if isinstance(line, ast.Assign)]
            for value in values:
                if isinstance(value, ast.Constant) and type(value.value) is int:
                    yield name_of(path), value.value


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{name_of(path)} links to {target}"


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_make_targets_that_docs_name_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z]+)", path.read_text()))
    assert named <= targets, named - targets


@pytest.mark.skipif(not (ROOT / "cli" / "main.py").exists(), reason="the command does not exist yet")
@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_commands_that_docs_name_exist(path: Path) -> None:
    known = {tuple(row[0].strip("`").split()[1:]) for row in reference.commands()}
    known = {tuple(word for word in path if word.islower()) for path in known}
    prefixes = {words[:length] for words in known for length in range(len(words) + 1)}
    for line in path.read_text().splitlines():
        if NOT_YET in line:
            continue
        for text in re.findall(r"(?:`|^\s*\$ |^\s*)(?:\.venv/bin/)?wattest((?: [a-z][a-z|-]*)+)", line):
            first, *rest = text.split()
            for verb in rest[0].split("|") if rest and (first,) not in known else [None]:
                words = (first,) if verb is None else (first, verb)
                assert words in prefixes, f"{name_of(path)} names `wattest{text}`"


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
