"""The whole life of a certificate number as a timeline, from the readings to where it is now."""

from typing import Any
from urllib.parse import quote

from textual.content import Content
from textual.widgets import Static

from tui.screens.detail import DetailScreen
from tui.texts import kind_word, reason, t, word
from tui.widgets.columns import GOOD, QUIET, STRONG, WARN, row
from tui.words import date, ledger_time, power

DAY_S = 86_400
STYLES = {"retired": GOOD, "expired": WARN, "withdrawn": WARN}


class LifeScreen(DetailScreen):
    HEADING = "A certificate's life"

    def __init__(self, url: str, number: str, at: int | None = None) -> None:
        super().__init__(url, f"/v1/certificates/{quote(number)}", at)

    def show(self, answer: dict[str, Any]) -> None:
        self.query_one("#fields", Static).update(Content("\n").join(life(answer)))


def life(answer: dict[str, Any]) -> list[Content]:
    """The API's certificate, as lines from its birth on."""
    issuance, facts = answer["issuance"], answer["facts"]
    first, last = int(issuance["production_from"]), int(issuance["production_to"])
    status = str(answer["status"])
    where = answer["holder_name"] or t("nobody")
    lines = [
        row(
            (answer["number"], STRONG), ("   ", ""), (kind_word(status), STYLES.get(status, GOOD)), (f"   {where}", "")
        ),
        Content(""),
        _step(
            t("production"),
            t("{date} to {date_2}", date=date(first // DAY_S), date_2=date((last - 1) // DAY_S)),
            _plant(facts),
        ),
        _step(
            t("weather check"),
            "",
            t("passed; remarks: {reasons}", reasons=" ".join(map(reason, issuance["reasons"])) or word("none")),
        ),
    ]
    for event in answer["history"]:
        giver, taker = event.get("from_name"), event.get("to_name")
        hands = f"{giver} → {taker}" if giver and taker and giver != taker else str(taker or giver or "")
        lines.append(
            _step(
                kind_word(str(event["event"])),
                ledger_time(int(event["time_ms"])),
                t("{hands}   block {height}", hands=hands, height=event["height"]),
            )
        )
        lines.append(row((" " * 42, ""), (str(event["txid"]), QUIET)))
    if answer.get("statement"):
        lines.append(_step(kind_word("statement"), "", str(answer["statement"])))
    for part in answer["ranges"]:
        if part["number"] != answer["number"]:
            lines.append(_step(t("part"), kind_word(str(part["status"])), f"{part['number']}   {part['holder'] or ''}"))
    return lines


def _plant(facts: dict[str, Any]) -> str:
    place = facts["location"] or facts["country"]
    return f"{facts['name']}, {place}, {power(int(facts['capacity_w']))}, {facts['technology']}"


def _step(what: str, when: str, told: str) -> Content:
    return row(("● ", GOOD), (f"{what:<14}", STRONG), (f"{when:<26}", QUIET), (told, ""))
