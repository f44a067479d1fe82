"""Fonts of this machine for a printed statement: files that hold every character that it has.

A font with all Chinese characters is larger than this whole project, so none is shipped: the usual places are looked at
and a file may be given. What has no glyph is refused by name; a statement never goes out with boxes in it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError

from node.failures import NoFont

# In this order: letters first, then the fonts that have Chinese too. Linux, macOS, Windows.
PLACES = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "C:/Windows/Fonts/arial.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "C:/Windows/Fonts/msyh.ttc",
)


def fonts_for(text: str, given: Sequence[Path] = ()) -> list[Path]:
    """The fonts to use, in order, so that every character of `text` has a glyph; NoFont where one has none."""
    missing = {character for character in text if character.isprintable() and character != " "}
    chosen: list[Path] = []
    for path in _there((*given, *map(Path, PLACES))):
        if not missing:
            break
        held = missing & _glyphs(path)
        if held:
            chosen.append(path)
            missing -= held
    if missing:
        raise NoFont(missing=" ".join(sorted(missing)[:20]))
    return chosen


def _there(paths: Iterable[Path]) -> list[Path]:
    return [path for path in dict.fromkeys(paths) if path.is_file()]


def _glyphs(path: Path) -> set[str]:
    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return {chr(point) for point in font.getBestCmap() or {}}
    except (TTLibError, OSError):
        raise NoFont(missing=f"(the file {path} is no font)") from None
