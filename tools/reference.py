"""Writes the pages that can be read off the code: docs/CODES.md and docs/REFERENCE.md.

`make docs` writes them; a test compares them with what this file would write, so that no command, endpoint, event,
refusal, metric or setting can appear in the code and stay out of the documentation.

Whatever can be imported cheaply is imported (refusals, events, settings, the click tree); routes, metrics and
environment variables are read from the syntax tree, because they exist only inside running processes.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("state", "contracts", "consensus", "verifier", "node", "cli", "tui")

EXIT_CODES = (
    (0, "commands", "done", "-"),
    (1, "commands", "refused by the ledger", "read the code and the sentence; `docs/CODES.md` lists them all"),
    (2, "commands", "usage", "the line above names the argument"),
    (3, "commands", "node unreachable", "check `--node`, `wattest status`, and that the node runs"),
    (4, "commands", "key or passphrase", "check `wattest keys list`, the passphrase file and its mode 0600"),
    (5, "commands", "timed out waiting for finality", "the transaction may still become final: `wattest tx show TXID`"),
    (6, "commands", "verification failed", "the statement, the proof or the data is not what it claims to be"),
    (130, "commands", "interrupted", "Ctrl-C; nothing was undone that was already sent"),
    (70, "nodes", "disk", "free space or repair the disk, then start again: a supervisor may restart"),
    (71, "nodes", "store mismatch", "the data belongs to another genesis or an unclean copy; do not delete it blindly"),
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


def pages() -> dict[str, str]:
    """File name under docs/ -> its whole text."""
    return {"CODES.md": codes_page(), "REFERENCE.md": reference_page()}


# --- docs/CODES.md


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
    for family, blame in FAMILIES.items():
        rows = [row for row in refusals() if row[0] == family]
        lines += ["", f"### {family}: {blame}", "", "| code | class | sentence |", "|---|---|---|"]
        lines += [f"| `{code}` | {name} | {_cell(sentence)} |" for _, code, name, sentence in rows]
    lines += ["", "## Exit codes", "", "| code | of | means | what to do |", "|---|---|---|---|"]
    lines += [f"| {code} | {who} | {meaning} | {remedy} |" for code, who, meaning, remedy in EXIT_CODES]
    reasons = verdict_reasons()
    if reasons:
        lines += ["", "## Reasons of verdicts", "", "A day is accepted, held or rejected; these codes say why.", ""]
        lines += ["| reason | sentence |", "|---|---|"]
        lines += [f"| `{code}` | {_cell(sentence)} |" for code, sentence in reasons]
    return "\n".join(lines) + "\n"


FAMILIES = {
    "FormRefusal": "the transaction is badly made, whatever the state",
    "AuthorityRefusal": "the signer may not do this",
    "StateRefusal": "the state does not allow it, any more or yet",
    "BlockRefusal": "a block as a whole is wrong",
    "WattestError": "not a rule of the ledger: bytes, keys, disk, readings",
}


def refusals() -> list[tuple[str, str, str, str]]:
    """(family, code, class name, sentence) of every error class of the seven packages that has a code of its own."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name != "__main__.py" and _declares_error(path):
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    errors = importlib.import_module("state.errors")
    found = []
    for kind in _subclasses(errors.WattestError):
        if "sentence" not in vars(kind):
            continue
        family = next(base.__name__ for base in kind.__mro__ if base.__name__ in FAMILIES)
        found.append((family, kind.code, kind.__name__, kind.sentence))
    return found


def verdict_reasons() -> list[tuple[str, str]]:
    """(code, sentence) from the table `REASONS` of the verifier, a dict from code to sentence."""
    for path in sorted((ROOT / "verifier").glob("*.py")):
        if re.search(r"^REASONS\b", path.read_text(), re.MULTILINE):
            table = importlib.import_module(f"verifier.{path.stem}").REASONS
            return sorted((str(code), str(sentence)) for code, sentence in table.items())
    return []


def _declares_error(path: Path) -> bool:
    return path.name == "errors.py" or bool(
        re.search(r"^class \w+\(\w*(Refusal|Error)\)", path.read_text(), re.MULTILINE)
    )


def _subclasses(kind: type) -> Iterator[Any]:
    children: list[Any] = kind.__subclasses__()
    for child in children:
        if child.__module__.split(".")[0] in PACKAGES:
            yield child
            yield from _subclasses(child)


# --- docs/REFERENCE.md


