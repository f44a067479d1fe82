"""Pieces of HTML: every value is escaped here, once, before it enters a template; every text is translated here."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import segno

from node.texts import LANGUAGES, Texts

HERE = Path(__file__).parent
MARKED = re.compile(r"\[\[(.+?)\]\]")  # [[a text of the catalogue]] in a template


class Safe(str):
    """Text that is HTML already."""


class Number(int):
    """Shown right-aligned with thousands."""


@dataclass(frozen=True)
class Frame:
    """What every page carries: whose chain it tells of, in which language, and where its links lead."""

    network: str
    chain: str  # hexadecimal
    t: Texts
    path: str = "/"  # of this page, for the switch of languages
    query: str = ""  # what else stands in its address
    chosen: bool = False  # by ?lang=, so that links carry it on
    base: str = ""  # before every link, where the page is read outside of its node
    others: tuple[str, ...] = ()  # public addresses of the network's other nodes
    nonce: str = ""  # of the one script that the page may load; empty = none

    def href(self, path: str) -> str:
        """An address on this node, escaped for an attribute; the language goes with it where somebody chose one."""
        suffix = f"?lang={self.t.language}" if self.chosen else ""
        return escape(f"{self.base}{path}{suffix}")

    def link(self, path: str, text: str) -> Safe:
        return Safe(f'<a href="{self.href(path)}"><code>{escape(text)}</code></a>')

    def words(self, path: str, text: str) -> Safe:
        """A link that reads as text, not as letters to compare."""
        return Safe(f'<a href="{self.href(path)}">{escape(text)}</a>')


@cache
def template(name: str, t: Texts) -> Template:
    """A template in one language. Its texts are replaced before any value comes in, so no value is taken for one."""
    source = (HERE / name).read_text(encoding="utf-8")
    return Template(MARKED.sub(lambda match: escape(t(match[1])).replace("$", "$$"), source))


def fill(name: str, t: Texts, **values: Any) -> Safe:
    """The template with its values, escaped unless they are Safe."""
    return Safe(template(name, t).substitute({key: escaped(value) for key, value in values.items()}))


# Characters that order, hide or control others: no text of ours has one, and where somebody else's does it is shown.
INERT = dict.fromkeys(
    (
        *range(0x20),
        *range(0x7F, 0xA0),
        0xAD,
        0x61C,
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        0xFEFF,
        *range(0xFFF9, 0xFFFC),
    ),
    "\N{REPLACEMENT CHARACTER}",
) | {ord("\n"): "\n"}


def page(frame: Frame, title: str, body: Safe, script: Safe | None = None) -> str:
    text = fill(
        "layout.html",
        frame.t,
        lang=frame.t.tag,
        title=f"{title} · wattest",
        home=Safe(frame.href("/")),
        base=frame.base,
        languages=_switch(frame),
        others=_others(frame),
        network=frame.network,
        chain=frame.chain[:16],
        body=body,
        script=script or Safe(""),
    )
    return text.translate(INERT)


def _others(frame: Frame) -> Safe:
    """The same page where other nodes show it: for when this one is gone, and for who would rather ask another."""
    if not frame.others:
        return Safe("")
    more = f"?{frame.query}" if frame.query else ""
    links = " ".join(
        f'<a href="{escape(other + frame.path + more)}">{escape(other.split("://")[1])}</a>' for other in frame.others
    )
    return Safe(f"<p>{escape(frame.t('The same page on other nodes:'))} {links}</p>")


def _switch(frame: Frame) -> Safe:
    """The page in the other languages, each named in itself."""
    more = f"&{frame.query}" if frame.query else ""
    parts = []
    for language, name in LANGUAGES.items():
        if language == frame.t.language:
            parts.append(f'<b lang="{language}">{name}</b>')
        else:
            address = escape(f"{frame.base}{frame.path}?lang={language}{more}")
            parts.append(f'<a href="{address}" lang="{language}" hreflang="{language}">{name}</a>')
    return Safe(" ".join(parts))


# --- pieces


def rows(lines: Iterable[list[Any]], t: Texts) -> Safe:
    return Safe("".join("<tr>" + "".join(_cell(value, t) for value in line) + "</tr>" for line in lines))


def _cell(value: Any, t: Texts) -> str:
    if isinstance(value, Number):
        return f'<td class="number">{grouped(t, value)}</td>'
    return f"<td>{escaped(value)}</td>"


def pairs(facts: Iterable[tuple[str, str]]) -> Safe:
    """A line for each fact that is not empty."""
    return Safe("".join(f"<tr><th>{escape(name)}</th><td>{escaped(value)}</td></tr>" for name, value in facts if value))


def code(text: str) -> Safe:
    return Safe(f"<code>{escape(text)}</code>")


def paragraph(text: str, kind: str = "") -> Safe:
    mark = f' class="{kind}"' if kind else ""
    return Safe(f"<p{mark}>{escaped(text)}</p>")


def joined(parts: Iterable[str]) -> Safe:
    return Safe("".join(escaped(part) for part in parts))


def qr(url: str) -> Safe:
    """Dark on white in either colour scheme, or scanners fail; without a size of its own, or a style sheet crops it."""
    return Safe(segno.make(url, error="m", micro=False).svg_inline(border=2, dark="#000", light="#fff", omitsize=True))


def path_of(number: str) -> str:
    return f"/certificate/{quote(number)}"


def escaped(value: Any) -> str:
    return value if isinstance(value, Safe) else escape(str(value))


def grouped(t: Texts, number: int) -> str:
    """1,234 in English and Chinese, 1 234 with a space that does not break in Russian."""
    text = f"{number:,}"
    return text.replace(",", "\u00a0") if t.language == "ru" else text
