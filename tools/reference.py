"""Writes the pages that can be read off the code: docs/CODES.md and docs/REFERENCE.md.

`make docs` writes them; a test compares them with what this file would write, so that no command, endpoint, event,
refusal, metric or setting can appear in the code and stay out of the documentation.

Tables of the code are imported: refusals, events, settings, routes, metrics, the click tree. Only environment
variables are searched for in the syntax tree, because anything may read one.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("state", "contracts", "consensus", "verifier", "node", "cli", "tui")

EXIT_CODES = (
    (0, "commands", "done", "-"),
    (1, "commands", "refused by the ledger", "read the code and the sentence; `docs/CODES.md` lists them all"),
    (2, "commands, nodes", "usage; a node's settings or genesis, its port taken, its home in use", "the line names it"),
    (3, "commands", "node unreachable", "check `--node`, `wattest status`, and that the node runs"),
    (4, "commands", "key or passphrase", "check `wattest keys list`, the passphrase file and its mode 0600"),
    (5, "commands", "timed out waiting for finality", "the transaction may still become final: `wattest tx show TXID`"),
    (6, "commands", "verification failed", "the statement, the proof or the data is not what it claims to be"),
    (130, "commands", "interrupted", "Ctrl-C; nothing was undone that was already sent"),
    (70, "nodes", "disk", "free space or repair the disk, then start again: a supervisor may restart"),
    (71, "nodes", "damaged data, or of another genesis", "the line `do:` names the command; `data/journal` stays"),
    (72, "nodes", "execution differs from a final block", "stop, keep the data, compare versions; do not restart"),
    (73, "nodes", "conflicting quorums", "more than f validators misbehaved; stop, keep the journal; do not restart"),
    (74, "nodes", "own key seen elsewhere", "a second process signs with this key; find it first; do not restart"),
)

GENERATED = "<!-- Written by `make docs` from the code. Change the code, not this page. -->\n"


def main() -> None:
    """Write every generated page that differs from what stands on disk."""
    for name, text in pages().items():
        path = ROOT / "docs" / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote docs/{name}", file=sys.stderr)


@cache
def pages() -> dict[str, str]:
    """File name under docs/ -> its whole text."""
    return {"CODES.md": codes_page(), "REFERENCE.md": reference_page()}


# --- docs/CODES.md

FAMILIES = {
    "FormRefusal": "the transaction is badly made, whatever the state",
    "AuthorityRefusal": "the signer may not do this",
    "StateRefusal": "the state does not allow it, any more or yet",
    "BlockRefusal": "a block as a whole is wrong",
    "WattestError": "not a rule of the ledger: bytes, keys, disk, requests, readings",
}


def codes_page() -> str:
    lines = [
        GENERATED,
        "# Codes",
        "A refusal is a class, a stable code, its numbers and a sentence. Commands print the sentence and exit with 1.",
        'The API answers `{"schema": "error/1", "code", "message", "params", "action_index"}`.',
        "The same rule answers with the same code in a wallet's own check, at the API, in the mempool and in a block.",
        "",
        "## Refusals",
    ]
    found = refusals()
    for family, blame in FAMILIES.items():
        rows = [row[1:] for row in found if row[0] == family]
        lines += ["", f"### {family}: {blame}", "", *_table(("code", "class", "sentence"), rows)]
    lines += ["", "## Exit codes", "", *_table(("code", "of", "means", "what to do"), EXIT_CODES)]
    if reasons := verdict_reasons():
        lines += ["", "## Reasons of verdicts", "", "A day is accepted, held or rejected; these codes say why.", ""]
        lines += _table(("reason", "kind"), reasons)
    return "\n".join(lines) + "\n"


@cache
def refusals() -> list[tuple[str, ...]]:
    """(family, code, class, sentence) of every error class of the seven packages that has a sentence of its own."""
    declaring = {
        path
        for package in PACKAGES
        for path, node in _nodes(package)
        if isinstance(node, ast.ClassDef) and any("sentence" in ast.unparse(line).split("=")[0] for line in node.body)
    }
    for path in sorted(declaring):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found: list[tuple[str, ...]] = []
    for kind in _subclasses(importlib.import_module("state.errors").WattestError):
        if "sentence" in vars(kind):
            family = next(base.__name__ for base in kind.__mro__ if base.__name__ in FAMILIES)
            found.append((family, f"`{kind.code}`", kind.__name__, kind.sentence))
    return found


def verdict_reasons() -> list[tuple[str, ...]]:
    """(code, kind) from the frozen sets of codes in verifier/finding.py; the name of the set is the kind."""
    finding = _module("verifier.finding")
    sets = {name: value for name, value in vars(finding).items() if isinstance(value, frozenset)} if finding else {}
    return sorted((f"`{code}`", name.lower()) for name, codes in sets.items() for code in codes)


def _line(kind: type) -> int:
    return inspect.getsourcelines(kind)[1]


def _subclasses(kind: type) -> Iterator[Any]:
    # By the sources: the order of `__subclasses__` is that of the imports, which differs between processes.
    children: list[Any] = sorted(kind.__subclasses__(), key=lambda child: (child.__module__, _line(child)))
    for child in children:
        if child.__module__.split(".")[0] in PACKAGES:
            yield child
            yield from _subclasses(child)


# --- docs/REFERENCE.md


def reference_page() -> str:
    lines = [
        GENERATED,
        "# Reference",
        "Commands, endpoints, events, metrics and settings, as the code has them.",
        "Refusal codes and exit codes: [CODES.md](CODES.md). Genesis: [GENESIS.md](GENESIS.md).",
    ]
    for title, header, rows in (
        ("Commands", ("command", "what it does", "options"), commands()),
        ("Endpoints", ("method", "path", "what it answers", "schema"), endpoints()),
        ("Events", ("kind", "fields", "remark"), events()),
        ("Metrics", ("name", "meaning"), metrics()),
        ("Settings", ("key in config.toml", "variable", "default", "meaning"), settings()),
        ("Environment", ("variable", "named in"), environment()),
    ):
        if rows:
            lines += ["", f"## {title}", "", *_table(header, rows)]
    return "\n".join(lines) + "\n"


def commands() -> list[tuple[str, ...]]:
    """(usage, first line of help, options) of the root and every leaf of the click tree in cli/main.py."""
    import click

    main_module = _module("cli.main")
    if main_module is None:
        return []
    top = getattr(main_module, "root", None) or main_module.main
    context = click.Context(top, info_name="wattest")
    options = [p for p in top.get_params(context) if isinstance(p, click.Option)]
    return [("`wattest`", "before or after every command", _options(options)), *_leaves(context)]


def _leaves(context: Any) -> Iterator[tuple[str, ...]]:
    import click

    command = context.command
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            child = command.get_command(context, name)
            assert child is not None, name
            yield from _leaves(click.Context(child, info_name=name, parent=context))
        return
    path, above = [context.info_name], context.parent
    while above is not None:
        path.insert(0, above.info_name)
        above = above.parent
    arguments = [p.make_metavar(context) for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    yield f"`{' '.join([*path, *arguments])}`", command.get_short_help_str(200), _options(options)


def _options(options: list[Any]) -> str:
    names = [max(option.opts, key=len) for option in options if not option.hidden]
    return " ".join(f"`{name}`" for name in names if name != "--help")


def endpoints() -> list[tuple[str, ...]]:
    """(method, path, summary, schema of the answer) of the table of routes."""
    routes = _module("node.api.routes")
    table = routes.ROUTES if routes else ()
    rows = [(r.path, r.method, r.summary, f"`{r.answer}`" if r.answer else r.produces) for r in table]
    return [(method, f"`{path}`", summary, answer) for path, method, summary, answer in sorted(rows)]


def events() -> list[tuple[str, ...]]:
    """(kind, fields, docstring line) of every tagged struct of contracts/events.py."""
    rows: list[tuple[str, ...]] = []
    for kind in _structs(_module("contracts.events")):
        if isinstance(kind.__struct_config__.tag, str):
            fields = " ".join(f"`{field}`" for field in kind.__struct_fields__)
            rows.append((f"`{kind.__struct_config__.tag}`", fields, _first_line(vars(kind).get("__doc__"))))
    return sorted(rows)


def metrics() -> list[tuple[str, ...]]:
    """(name, help) of every metric in the registry of a node."""
    module = _module("node.metrics")
    if module is None:
        return []
    families = module.Metrics(bytes(32), validators=4).registry.collect()
    ends = {"counter": "_total"}
    return sorted((f"`{family.name}{ends.get(family.type, '')}`", family.documentation) for family in families)


def settings() -> list[tuple[str, ...]]:
    """(key, variable, default, meaning) of every setting of a home."""
    config = _module("node.config")
    table = config.SETTINGS if config else {}
    return [
        (f"`{key}`", f"`{config.variable(key)}`", f"`{setting.default!r}`", setting.meaning)
        for key, setting in table.items()
        if config
    ]


def environment() -> list[tuple[str, ...]]:
    """(variable, files) of every environment variable of ours that the code spells out."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path, node in _nodes(package):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for name in re.findall(r"\bWATTEST_[A-Z][A-Z_]*[A-Z]\b", node.value):
                    found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return [(f"`{name}`", " ".join(sorted(files))) for name, files in sorted(found.items())]


# --- reading the code


def _module(name: str) -> ModuleType | None:
    """The module, or None where its file does not exist; a module that exists and cannot be imported is an error."""
    path = ROOT.joinpath(*name.split("."))
    return importlib.import_module(name) if path.with_suffix(".py").exists() else None


def _nodes(package: str) -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield path, node


def _structs(module: ModuleType | None) -> list[Any]:
    """The msgspec structs that the module itself defines."""
    import msgspec

    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind)] if module else []
    return [kind for kind in kinds if issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__]  # type: ignore[union-attr]


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        cells = [str(cell).replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
