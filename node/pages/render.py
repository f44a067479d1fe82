"""The front page, and a refusal as a page."""

from datetime import UTC, datetime
from typing import Any

from node.pages.figures import moment
from node.pages.html import HERE, Frame, Number, Safe, code, escaped, fill, grouped, page, paragraph, rows
from node.texts import Texts

LATEST_STATEMENTS = 10
BEHIND = 3  # a validator signs now if it signed one of the last blocks


def home(
    frame: Frame, status: dict[str, Any], supply: list[dict[str, Any]], statements: list[dict[str, Any]], nonce: str
) -> str:
    t = frame.t
    signing = [one for one in status["validators"] if one["last_signed_height"] >= status["height"] - BEHIND]
    body = fill(
        "home.html",
        t,
        keep=Safe(f'<input type="hidden" name="lang" value="{t.language}">') if frame.chosen else Safe(""),
        search=Safe(frame.href("/search")),
        height=status["height"],
        time=datetime.fromtimestamp(status["time_ms"] // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        signing=f"{len(signing)} / {len(status['validators'])}",
        mempool=status["mempool"],
        supply=rows(
            ([line["name"], t(line["unit"], "unit"), *(Number(int(line[key])) for key in COUNTS)] for line in supply),
            t,
        ),
        statements=_statement_list(frame, statements),
        validators=rows(
            (
                [one["name"], code(one["address"]), t("signed block {height}", height=one["last_signed_height"])]
                for one in status["validators"]
            ),
            t,
        ),
    )
    script = Safe(f'<script nonce="{nonce}">{(HERE / "home.js").read_text(encoding="utf-8")}</script>')
    return page(frame, t("Certificates of renewable energy"), body, script)


COUNTS = ("live", "retired", "expired", "issued")


def _statement_list(frame: Frame, statements: list[dict[str, Any]]) -> Safe:
    t = frame.t
    if not statements:
        return paragraph(t("None yet."), "soft")
    items = (
        Safe(f'<li>{_statement_link(frame, found)}<br><span class="soft">{escaped(_counted(t, found))}</span></li>')
        for found in statements
    )
    return Safe(f'<ul class="list">{"".join(items)}</ul>')


def _statement_link(frame: Frame, found: dict[str, Any]) -> str:
    link = frame.link(f"/statement/{found['id']}", found["id"][:16] + "…")
    return f"{link} {escaped(found['holder_name'])}"


def _counted(t: Texts, found: dict[str, Any]) -> str:
    count = grouped(t, int(found["quantity"]))
    return t("Certificates: {count} · {moment}", count=count, moment=moment(t, found["retired_at"]))


def refusal(frame: Frame, title: str, message: str) -> str:
    back = Safe(f'<p><a href="{frame.href("/")}">{escaped(frame.t("Back to the start"))}</a></p>')
    body = Safe(f"<h1>{escaped(title)}</h1><section>{paragraph(message)}{back}</section>")
    return page(frame, title, body)
