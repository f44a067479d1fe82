"""The front page, and a refusal as a page."""

from datetime import UTC, datetime
from typing import Any

from node.pages.figures import moment
from node.pages.html import HERE, Frame, Number, Safe, code, escaped, fill, page, paragraph, rows

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
    lines = rows(
        (
            [
                moment(t, found["retired_at"]),
                frame.link(f"/statement/{found['id']}", found["id"][:12] + "…"),
                Number(int(found["quantity"])),
                found["holder_name"],
            ]
            for found in statements
        ),
        t,
    )
    return Safe(f"<table><tbody>{lines}</tbody></table>")


def refusal(frame: Frame, title: str, message: str) -> str:
    back = Safe(f'<p><a href="{frame.href("/")}">{escaped(frame.t("Back to the start"))}</a></p>')
    body = Safe(f"<h1>{escaped(title)}</h1><section>{paragraph(message)}{back}</section>")
    return page(frame, title, body)
