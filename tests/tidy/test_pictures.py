"""Pictures in the documents that no longer show what the code paints fail here: `make pictures` makes them anew."""

import asyncio
import html
import json
import re
from pathlib import Path

import pytest

from tools import pictures
from tools.recording import difference, recorded
from tui.gallery import Shot, shots, take

RENEW = "run `make pictures`"
TAKEN = {"dashboard", "small-plants"}  # of the rehearsal, taken anew here; `make pictures` takes all


def words_of(svg: str) -> list[str]:
    """What stands in a picture, cell by cell, without how it is drawn."""
    return [html.unescape(text).strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


@pytest.mark.parametrize("shot", [shot for shot in shots() if shot.name in TAKEN], ids=lambda shot: shot.name)
def test_picture_of_the_rehearsal_says_what_the_dashboard_says(shot: Shot) -> None:
    stored = (pictures.GALLERY / f"{shot.name}.svg").read_text("utf-8")
    assert words_of(stored) == words_of(asyncio.run(take(shot))), RENEW


def test_live_pictures_were_taken_of_the_code_as_it_is() -> None:
    written = json.loads(pictures.PRINTS.read_text("utf-8"))
    stale = sorted(name for name, mark in pictures.prints().items() if written.get(name) != mark)
    assert not stale, f"{', '.join(stale)}: {RENEW}"
    assert all((pictures.GALLERY / name).is_file() for name in pictures.LIVE)


def test_a_print_changes_with_code_and_not_with_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mark(source: str) -> str:
        (tmp_path / "screen.py").write_text(source)
        return pictures.fingerprint(pictures.Painted("screen", (), ()))

    monkeypatch.setattr(pictures, "ROOT", tmp_path)
    assert mark('"""One."""\nWIDTH = 1') == mark('"""Two."""\n# why\nWIDTH = 1')
    assert mark("WIDTH = 1") != mark("WIDTH = 2")


def test_a_recording_holds_only_the_lines_that_changed() -> None:
    looks = iter([["a", "b"], ["a", "b"], ["a", "c"], *[["a", "c"]] * 60])
    seconds = iter(range(1000))
    frames = list(recorded(lambda: next(looks), lambda _: None, lambda: float(next(seconds)), lambda _: None))
    assert [text.count("\x1b[2K") for _, text in frames] == [2, 1]
    assert frames[1][1].endswith("c")
    assert difference(["a"], ["a"]) == ""
