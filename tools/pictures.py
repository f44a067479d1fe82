"""`make pictures`: every picture that the documents show, made anew by one command.

The dashboard's panels come from the rehearsal and the printed statement from a network of seeds: they change only where
the code does. The cabinets, the statement on a phone and the recording show the network of `make demo`, which this
starts, plays to its end, and stops. It needs `chromium` for the phone and `tmux` for the recording.

What a live picture shows differs from run to run, so it cannot be compared with a new one. Its *print* can: a hash over
the code that paints it, without comments and docstrings. The prints stand in `docs/gallery/pictures.json`, and a test
compares them with the code (docs/decisions/0040).
"""

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GALLERY = ROOT / "docs" / "gallery"
PRINTS = GALLERY / "pictures.json"
RECORDING = "demo.cast"
PHONE = "phone.png"
PHONE_PIXELS = "390,1500"
READY_S = 60


@dataclass(frozen=True)
class Painted:
    """Which code paints a picture: a module, what it imports of `within`, and files that are no Python."""

    module: str
    within: tuple[str, ...]
    beside: tuple[str, ...]


SCREEN = ("tui.widgets", "tui.words", "tui.screens.cabinet"), ("tui/theme.tcss", "tui/themes.py")
LIVE = {
    "cabinet-plants.svg": Painted("tui.cabinets.plants", *SCREEN),
    "cabinet-cheat.svg": Painted("tui.cabinets.plants", *SCREEN),
    "cabinet-holder.svg": Painted("tui.cabinets.holder", *SCREEN),
    "cabinet-market.svg": Painted("tui.cabinets.market", *SCREEN),
    "cabinet-auditor.svg": Painted("tui.cabinets.auditor", *SCREEN),
    "cabinet-authority.svg": Painted("tui.cabinets.authority", *SCREEN),
    PHONE: Painted("node.pages.statement", ("node.pages",), ("node/pages/layout.html", "node/pages/statement.html")),
    RECORDING: Painted("tui.screens.network", ("tui.widgets", "tui.words"), ("tui/theme.tcss", "tui/themes.py")),
}


def prints() -> dict[str, str]:
    return {picture: fingerprint(painted) for picture, painted in sorted(LIVE.items())}


def fingerprint(painted: Painted) -> str:
    """Of what runs: Python as its syntax tree without docstrings, other files as they are."""
    trees = {name: _tree(name) for name in _reached(painted)}
    digest = hashlib.sha256()
    for name in sorted(trees):
        digest.update(ast.dump(trees[name]).encode())
    for path in painted.beside:
        digest.update((ROOT / path).read_bytes())
    return digest.hexdigest()[:16]


def _reached(painted: Painted) -> set[str]:
    """The module and, along its imports, all that lie in `within`."""
    found, left = set(), [painted.module]
    while left:
        name = left.pop()
        if name in found or not _file(name).is_file():
            continue
        found.add(name)
        left += [other for other in _imports(_tree(name)) if other.startswith(painted.within)]
    return found


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _tree(module: str) -> ast.Module:
    tree = ast.parse(_file(module).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[ast.get_docstring(node) is not None :]
    return tree


def _file(module: str) -> Path:
    return ROOT / f"{module.replace('.', '/')}.py"


def main() -> None:
    missing = [name for name in ("chromium", "tmux") if shutil.which(name) is None]
    if missing:
        sys.exit(f"make pictures needs {' and '.join(missing)}")
    _run("tui.gallery", str(GALLERY))
    subprocess.run([sys.executable, str(ROOT / "tools" / "statements.py")], check=True)
    with tempfile.TemporaryDirectory(prefix="wattest-pictures-") as name:
        network = Path(name) / "net"
        _run("cli.main", "demo", "--headless", "--keep", str(network))
        for api in _running(network):
            _run("tui.gallery", str(GALLERY), "--of", str(network))
            _phone(api, Path(name))
    from tools import recording

    recording.main(GALLERY / RECORDING)
    PRINTS.write_text(json.dumps(prints(), indent=2) + "\n", "utf-8")


def _run(module: str, *arguments: str) -> None:
    print(f"python -m {module} {' '.join(arguments)}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _running(network: Path) -> Iterator[str]:
    """The address of a node of the kept network, while its nodes run."""
    from cli.processes import Processes
    from cli.testnet import read_testnet
    from node.client import NodeClient

    nodes = read_testnet(network)["nodes"]
    with Processes() as processes:
        for node in nodes:
            processes.start_node(network / node["home"])
        for node in nodes:
            processes.wait_ready(NodeClient(node["api"]), READY_S)
        yield nodes[0]["api"]


def _phone(api: str, scratch: Path) -> None:
    """The newest statement as a phone shows it."""
    from node.client import NodeClient

    home = NodeClient(api).get_bytes("/").decode()
    found = re.search(r"/statement/([0-9a-f]{32})", home)
    assert found, "the demo's network has no statement on its first page"
    subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--user-data-dir={scratch / 'profile'}", f"--window-size={PHONE_PIXELS}"),
            *(f"--screenshot={GALLERY / PHONE}", f"{api}/statement/{found[1]}"),
        ],
        check=True,
        capture_output=True,
    )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
