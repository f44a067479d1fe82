"""The holder's cabinet: what one holds by source, month or zone, when it ends, and what one did with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from node.client import NodeClient
from tui.account import HOLDER
from tui.deeds.certificates import retire_form, transfer_form
from tui.deeds.form import Form
from tui.deeds.paying import pay_form
from tui.deeds.selling import sell_form, taking
from tui.directory import Cabinet
from tui.parts.names import TECHNOLOGIES
from tui.screens.cabinet import CabinetScreen, Keys
from tui.screens.detail import DetailScreen
from tui.screens.statement import StatementScreen
from tui.texts import t, word
from tui.widgets.columns import BAD, QUIET, STRONG, WARN, Part, cell
from tui.widgets.sheet import Column, Line, Sheet
from tui.widgets.texts import TextPanel
from tui.words import date, date_of, energy, ledger_time, money, month

BY = ("technology", "source", "month", "zone", "country", "device", "scheme", "status")
LOCKING = ("bid", "sealed_bid", "purse", "guarantee", "payout_request")  # outputs with own money in them
PAGE = 200
DAY_S = 86_400
SOON_S = 30 * DAY_S  # what ends within a month is marked

GROUPS = (
    Column("group", 20),
    Column("certificates", 12, right=True),
    Column("energy", 10, right=True),
    Column("first ends", 10),
)
RANGES = (
    Column("number", 51),
    Column("count", 9, right=True),
    Column("energy", 9, right=True),
    Column("produced", 10),
    Column("plant", 18),
    Column("status", 7),
)
SORTS = {0: "number", 1: "quantity", 3: "produced"}  # columns of RANGES by which a node orders all of them
STATEMENTS = (Column("statement", 18), Column("retired", 19), Column("certificates", 13, right=True))
ENTRIES = (Column("time", 11), Column("certificates", 12, right=True), Column("money", 12, right=True), Column("what"))


@dataclass(frozen=True)
class Question:
    """`me` is 0 for whoever looks on: then the whole registry is shown."""

    me: int
    by: str
    pages: int
    sort: str = "produced"
    down: bool = True


@dataclass(frozen=True)
class Answer:
    about: Question
    summary: dict[str, Any]
    ranges: tuple[dict[str, Any], ...]
    more: bool
    statements: tuple[dict[str, Any], ...]
    money: tuple[tuple[str, int, int], ...]  # currency, free, locked in the market
    sessions: tuple[dict[str, Any], ...] = ()  # that take orders now
    debts: tuple[dict[str, Any], ...] = ()  # that wait for payment, or for what comes after it


class HolderScreen(CabinetScreen):
    HEADING = "Holder"
    KEYS: ClassVar[Keys] = (
        ("g", "group by"),
        ("Enter", "open"),
        ("s", "sell"),
        ("r", "retire"),
        ("t", "transfer"),
        ("p", "pay"),
        ("/", "filter"),
        ("o", "order"),
        ("e", "export"),
        ("y", "copy"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "group", "Group by another property"),
        Binding("s", "sell", "Sell certificates"),
        Binding("r", "retire", "Retire certificates"),
        Binding("t", "transfer", "Transfer certificates"),
        Binding("p", "pay", "Pay what is owed"),
    ]

    def body(self) -> ComposeResult:
        with Horizontal(id="above"):
            yield Sheet(t("Portfolio"), GROUPS, id="portfolio", empty=t("nothing is held"))
            yield TextPanel(t("Money"), id="money")
        yield Sheet(t("Certificates"), RANGES, id="certificates", empty=t("no certificates"))
        with Horizontal(id="below"):
            yield Sheet(t("Statements"), STATEMENTS, id="statements", empty=t("nothing was retired yet: r retires"))
            yield Sheet(t("Account"), ENTRIES, id="entries", empty=t("sign in with S to see your account"))

    def on_mount(self) -> None:
        self._by = BY.index(self.desk.habits.group) if self.desk.habits.group in BY else 0
        self._pages = 1
        self._answer: Answer | None = None
        super().on_mount()
        self.query_one("#certificates", Sheet).focus_rows()

    def paint(self) -> None:
        me, model = self.desk.me, self.desk.model
        entries = model.books.of(me) if me else ()
        self.query_one("#entries", Sheet).show(
            [
                Line(
                    f"{entry.height}-{len(entries) - place}",
                    (
                        ledger_time(entry.time_ms)[5:16],
                        f"{entry.certificates:+,} {entry.unit}" if entry.certificates else "",
                        money(entry.money, entry.currency) if entry.money else "",
                        entry.what,
                    ),
                    (entry.time_ms, entry.certificates, entry.money, entry.what.casefold()),
                )
                for place, entry in enumerate(entries)
            ],
            t("since block {first}", first=model.chain.first),
        )

    # --- from the node

    def asked(self) -> Question:
        _, column, down = self.query_one("#certificates", Sheet).arranged
        if column in SORTS:
            return Question(self.desk.me, BY[self._by], self._pages, SORTS[column], down)
        return Question(self.desk.me, BY[self._by], self._pages)

    def read(self, client: NodeClient, asked: Question) -> Answer:
        holder = asked.me or None
        summary = client.get("/v1/search/summary", by=asked.by, status="live", holder=holder)
        ranges: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(asked.pages):
            found = client.get(
                "/v1/search",
                status="live",
                holder=holder,
                sort=asked.sort,
                order="down" if asked.down else "up",
                limit=PAGE,
                cursor=cursor,
            )
            ranges += found["certificates"]
            cursor = found["cursor"]
            if cursor is None:
                break
        statements = client.get("/v1/statements", holder=holder, limit=PAGE)["statements"]
        sessions = tuple(client.pages("/v1/auctions", "auctions", status="open")) if asked.me else ()
        own = _money(client, asked.me)
        owed = tuple(client.pages("/v1/obligations", "obligations", participant=asked.me)) if asked.me else ()
        return Answer(asked, summary, tuple(ranges), cursor is not None, tuple(statements), own, sessions, owed)

    def show(self, found: Answer) -> None:
        self._answer = found
        summary, now_s = found.summary, self.desk.model.chain.time_ms // 1_000
        whose = t("My portfolio") if found.about.me else t("Whole registry")
        portfolio = self.query_one("#portfolio", Sheet)
        portfolio.title = t("{whose} by {by}", whose=whose, by=word(found.about.by))
        portfolio.show(
            [self._group(group, found.about.by, now_s) for group in summary["groups"]],
            t(
                "{quantity:,} certificates, {energy}",
                quantity=int(summary["quantity"]),
                energy=energy(int(summary["energy_wh"])),
            ),
        )
        holder = f"&holder={found.about.me}" if found.about.me else ""
        self.query_one("#certificates", Sheet).whole = f"/v1/search/export?status=live{holder}"
        self.query_one("#certificates", Sheet).show(
            [_range(item) for item in found.ranges],
            _told(found, int(summary["total"])),
            found.more,
        )
        self.query_one("#statements", Sheet).show([_statement(item) for item in found.statements])
        self.query_one("#money", TextPanel).picture = _money_rows(found)

    def _group(self, group: dict[str, Any], by: str, now_s: int) -> Line:
        ends, name = int(group["retire_until"]), str(group["name"])
        names = self.desk.model.names
        match by:
            case "device":
                name = names.device(int(name)).name
            case "scheme":
                name = names.scheme(int(name)).name
            case "month":
                name = month(int(name))
            case "technology" if name[:3] in TECHNOLOGIES:
                name = f"{word(TECHNOLOGIES[name[:3]])} {name}"
        soon = ends - now_s < SOON_S
        quantity, energy_wh = int(group["quantity"]), int(group["energy_wh"])
        return Line(
            str(group["name"]) or "none",
            (name or t("not given"), f"{quantity:,}", energy(energy_wh), date_of(ends)),
            (name.casefold(), quantity, energy_wh, ends),
            ("strong", "", "", "warn" if soon else "quiet"),
        )

    # --- keys

    def on_sheet_arranged(self, message: Sheet.Arranged) -> None:
        """The node orders all of them, of which the first pages are shown."""
        super().on_sheet_arranged(message)
        if message.sheet.id == "certificates":
            self._pages = 1
            self.refresh_soon()

    def action_group(self) -> None:
        self._by = (self._by + 1) % len(BY)
        self.desk.habits.group = BY[self._by]
        self.refresh_soon()

    def on_sheet_wanted(self, message: Sheet.Wanted) -> None:
        """More rows, unless those that were asked for are still on their way."""
        if self._answer is not None and self._answer.more and self._answer.about.pages == self._pages:
            self._pages += 1
            self.refresh_soon()

    def on_sheet_opened(self, message: Sheet.Opened) -> None:
        url = self.desk.source.answering()
        if message.sheet.id == "certificates":
            self.app.push_screen(CertificateScreen(url, f"/v1/certificates/{quote(message.key)}", self.desk.at))
        elif message.sheet.id == "statements":
            self.app.push_screen(StatementScreen(self.desk, message.key))

    def _chosen(self) -> dict[str, Any] | None:
        key = self.query_one("#certificates", Sheet).chosen
        ranges = self._answer.ranges if self._answer is not None else ()
        return next((item for item in ranges if item["number"] == key), None)

    def action_sell(self) -> None:
        sessions = list(self._answer.sessions) if self._answer is not None else []
        self._act(lambda item: sell_form(item, taking(sessions, item), self.desk.home))  # type: ignore[arg-type]

    def action_retire(self) -> None:
        self._act(lambda item: retire_form(item["number"], int(item["quantity"]), self.desk.account))  # type: ignore[arg-type]

    def action_transfer(self) -> None:
        self._act(lambda item: transfer_form(item["number"], int(item["quantity"])))

    def action_pay(self) -> None:
        debts = self._answer.debts if self._answer is not None else ()
        due = [debt for debt in debts if debt["status"] == "due"]
        if self.in_the_past():
            return
        if self.desk.account is None:
            self.notify(t("Nobody is signed in: sign in with S first."), severity="warning", timeout=4)
        elif not due:
            self.notify(t("You owe nothing."), timeout=4)
        else:
            self.open_form(pay_form(due))

    def _act(self, form: Callable[[dict[str, Any]], Form]) -> None:
        item = self._chosen()
        if self.desk.account is None:
            self.notify(t("Nobody is signed in: sign in with S first."), severity="warning", timeout=4)
        elif item is None:
            self.notify(t("Choose certificates in the table first."), timeout=4)
        elif item["status"] != "active":
            self.notify(
                t(
                    "These are {status}: take the offer back first, in the market (M, then c).",
                    status=word(item["status"]),
                ),
                severity="warning",
                timeout=4,
            )
        else:
            self.open_form(form(item))


class CertificateScreen(DetailScreen):
    HEADING = "Certificate"


def _told(found: Answer, total: int) -> str:
    if (found.about.sort, found.about.down) == ("produced", True):
        return t("{ranges:,} of {total:,} ranges, newest production first", ranges=len(found.ranges), total=total)
    return t("{ranges:,} of {total:,} ranges", ranges=len(found.ranges), total=total)


def _money(client: NodeClient, me: int) -> tuple[tuple[str, int, int], ...]:
    """Own money by currency: what is free, and what bids, purses and debts have locked."""
    if not me:
        return ()
    free: dict[str, int] = {}
    locked: dict[str, int] = {}
    for item in client.outputs(me, "funds"):
        free[item["currency"]] = free.get(item["currency"], 0) + int(item["amount"])
    for item in (item for kind in LOCKING for item in client.outputs(me, kind)):
        held = item.get("funds", item)
        locked[held["currency"]] = locked.get(held["currency"], 0) + int(held["amount"])
    return tuple((currency, free.get(currency, 0), locked.get(currency, 0)) for currency in sorted({*free, *locked}))


def _money_rows(found: Answer) -> tuple[tuple[Part, ...], ...]:
    if not found.about.me:
        return (((t("Sign in with S to see your money."), QUIET),),)
    if not found.money:
        return (((t("No money on the ledger. The payment operator books deposits."), QUIET),),)
    rows: list[tuple[Part, ...]] = []
    heads = t("free to use"), t("in bids")
    width = max(cell_len(head) for head in heads) + 2
    for currency, free, locked in found.money:
        rows.append((cell(heads[0], width, QUIET), (money(free, currency), STRONG)))
        rows.append((cell(heads[1], width, QUIET), (money(locked, currency), "")))
    rows += [_debt(debt) for debt in sorted(found.debts, key=lambda debt: int(debt["due_at"]))]
    return tuple(rows)


def _debt(debt: dict[str, Any]) -> tuple[Part, ...]:
    """What is owed and until when, or what became of it."""
    price, until = money(int(debt["owed"]), debt["currency"]), ledger_time(int(debt["due_at"]) * 1_000)[5:16]
    match debt["status"]:
        case "due":
            said = t("owed until {moment}: p pays", moment=until)
            return ((price, WARN), ("  " + said, QUIET))
        case "paid":
            return ((t("session {number}: paid, lots are on their way", number=debt["auction"]), QUIET),)
    return ((t("session {number}: not paid by {moment}", number=debt["auction"], moment=until), BAD),)


def _range(item: dict[str, Any]) -> Line:
    count, energy_wh, produced = int(item["quantity"]), int(item["energy_wh"]), int(item["production_from"])
    return Line(
        item["number"],
        (item["number"], f"{count:,}", energy(energy_wh), date(produced // DAY_S), item["plant"], word(item["status"])),
        (item["number"], count, energy_wh, produced, item["plant"].casefold(), item["status"]),
        ("strong", "", "", "", "", "" if item["status"] == "active" else "warn"),
    )


def _statement(item: dict[str, Any]) -> Line:
    count, retired_at = int(item["quantity"]), int(item["retired_at"])
    return Line(
        item["id"],
        (item["id"][:16] + "…", ledger_time(retired_at * 1_000)[:19], f"{count:,}"),
        (item["id"], retired_at, count),
    )


CABINET = Cabinet("H", "Holder", 30, HolderScreen, frozenset({HOLDER, "payment_operator"}))
