"""Pages from templates: every value is escaped here, once, before it enters a template."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import segno

from node.pages.words import ACTION_WORDS, PURPOSE_WORDS

HERE = Path(__file__).parent
LATEST_STATEMENTS = 10
BEHIND = 3  # a validator signs now if it signed one of the last blocks

MOODS = {
    "active": "good",
    "locked": "warn",
    "reserved": "warn",
    "retired": "good",
    "expired": "bad",
    "withdrawn": "bad",
}


@dataclass(frozen=True)
class Frame:
    """What every page carries."""

    network: str
    chain: str  # hexadecimal


class Safe(str):
    """Text that is HTML already."""


@cache
def template(name: str) -> Template:
    return Template((HERE / name).read_text(encoding="utf-8"))


def fill(name: str, **values: Any) -> Safe:
    """The template with its values, escaped unless they are Safe."""
    return Safe(template(name).substitute({key: _escaped(value) for key, value in values.items()}))


def page(frame: Frame, title: str, body: Safe, script: Safe | None = None) -> str:
    return fill(
        "layout.html",
        title=f"{title} · wattest",
        network=frame.network,
        chain=frame.chain[:16],
        body=body,
        script=script or Safe(""),
    )


# --- home


def home(
    frame: Frame, status: dict[str, Any], supply: list[dict[str, Any]], statements: list[dict[str, Any]], nonce: str
) -> str:
    signing = [one for one in status["validators"] if one["last_signed_height"] >= status["height"] - BEHIND]
    body = fill(
        "home.html",
        height=status["height"],
        time=utc(status["time_ms"] // 1000),
        signing=f"{len(signing)} of {len(status['validators'])}",
        mempool=status["mempool"],
        supply=rows(
            [line["name"], line["unit"], *(Number(int(line[key])) for key in ("live", "retired", "expired", "issued"))]
            for line in supply
        ),
        statements=_statement_list(statements),
        validators=rows(
            [one["name"], Safe(f"<code>{escape(one['address'])}</code>"), f"signed block {one['last_signed_height']}"]
            for one in status["validators"]
        ),
    )
    script = Safe(f'<script nonce="{nonce}">{(HERE / "home.js").read_text(encoding="utf-8")}</script>')
    return page(frame, "Certificates of renewable energy", body, script)


def _statement_list(statements: list[dict[str, Any]]) -> Safe:
    if not statements:
        return Safe('<p class="soft">None yet.</p>')
    lines = rows(
        [
            utc(int(found["retired_at"])),
            link(f"/statement/{found['id']}", found["id"]),
            Number(int(found["quantity"])),
            found["holder_name"],
        ]
        for found in statements
    )
    return Safe(f"<table><tbody>{lines}</tbody></table>")


# --- statement


def statement(frame: Frame, shown: dict[str, Any], url: str, foreign: bool) -> str:
    facts = shown["facts"]
    who = facts["beneficiary"]
    return page(
        frame,
        f"Statement {shown['id']}",
        fill(
            "statement.html",
            warning=_warning() if foreign else Safe(""),
            id=shown["id"],
            quantity=f"{int(shown['quantity']):,}",
            energy=energy(int(facts["total_wh"])),
            beneficiary=who["name"],
            qr=qr(url),
            claim=pairs(
                (
                    "Beneficiary",
                    ", ".join(part for part in (who["name"], who["id"], who["location"], who["country"]) if part),
                ),
                ("Purpose", PURPOSE_WORDS.get(facts["purpose"], facts["purpose"])),
                ("Note", facts["note"]),
                ("Consumed", f"{day(facts['consumption_from'])} to {day(facts['consumption_to'])}"),
                ("Jurisdiction", facts["jurisdiction"]),
                ("Retired by", facts["holder_name"]),
                ("Retired on", f"{utc(int(shown['retired_at']))} UTC"),
                ("Statement", Safe(f"<code>{shown['id']}</code>")),
            ),
            bundles=Safe("".join(_bundle(bundle) for bundle in facts["bundles"])),
            proof=pairs(
                ("Block", str(shown["height"])),
                ("Transaction", link(f"/v1/transactions/{shown['txid']}", shown["txid"])),
                ("Statement hash", Safe(f"<code>{shown['statement_hash']}</code>")),
                ("Chain", Safe(f"<code>{frame.chain}</code>")),
            ),
        ),
    )


def _warning() -> Safe:
    return Safe(
        '<p class="badge bad">This link was made for another network: its chain is not the one of this node.</p>'
    )


def _bundle(bundle: dict[str, Any]) -> Safe:
    facts = bundle["facts"]
    table = pairs(
        ("Certificates", link(f"/certificate/{bundle['number']}", bundle["number"])),
        ("Quantity", f"{int(bundle['quantity']):,} of {energy(int(bundle['face_value']))} each"),
        ("Device", f"{facts['name']}, {facts['location']}, {facts['country']}" if facts["location"] else facts["name"]),
        ("Technology", f"{facts['technology']} · fuel {facts['fuel']}"),
        ("GSRN", facts["gsrn"]),
        ("Capacity", power(int(facts["capacity_w"]))),
        ("Commissioned", day(facts["commissioned_day"] * 86_400)),
        ("Produced", f"{day(bundle['production_from'])} to {day(int(bundle['production_to']) - 1)}"),
        ("Issued", f"{utc(int(bundle['issued_at']))} UTC"),
        ("Public support", facts["support"] or "none declared"),
        ("Verified by", f"verifier version {bundle['verifier_version']}, profile {bundle['profile_hash'][:16]}…"),
        ("Labels", ", ".join(bundle["reasons"])),
    )
    return Safe(
        f'<section><h2>{escape(facts["name"])}</h2><table class="facts"><tbody>{table}</tbody></table></section>'
    )


# --- certificate


def certificate(frame: Frame, shown: dict[str, Any]) -> str:
    facts, issuance = shown["facts"], shown["issuance"]
    statement_id = shown["statement"]
    return page(
        frame,
        shown["number"],
        fill(
            "certificate.html",
            mood=MOODS.get(shown["status"], "warn"),
            status=shown["status"],
            number=shown["number"],
            facts=pairs(
                ("Holder", shown["holder_name"] if shown["status"] in ("active", "locked", "reserved") else ""),
                ("Retired in", link(f"/statement/{statement_id}", statement_id) if statement_id else ""),
                ("One certificate", f"{energy(int(shown['scheme']['face_value']))} ({shown['scheme']['name']})"),
                ("Device", f"{facts['name']}, {facts['location'] or facts['country']}"),
                ("Technology", f"{facts['technology']} · fuel {facts['fuel']}"),
                ("Capacity", power(int(facts["capacity_w"]))),
                ("Produced", f"{day(issuance['production_from'])} to {day(int(issuance['production_to']) - 1)}"),
                ("Issued", f"{utc(int(issuance['issued_at']))} UTC"),
                ("Can be traded until", f"{utc(int(issuance['trade_until']))} UTC"),
                ("Can be retired until", f"{utc(int(issuance['retire_until']))} UTC"),
                ("Labels", ", ".join(issuance["reasons"])),
            ),
            ranges=rows(
                [
                    Safe(f"<code>{escape(part['number'])}</code>"),
                    Number(int(part["quantity"])),
                    part["status"],
                    str(part["holder"]),
                ]
                for part in shown["ranges"]
            ),
            history=rows(
                [
                    utc(step["time_ms"] // 1000),
                    ACTION_WORDS.get(step["event"], step["event"]),
                    step["from_name"],
                    step["to_name"],
                    link(f"/v1/transactions/{step['txid']}", step["txid"][:16] + "…"),
                ]
                for step in shown["history"]
            ),
        ),
    )


# --- a refusal, as a page


def refusal(frame: Frame, title: str, message: str) -> str:
    body = Safe(
        f'<h1>{escape(title)}</h1><section><p>{escape(message)}</p><p><a href="/">Back to the start</a></p></section>'
    )
    return page(frame, title, body)


# --- pieces


class Number(int):
    """Shown right-aligned with thousands."""


def rows(lines: Iterable[list[Any]]) -> Safe:
    return Safe("".join("<tr>" + "".join(_cell(value) for value in line) + "</tr>" for line in lines))


def _cell(value: Any) -> str:
    if isinstance(value, Number):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{_escaped(value)}</td>"


def pairs(*facts: tuple[str, str]) -> Safe:
    """A line for each fact that is not empty."""
    return Safe(
        "".join(f"<tr><th>{escape(name)}</th><td>{_escaped(value)}</td></tr>" for name, value in facts if value)
    )


def link(path: str, text: str) -> Safe:
    return Safe(f'<a href="{escape(path)}"><code>{escape(text)}</code></a>')


def qr(url: str) -> Safe:
    """Dark on white in either colour scheme, or scanners fail."""
    return Safe(segno.make(url, error="m", micro=False).svg_inline(scale=4, border=2, dark="#000", light="#fff"))


def _escaped(value: Any) -> str:
    return value if isinstance(value, Safe) else escape(str(value))


def utc(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"  # a deadline beyond the calendar


def day(seconds: int | str) -> str:
    return utc(int(seconds))[:10] if int(seconds) < 253_402_300_800 else f"second {seconds}"


def energy(wh: int) -> str:
    """Exact: the largest unit that leaves no more than three decimals."""
    for unit, size in (("GWh", 10**9), ("MWh", 10**6), ("kWh", 10**3)):
        if wh >= size and wh % (size // 1000) == 0:
            whole, rest = divmod(wh, size)
            decimals = f"{rest * 1000 // size:03d}".rstrip("0")
            return f"{whole:,}.{decimals} {unit}" if decimals else f"{whole:,} {unit}"
    return f"{wh:,} Wh"


def power(w: int) -> str:
    return energy(w).removesuffix("h")
