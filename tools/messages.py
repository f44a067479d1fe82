"""Which texts for people the code asks for, and which of them a language lacks.

    python tools/messages.py          prints what each node/locale/*.po lacks, ready to be pasted and translated,
                                      and names the messages there that nobody asks for any more

Texts are found where they are used: `t("…")` in node/pages, node/api/public.py, tui and cli/demo, `[[…]]` in the
templates; and in tables: words of the pages, sentences of refusals, faults of a number, reasons of verdicts.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from node.api.parameters import REASONS  # noqa: E402
from node.api.refusals import RequestRefusal  # noqa: E402
from node.failures import KeystoreError, NodeUnreachable, TimedOut, WrongNetwork, WrongPassphrase  # noqa: E402
from node.pages.figures import MONTHS  # noqa: E402
from node.pages.html import MARKED  # noqa: E402
from node.pages.trace import RANGE_HEAD  # noqa: E402
from node.pages.words import TABLES  # noqa: E402
from node.texts import LANGUAGES, LOCALE, VALUE, Key, read_po  # noqa: E402
from state.errors import BadNumber, WattestError  # noqa: E402
from tui.deeds.certificates import PURPOSES  # noqa: E402
from tui.deeds.plants import SUNLIGHT, TECHNOLOGIES  # noqa: E402
from tui.fields import FIELDS, KINDS  # noqa: E402
from tui.screens.help import KEYS as HELP_KEYS  # noqa: E402
from tui.screens.help import SIGNS, STORY_KEYS  # noqa: E402
from tui.texts import COUNTED, PALETTE, TOLD, UNREACHED, WORDS  # noqa: E402
from tui.widgets.lines import TABS  # noqa: E402
from tui.zone import LOCAL  # noqa: E402
from verifier.words import GENERAL, NUMBERS  # noqa: E402

PAGES = ROOT / "node" / "pages"
# Where the ledger and its API refuse a participant. What an operator is told of files, keys and settings is English.
REASONED = sorted(
    {*(ROOT / "contracts").glob("*.py"), ROOT / "node" / "claims.py", ROOT / "node" / "api" / "access.py"}
    - {ROOT / "contracts" / name for name in ("genesis.py", "transition.py")}
)
ON_THE_WAY = (KeystoreError, NodeUnreachable, TimedOut, WrongNetwork, WrongPassphrase)  # what a dashboard meets
NAMED = (  # by Unknown
    "certificate", "statement", "issuance", "final transaction", "final block at height", "auction", "device",
    "consumption meter", "participant", "proposal", "scheme", "validator", "final block", "issue of certificate",
    "verdict of day", "participant with the key", "recovery key of participant", "validator of participant",
    "end of epoch", "readings of device",
)  # fmt: skip


def main() -> None:
    asked = messages()
    for language in LANGUAGES:
        path = LOCALE / f"{language}.po"
        if not path.exists():
            continue
        held = read_po(path.read_text(encoding="utf-8"))
        for key in asked:
            if key not in held:
                print(f"# {language}\n{entry(key)}")
        for context, text in held:
            if (context, text) not in asked:
                print(f"# {language}: nobody asks for {context} {text!r}")


def entry(key: Key, translation: str = "") -> str:
    """One message as it stands in a .po file."""
    context = f"msgctxt {quoted(key[0])}\n" if key[0] else ""
    return f"{context}msgid {quoted(key[1])}\nmsgstr {quoted(translation)}\n"


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def messages() -> dict[Key, None]:
    """Every (context, English text) that a page, a statement or a refusal can show, in the order of the sources."""
    return dict.fromkeys((*of_pages(), *_said(), *_calls(_dashboard()), *_screens()))


def of_pages() -> dict[Key, None]:
    """Those of them that are for the pages and their refusals."""
    public = (*sorted(PAGES.glob("*.py")), ROOT / "node" / "api" / "public.py")
    return dict.fromkeys((*_templates(), *_calls(public), *_tables(), *_refusals(), *_reasons()))


def _said() -> Iterator[Key]:
    """What the contracts say of an action: `Said("…")`."""
    for path in sorted((ROOT / "contracts").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("Said"), args=[ast.Constant(str(template))]):
                    yield ("said", str(template))


def _templates() -> Iterator[Key]:
    for path in sorted(PAGES.glob("*.html")):
        yield from (("", text) for text in MARKED.findall(path.read_text(encoding="utf-8")))


def _calls(paths: Iterable[Path]) -> Iterator[Key]:
    """`t("text", "context")`, with `t` a variable or an attribute."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and re.fullmatch(r"t|.*\.t", ast.unparse(node.func)):
                given = [value.value for value in node.args if isinstance(value, ast.Constant)]
                if len(given) == len(node.args):
                    yield (given[1] if len(given) > 1 else "", given[0])


