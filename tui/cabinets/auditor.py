"""The auditor's cabinet: find anything, follow a number through its life, and hold the chain against the evidence."""

from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from node.client import NodeClient
from node.failures import RefusedByNode
from state.errors import WattestError
from tui.deeds.deed import Mistake
from tui.deeds.people import find_participant
from tui.desk import Desk
from tui.directory import Cabinet
from tui.pictures import HOLD, REJECT, ValidatorPicture
from tui.screens.cabinet import CabinetScreen, Keys
from tui.screens.detail import BlockScreen, DetailScreen, TransactionScreen
from tui.screens.life import LifeScreen
from tui.screens.statement import StatementScreen
from tui.texts import reason, said, t, word
from tui.widgets.columns import BAD, GOOD, QUIET, STRONG, Part
from tui.widgets.sheet import Column, Line, Sheet
from tui.widgets.texts import TextPanel
from tui.words import date, energy

DAYS = (
    Column("plant", 22),
    Column("day", 10),
    Column("verdict", 8),
    Column("energy", 9, right=True),
    Column("why", 58),
)
SCHEMES = (
    Column("scheme", 10),
    Column("issued", 8, right=True),
    Column("live", 8, right=True),
    Column("retired", 8, right=True),
    Column("expired", 7, right=True),
    Column("sum", 5),
)
EXAMPLES = "certificate number, transaction, statement, block, `device 1` or a participant's name"


@dataclass(frozen=True)
class Answer:
    supply: dict[str, Any]
    roots: str


