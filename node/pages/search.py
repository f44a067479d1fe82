"""The search page: a form that needs no script, totals, one page of ranges, and everything that matched as a file."""

import shlex
from html import escape
from typing import Any
from urllib.parse import urlencode

from node.pages.figures import days, energy
from node.pages.html import Frame, Safe, code, fill, grouped, joined, page, paragraph, path_of
from node.pages.words import MOODS, ORDER_WORDS, SORT_WORDS, SOURCE_NAMES, status, worded
from node.queries.foreign_codes import SOURCES
from node.queries.ranges import STATUSES
from node.queries.search import SORTS
from node.texts import Texts

FORMATS = {"csv": "CSV", "json": "JSON"}
OPTIONS = {"from": "produced-from", "to": "produced-to"}  # of the command, where they are called otherwise than here


def search(frame: Frame, given: dict[str, str], found: dict[str, Any]) -> str:
    """`given` is what was asked for, as it was typed; `found` the answer of the API to it."""
    t = frame.t
    asked = {name: text for name, text in given.items() if name != "cursor"}
    body = fill(
        "search.html",
        t,
        keep=Safe(f'<input type="hidden" name="lang" value="{t.language}">') if frame.chosen else Safe(""),
        sources=_options(t("any"), {name: t(SOURCE_NAMES[name]) for name in SOURCES}, given.get("source")),
        statuses=_options(
            t("any"),
            {"live": t("live", "status"), **{name: status(t, name) for name in STATUSES}},
            given.get("status"),
        ),
        sorts=_options("", {name: t(SORT_WORDS[name]) for name in SORTS}, given.get("sort")),
        orders=_options("", {name: t(word) for name, word in ORDER_WORDS.items()}, given.get("order")),
        **{name: given.get(name, "") for name in ("technology", "zone", "country", "device", "holder", "statement")},
        first=given.get("from", ""),
        last=given.get("to", ""),
        totals=_totals(t, found),
        certificates=_list(frame, found["certificates"]),
        following=_following(frame, asked, found["cursor"]),
        downloads=_downloads(frame, asked) if found["certificates"] else Safe(""),
    )
    return page(frame, t("Search"), body)


def _options(nothing: str, words: dict[str, str], chosen: str | None) -> Safe:
    options = {"": nothing, **words} if nothing else words
    return Safe(
        "".join(
            f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(word)}</option>'
            for value, word in options.items()
        )
    )


def _totals(t: Texts, found: dict[str, Any]) -> str:
    return t(
        "Ranges: {ranges} · certificates: {count} · {energy}",
        ranges=grouped(t, int(found["total"])),
        count=grouped(t, int(found["quantity"])),
        energy=energy(t, found["energy_wh"]),
    )


def _list(frame: Frame, items: list[dict[str, Any]]) -> Safe:
    if not items:
        return paragraph(frame.t("No certificate is like that."), "soft")
    return Safe(f'<ul class="list">{joined(_item(frame, item) for item in items)}</ul>')


def _item(frame: Frame, item: dict[str, Any]) -> Safe:
    t = frame.t
    badge = f'<span class="badge {MOODS[item["status"]]}">{escape(status(t, item["status"]))}</span>'
    words = " · ".join(
        escape(part)
        for part in (
            energy(t, item["energy_wh"]),
            worded(t, SOURCE_NAMES, item["source"]),
            ", ".join(part for part in (item["plant"], item["zone"]) if part),
            days(t, item["production_from"], item["production_to"]),
            item["holder_name"],
        )
    )
    link = frame.link(path_of(item["number"]), item["number"])
    proof = ""
    if item["statement"]:
        identity = item["statement"]
        proof = " · " + frame.link(f"/statement/{identity}", identity[:8] + "…")
    return Safe(f'<li>{link} {badge}<br><span class="soft">{words}{proof}</span></li>')


def _following(frame: Frame, asked: dict[str, str], cursor: str | None) -> Safe:
    if cursor is None:
        return Safe("")
    chosen = {"lang": frame.t.language} if frame.chosen else {}
    address = f"{frame.base}/search?{urlencode({**asked, 'cursor': cursor, **chosen})}"
    return Safe(f'<a href="{escape(address)}">{escape(frame.t("Further ones"))}</a>')


def _downloads(frame: Frame, asked: dict[str, str]) -> Safe:
    filters = {name: text for name, text in asked.items() if name not in ("sort", "order", "limit")}
    links = []
    for form, name in FORMATS.items():
        address = f"{frame.base}/v1/search/export?{urlencode({'format': form, **filters})}"
        links.append(f'<a href="{escape(address)}">{name}</a>')
    words = escape(frame.t("All of them as a file:"))
    return Safe(f'<span>{words} {" ".join(links)}</span></p><p class="soft">Parquet: {code(_command(filters))}')


def _command(filters: dict[str, str]) -> str:
    """What exports the same as Parquet, which a node does not write: its library is as large as the node."""
    options = [(f"--{OPTIONS.get(name, name)}", text) for name, text in filters.items()]
    return shlex.join(
        ["wattest", "certificate", "export", "certificates.parquet", *(part for each in options for part in each)]
    )
