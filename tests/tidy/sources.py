"""Which files belong to the project, and their text."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("state", "contracts", "consensus", "verifier", "node", "cli", "tui")
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".json",
    ".txt",
    ".in",
    ".lock",
    ".tcss",
    ".html",
    ".css",
    ".js",
    ".cfg",
    ".yml",
    ".yaml",
}
NOT_OURS = (".", "dist/", "build/", "wheelhouse/")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, tracked or about to be; without git, whatever lies outside of build folders."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        names = listing.stdout.splitlines()
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
        names = [name for name in names if not name.startswith(NOT_OURS) and "__pycache__" not in name]
    return tuple(path for path in sorted(ROOT / name for name in names) if path.is_file())


def texts() -> list[Path]:
    """The files that are written by hand or by a tool as text, those without a suffix included."""
    return [path for path in files() if path.suffix in TEXT or path.suffix == ""]


def python_files() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def package_files() -> list[Path]:
    return [path for path in files() if path.relative_to(ROOT).parts[0] in PACKAGES]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))