def _tables() -> Iterator[Key]:
    for context, table in TABLES:
        yield from ((context, text) for text in table.values())
    yield from (("month", name) for name in MONTHS)
    yield from (("unit", name) for name in ("Wh", "kWh", "MWh", "GWh", "W", "kW", "MW", "GW", "tCO2e"))
    yield from (("", text) for text, _ in RANGE_HEAD)
    yield from (("what", name) for name in NAMED)
    yield from (("why", text) for text in REASONS)
    for path in REASONED:
        yield from _given(path)


def _given(path: Path) -> Iterator[Key]:
    """Reasons where they are raised: `why=` and `what=` of a text, a choice of texts, or a text with values."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg in ("why", "what"):
            said = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
            yield from ((node.arg, text) for text in map(_worded, said) if re.search("[a-z]{2}", VALUE.sub("", text)))


def _worded(value: ast.expr) -> str:
    """Of a text with values in it each value by the last name in it: `{scheme.currency}` is `{currency}`."""
    if not isinstance(value, ast.JoinedStr):
        return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
    names = Counter[str]()
    parts = []
    for part in value.values:
        if isinstance(part, ast.FormattedValue):
            name = re.findall(r"[A-Za-z_]\w*", ast.unparse(part.value))[-1].lower()
            names[name] += 1
            parts.append(f"{{{name}{names[name] if names[name] > 1 else ''}}}")
        elif isinstance(part, ast.Constant):
            parts.append(str(part.value))
    return "".join(parts)


def _refusals() -> Iterator[Key]:
    for kind in _classes(WattestError):
        of_a_node = kind.__module__ == "state.errors" or issubclass(kind, RequestRefusal)
        if "sentence" in vars(kind) and (of_a_node or kind in ON_THE_WAY):
            yield (kind.code, kind.sentence)
    yield from ((f"fault/{name}", text) for name, text in BadNumber.faults.items())


def _classes(kind: type[WattestError]) -> Iterator[type[WattestError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _classes(child)


def _reasons() -> Iterator[Key]:
    yield from ((f"reason/{code}", text) for code, text in GENERAL.items())
    yield from ((f"numbers/{code}", text) for code, text in NUMBERS.items())


def _dashboard() -> list[Path]:
    return sorted([*(ROOT / "tui").rglob("*.py"), *(ROOT / "cli" / "demo").glob("*.py")])


HEADINGS = {"HEADING", "BORDER_TITLE", "NEEDS_KEY", "FOR_GOOD", "EXAMPLES"}
NAMED_FIRST = {"Column": 0, "Cabinet": 1}  # the argument that is shown


def _screens() -> Iterator[Key]:
    """What the dashboard shows from tables and declarations, where no call of `t` stands beside the text."""
    yield from (("word", text) for text in WORDS)
    yield from (("count", f"{{number}} {one}|{{number}} {many}") for one, many in COUNTED.items())
    yield from (("month/alone", name) for name in MONTHS)
    yield from (("", name) for name in TABS)
    yield from (("", what) for _, what in (*HELP_KEYS, *STORY_KEYS, *SIGNS))
    yield from (("", text) for text in TOLD)
    yield from (("why", text) for text in UNREACHED)
    yield from (("palette", text) for text in PALETTE)
    yield from (("field", name) for name in FIELDS)
    yield from (("kind", name.replace("_", " ")) for name in KINDS)
    yield from (("choice", name) for name in (*PURPOSES, *TECHNOLOGIES, *SUNLIGHT, LOCAL))
    for path in _dashboard():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield from _declared(node)


def _declared(node: ast.AST) -> Iterator[Key]:
    match node:
        case ast.Assign(targets=[ast.Name(name)], value=ast.Constant(str(text))) if name in HEADINGS and text:
            yield ("", text)
        case ast.AnnAssign(target=ast.Name(name), value=ast.Constant(str(text))) if name in HEADINGS and text:
            yield ("", text)
        case ast.AnnAssign(target=ast.Name("KEYS"), annotation=ast.Subscript(), value=ast.Tuple(elts)):
            pairs = [pair.elts[1] for pair in elts if isinstance(pair, ast.Tuple)]
            yield from (("", str(word.value)) for word in pairs if isinstance(word, ast.Constant))
        case ast.Call(func=ast.Name(name), args=args) if name in NAMED_FIRST and len(args) > NAMED_FIRST[name]:
            shown = args[NAMED_FIRST[name]]
            if isinstance(shown, ast.Constant) and shown.value:
                yield ("", str(shown.value))


if __name__ == "__main__":
    main()
