"""What somebody chose, kept between two runs: cabinet, colours, language, zone, how tables are arranged, drafts.

    $XDG_CONFIG_HOME/wattest/dashboard.json        else ~/.config/wattest; mode 0600, for nobody else

It is convenience, so nothing here may fail: a file that is damaged, of another shape or not writable counts as empty,
and what cannot be kept is not. No key and no passphrase is ever among it: those fields are not of forms.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.texts import LANGUAGES

MAX_BYTES = 1024 * 1024  # a larger file is not ours
DRAFTS, TABLES, LONGEST = 32, 64, 512  # of each, the newest; characters of a text


@dataclass
class Habits:
    """`path` None = nothing is kept. `tables`: by cabinet and table, the filter, the ordering column and its turn."""

    path: Path | None = None
    cabinet: str = ""
    theme: str = ""
    language: str = ""
    zone: str = ""
    group: str = ""  # what a portfolio is added up by
    tables: dict[str, tuple[str, int | None, bool]] = field(default_factory=dict)
    drafts: dict[str, dict[str, str]] = field(default_factory=dict)
    _written: bytes = field(default=b"", repr=False)

    def keep(self) -> None:
        """Write what changed since the last time, whole or not at all."""
        if self.path is None:
            return
        data = self._data()
        if data == self._written:
            return
        self._written = data  # also where it fails: a full disk is not asked again for the same
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = self.path.with_suffix(f".{os.getpid()}")
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            beside.replace(self.path)

    def _data(self) -> bytes:
        kept: dict[str, Any] = {name: getattr(self, name) for name in ("cabinet", "theme", "language", "zone", "group")}
        kept["tables"] = dict(list(self.tables.items())[-TABLES:])
        kept["drafts"] = dict(list(self.drafts.items())[-DRAFTS:])
        return (json.dumps(kept, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def place(environment: Mapping[str, str]) -> Path:
    """Where the habits of this user lie."""
    base = environment.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path(environment.get("HOME") or "~").expanduser() / ".config"
    return folder / "wattest" / "dashboard.json"


def habits_at(path: Path) -> Habits:
    """What was kept there, as far as it can be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return Habits(path)
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return Habits(path)
    if not isinstance(found, dict):
        return Habits(path)
    language = _text(found.get("language"))
    return Habits(
        path,
        cabinet=_text(found.get("cabinet")),
        theme=_text(found.get("theme")),
        language=language if language in LANGUAGES else "",
        zone=_text(found.get("zone")),
        group=_text(found.get("group")),
        tables=_tables(found.get("tables")),
        drafts=_drafts(found.get("drafts")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= LONGEST and value.isprintable() else ""


def _tables(value: object) -> dict[str, tuple[str, int | None, bool]]:
    tables: dict[str, tuple[str, int | None, bool]] = {}
    for name, table in value.items() if isinstance(value, dict) else ():
        match table:
            case [str() as wanted, int() | None as order, bool() as down] if not isinstance(order, bool):
                tables[name] = (_text(wanted), order, down)
    return tables


def _drafts(value: object) -> dict[str, dict[str, str]]:
    return {
        name: {label: _text(text) for label, text in draft.items()}
        for name, draft in (value.items() if isinstance(value, dict) else ())
        if isinstance(draft, dict)
    }