class AuditorScreen(CabinetScreen):
    HEADING = "Auditor"
    KEYS: ClassVar[Keys] = (
        ("s", "search"),
        ("v", "judge the day again"),
        ("Enter", "open the day"),
        ("/", "filter"),
        ("o", "order"),
        ("e", "export"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "search", "Search anything"),
        Binding("v", "judge", "Judge the day again and compare with the chain"),
    ]

    def body(self) -> ComposeResult:
        yield Input(placeholder=t(EXAMPLES), id="search")
        yield Sheet(t("Days without a certificate"), DAYS, id="days", empty=t("no day was held or refused"))
        yield TextPanel(t("Judged again"), id="again")
        with Horizontal(id="below"):
            yield Sheet(t("Conservation"), SCHEMES, id="schemes")
            yield TextPanel(t("Nodes"), id="nodes")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#days", Sheet).focus_rows()
        self.query_one("#again", TextPanel).picture = (
            ((t("v asks the node to judge the chosen day again from its readings, and compares."), QUIET),),
        )

    # --- what is shown

    def paint(self) -> None:
        model = self.desk.model
        plants = model.plants.picture(len(model.chain.validators), model.chain.time_ms // 1_000).plants
        lines = [
            Line(
                f"{plant.device}-{day.day}",
                (plant.name, date(day.day), word(verdict_word), energy(day.energy_wh), day.sentence),
                (plant.name.casefold(), day.day, verdict_word, day.energy_wh, day.sentence),
                ("strong", "", style),
            )
            for plant in plants
            for day in reversed(plant.days)
            for verdict, verdict_word, style in ((HOLD, "held", "warn"), (REJECT, "refused", "bad"))
            if day.verdict == verdict
        ]
        total = sum(int(line.sorts[3]) for line in lines)
        self.query_one("#days", Sheet).show(lines, t("{energy} without certificate", energy=energy(total)))
        picture = model.chain.picture()
        style = {"equal": GOOD, "differ": BAD}.get(picture.roots, QUIET)
        head: tuple[Part, ...] = (
            (t("state roots {roots}", roots=word(picture.roots)), style),
            (" " + t("at block {height}", height=picture.height), QUIET),
        )
        self.query_one("#nodes", TextPanel).picture = (head, *map(_node, picture.validators))

    def read(self, client: NodeClient, asked: None) -> dict[str, Any]:
        return client.get("/v1/supply")

    def show(self, found: dict[str, Any]) -> None:
        self.query_one("#schemes", Sheet).show(
            [_scheme(item) for item in found["schemes"]], t("at block {height}", height=found["height"])
        )

    # --- searching

    def action_search(self) -> None:
        self.query_one("#search", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "search" and event.value.strip():
            self.run_worker(lambda: self._find(event.value.strip()), thread=True, exit_on_error=False)

    def _find(self, text: str) -> None:
        """In a thread: what the text names is opened, or a sentence says that there is no such thing."""
        try:
            client = self.desk.client()
            try:
                screen = target(self.desk, client, text)
            finally:
                client.close()
        except (WattestError, Mistake) as error:
            self.app.call_from_thread(self.notify, said(error), severity="warning", timeout=6)
        else:
            self.app.call_from_thread(self.app.push_screen, screen)

    # --- judging again

    def on_sheet_opened(self, message: Sheet.Opened) -> None:
        if message.sheet.id == "days":
            self.action_judge()

    def action_judge(self) -> None:
        key = self.query_one("#days", Sheet).chosen
        if not key:
            self.notify(t("Choose a day in the table first."), timeout=4)
            return
        device, day = map(int, key.split("-"))
        self.query_one("#again", TextPanel).picture = (((t("judging from the readings …"), QUIET),),)
        self.run_worker(lambda: self._judge(device, day), thread=True, exit_on_error=False)

    def _judge(self, device: int, day: int) -> None:
        try:
            client = self.desk.client()
            try:
                curve = client.get(f"/v1/devices/{device}/curve", day=day)
                days = list(client.pages(f"/v1/devices/{device}/days", "days", from_=day, to=day))
            finally:
                client.close()
        except WattestError as error:
            rows: tuple[tuple[Part, ...], ...] = (((said(error), BAD),),)
        else:
            rows = _compared(curve, days, self.desk.model.names.device(device).name, day)
        self.app.call_from_thread(self._show_again, rows)

    def _show_again(self, rows: tuple[tuple[Part, ...], ...]) -> None:
        if self.is_mounted:
            self.query_one("#again", TextPanel).picture = rows


def target(desk: Desk, client: NodeClient, text: str) -> Any:
    """The screen of what is named. Mistake or a node's refusal where nothing is."""
    url = client.url
    bare = text.removeprefix("#").strip()
    if bare.isascii() and bare.isdigit():
        client.get(f"/v1/blocks/{bare}")
        return BlockScreen(url, int(bare))
    word, _, rest = bare.partition(" ")
    if word.casefold() == "device" and rest.isdigit():
        client.get(f"/v1/devices/{rest}")
        return FieldsScreen(url, f"/v1/devices/{rest}", client.at)
    if len(bare) == 32 and _hexadecimal(bare):
        client.get(f"/v1/statements/{bare}")
        return StatementScreen(desk, bare)
    if len(bare) == 64 and _hexadecimal(bare):
        return _hash(client, bare)
    if bare.count("-") >= 4:
        client.get(f"/v1/certificates/{quote(bare)}")
        return LifeScreen(url, bare, client.at)
    return FieldsScreen(url, f"/v1/participants/{find_participant(client, bare)['id']}", client.at)


def _hash(client: NodeClient, text: str) -> Any:
    """A block's or a transaction's."""
    try:
        return BlockScreen(client.url, int(client.get(f"/v1/blocks/{text}")["height"]))
    except RefusedByNode:
        if client.transaction(text)["status"] == "unknown":
            raise Mistake(t("No block and no transaction has the hash {text}….", text=text[:16])) from None
        return TransactionScreen(client.url, text)


def _hexadecimal(text: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in text)


class FieldsScreen(DetailScreen):
    HEADING = "On the ledger"


def _node(seat: ValidatorPicture) -> tuple[Part, ...]:
    height = "–" if seat.height is None else str(seat.height)
    return ((f"{seat.name:<14}", STRONG), (f"{height:>8}  ", ""), (seat.state_root[:16], QUIET))


def _scheme(item: dict[str, Any]) -> Line:
    counts = [int(item[name]) for name in ("issued", "live", "retired", "expired")]
    holds = counts[0] == sum(counts[1:]) + int(item.get("withdrawn", 0))
    return Line(
        str(item["scheme"] if "scheme" in item else item["id"]),
        (str(item["name"]), *(f"{count:,}" for count in counts), word("holds" if holds else "DIFFERS")),
        (str(item["name"]), *counts, word("holds" if holds else "DIFFERS")),
        ("strong", "", "", "", "", "good" if holds else "bad"),
    )


def _compared(curve: dict[str, Any], days: list[dict[str, Any]], plant: str, day: int) -> tuple[tuple[Part, ...], ...]:
    """What the chain says beside what this node's verifier says now. A later step may have refused a good day."""
    head: tuple[Part, ...] = ((f"{plant}, {date(day)}", STRONG),)
    if not days:
        return (head, ((t("The chain has no verdict on this day yet."), QUIET),))
    first = days[0]
    chain = (first["verdict"], int(first["energy_wh"]), tuple(sorted(first["reasons"])))
    again = (curve["verdict"], int(curve["energy_wh"]), tuple(sorted(curve["reasons"])))
    rows: list[tuple[Part, ...]] = [head]
    for who, (verdict, watt_hours, reasons) in ((t("on the chain") + "   ", chain), (t("judged again") + "   ", again)):
        rows.append(((who, QUIET), (f"{word(verdict)}, {energy(watt_hours)}", ""), (f"   {', '.join(reasons)}", QUIET)))
    equal = chain[:2] == again[:2] and set(again[2]) <= set(chain[2])
    told = ("✔ " + t("the same"), GOOD) if equal else ("✖ " + t("they differ: `wattest audit` says more"), BAD)
    sentences = [reason(code) for code in chain[2] if chain[0] != "accept" and code != "single_source"]
    return (*rows, (told,), *(((sentence, QUIET),) for sentence in sentences))


CABINET = Cabinet("A", "Auditor", 50, AuditorScreen, frozenset({"auditor"}))