def reference_page() -> str:
    lines = [
        GENERATED,
        "# Reference",
        "Commands, endpoints, events, metrics, settings and environment variables, as the code has them.",
        "Refusal codes and exit codes: [CODES.md](CODES.md). Genesis: [GENESIS.md](GENESIS.md).",
    ]
    for title, header, rows in (
        ("Commands", ("command", "what it does", "options"), commands()),
        ("Endpoints", ("method", "path", "what it answers"), endpoints()),
        ("Events", ("kind", "fields", "when"), events()),
        ("Metrics", ("name", "meaning"), metrics()),
        ("Settings", ("section", "key", "type", "default"), settings()),
        ("Environment", ("variable", "read by"), environment()),
    ):
        if rows:
            lines += ["", f"## {title}", "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
            lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def commands() -> list[tuple[str, ...]]:
    """(usage, first line of help, options) of every leaf of the click tree at `cli.main.main`, in order."""
    if not (ROOT / "cli" / "main.py").exists():
        return []
    import click

    top = importlib.import_module("cli.main").main
    return list(_leaves(click.Context(top, info_name="wattest")))


def _leaves(context: Any) -> Iterator[tuple[str, ...]]:
    import click

    command = context.command
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            child = command.get_command(context, name)
            assert child is not None, name
            yield from _leaves(click.Context(child, info_name=name, parent=context))
        return
    arguments = [p.make_metavar(context) for p in command.params if isinstance(p, click.Argument)]
    options = [max(p.opts, key=len) for p in command.params if isinstance(p, click.Option) and not p.hidden]
    usage = " ".join([context.command_path.split(" [", 1)[0], *arguments])
    shown = " ".join(f"`{option}`" for option in options if option != "--help")
    yield f"`{usage}`", command.get_short_help_str(200), shown


VERBS = {"get", "post", "put", "delete", "patch"}


def endpoints() -> list[tuple[str, ...]]:
    """(method, path, docstring line of the handler) of every route that node/ adds.

    Understood are `web.get("/path", handler)`, `router.add_get("/path", handler)`, `add_route("GET", "/path", handler)`
    and rows of a table `("GET", "/path", handler, ...)`.
    """
    rows: dict[tuple[str, str], str] = {}
    handlers = _first_doc_lines("node")
    for _, node in _nodes("node"):
        parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        texts = [part.value if isinstance(part, ast.Constant) else None for part in parts[:2]]
        method = path = None
        if isinstance(node, ast.Call) and texts and isinstance(texts[0], str) and texts[0].startswith("/"):
            verb = _called(node).removeprefix("add_")
            method, path, rest = verb.upper() if verb in VERBS else None, texts[0], parts[1:]
        elif len(texts) == 2 and all(isinstance(text, str) for text in texts) and str(texts[1]).startswith("/"):
            method, path, rest = str(texts[0]).upper(), str(texts[1]), parts[2:]
        if method and path and method.lower() in VERBS:
            name = next((n for n in (_name(part) for part in rest) if n), "")
            rows[path, method] = handlers.get(name, "")
    return [(method, f"`{path}`", text) for (path, method), text in sorted(rows.items())]


def events() -> list[tuple[str, ...]]:
    """(kind, fields, docstring line) of every tagged struct of contracts/events.py."""
    if not (ROOT / "contracts" / "events.py").exists():
        return []
    rows = []
    for kind in _structs(importlib.import_module("contracts.events")):
        if isinstance(kind.__struct_config__.tag, str):
            fields = " ".join(f"`{field}`" for field in kind.__struct_fields__)
            rows.append((f"`{kind.__struct_config__.tag}`", fields, _first_line(kind.__doc__)))
    return sorted(rows)


METRIC_KINDS = {"Counter", "Gauge", "Histogram", "Summary", "Info"}


def metrics() -> list[tuple[str, ...]]:
    """(name, help) of every prometheus metric made in node/: a call or table row whose first text is its name."""
    rows: dict[str, str] = {}
    for _, node in _nodes("node"):
        parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        names = [text for text in texts if re.fullmatch(r"wattest_[a-z0-9_]+", text)]
        if names:
            meaning = texts[texts.index(names[0]) + 1 :]
            rows.setdefault(names[0], meaning[0] if meaning else "")
    return [(f"`{name}`", text) for name, text in sorted(rows.items())]


def settings() -> list[tuple[str, ...]]:
    """(section, key, type, default) of every struct of node/config.py that is a section of config.toml."""
    if not (ROOT / "node" / "config.py").exists():
        return []
    import msgspec

    rows: list[tuple[str, ...]] = []
    for kind in _structs(importlib.import_module("node.config")):
        for field in msgspec.structs.fields(kind):
            if inspect.isclass(field.type) and issubclass(field.type, msgspec.Struct):
                continue
            default = "-" if field.default is msgspec.NODEFAULT else repr(field.default)
            if default == "-" and field.default_factory is not msgspec.NODEFAULT:
                default = repr(field.default_factory())
            shown = field.type.__name__ if inspect.isclass(field.type) else str(field.type)
            rows.append((kind.__name__, f"`{field.encode_name}`", f"`{shown}`", f"`{default}`"))
    return rows


def environment() -> list[tuple[str, ...]]:
    """(variable, files) of every environment variable of ours that the packages name."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path, node in _nodes(package):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for name in re.findall(r"\bWATTEST_[A-Z][A-Z_]*[A-Z]\b", node.value):
                    found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return [(f"`{name}`", " ".join(sorted(files))) for name, files in sorted(found.items())]


# --- reading the code


def _nodes(package: str) -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield path, node


def _first_doc_lines(package: str) -> dict[str, str]:
    """Function name -> first line of its docstring, over the whole package."""
    return {
        node.name: _first_line(ast.get_docstring(node))
        for _, node in _nodes(package)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _structs(module: ModuleType) -> list[Any]:
    """The msgspec structs that the module itself defines, in the order of the file."""
    import msgspec

    kinds = [k for _, k in inspect.getmembers(module, inspect.isclass) if issubclass(k, msgspec.Struct)]
    own = [k for k in kinds if k.__module__ == module.__name__]
    return sorted(own, key=lambda k: inspect.getsourcelines(k)[1])


def _called(call: ast.Call) -> str:
    return _name(call.func)


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
