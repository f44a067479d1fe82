"""The market's cabinet: the sessions and their clocks, the book as far as it is open, prices, and one's own orders."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from node.client import NodeClient
from node.failures import RefusedByNode
from tui.deeds.market import bid_form, buy_form, called, cancel_deed, offer_form
from tui.deeds.selling import withdraw_deed
from tui.deeds.sessions import session_form
from tui.directory import Cabinet
from tui.parts.names import Names
from tui.screens.cabinet import CabinetScreen, Keys
from tui.screens.receipts import ReceiptsScreen
from tui.screens.signing import SigningScreen
from tui.texts import t, word
from tui.widgets.columns import QUIET, STRONG, WARN, Part
from tui.widgets.depth import DepthPanel, DepthPicture
from tui.widgets.sheet import Column, Line, Sheet
from tui.widgets.texts import TextPanel
from tui.words import date_of, money, remaining

SESSIONS = (
    Column("no", 5, right=True),
    Column("session", 32),
    Column("phase", 9),
    Column("clock", 20),
    Column("orders", 7, right=True),
    Column("sold", 9, right=True),
    Column("price", 14, right=True),
)
ORDERS = (Column("order", 5), Column("who", 22), Column("how many", 9, right=True), Column("limit", 9, right=True))
PRICES = (
    Column("no", 4, right=True),
    Column("kind", 16),
    Column("price", 11, right=True),
    Column("sold", 8, right=True),
    Column("", 4),
)
BOARD = (
    Column("source", 6),
    Column("month", 7),
    Column("plant", 14),
    Column("count", 6, right=True),
    Column("price", 9, right=True),
    Column("lot", 26),
    Column("until", 10),
)
PHASE = {"open": "good", "announced": "quiet", "opening": "warn", "closed": "warn", "void": "bad", "settled": ""}
SEALED = "The book is sealed: orders are read after the close."


@dataclass(frozen=True)
class Answer:
    sessions: tuple[dict[str, Any], ...]
    chosen: dict[str, Any] | None
    receipts: tuple[dict[str, Any], ...]  # of the chosen session, once it is settled
    board: tuple[dict[str, Any], ...]


class MarketScreen(CabinetScreen):
    HEADING = "Market"
    KEYS: ClassVar[Keys] = (
        ("b", "bid"),
        ("f", "offer"),
        ("c", "take back"),
        ("w", "buy a lot"),
        ("n", "new session"),
        ("Enter", "receipts"),
        ("/", "filter"),
        ("e", "export"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "bid", "Bid in the session"),
        Binding("f", "offer", "Offer in the session"),
        Binding("c", "cancel", "Take an own order back"),
        Binding("w", "buy", "Buy a posted lot"),
        Binding("n", "session", "Open a session, as a market operator"),
    ]

    def body(self) -> ComposeResult:
        yield Sheet(t("Sessions"), SESSIONS, id="sessions", empty=t("no session was opened yet"))
        with Horizontal(id="book"):
            yield Sheet(t("Orders"), ORDERS, id="orders", empty=t("no order yet"))
            yield DepthPanel(id="depth")
        yield TextPanel(t("The session"), id="session")
        with Horizontal(id="below"):
            yield Sheet(t("Prices by kind"), PRICES, id="prices", empty=t("nothing was sold yet"))
            yield Sheet(t("Posted lots"), BOARD, id="board", empty=t("no lot is posted"))

    def on_mount(self) -> None:
        self._answer: Answer | None = None
        super().on_mount()
        self.query_one("#sessions", Sheet).focus_rows()

    # --- from the node

    def asked(self) -> str:
        return self.query_one("#sessions", Sheet).chosen

    def read(self, client: NodeClient, asked: str) -> Answer:
        sessions = sorted(client.pages("/v1/auctions", "auctions"), key=lambda item: -int(item["id"]))
        there = {str(item["id"]) for item in sessions}  # of an earlier height the chosen one may not be
        number = asked if asked in there else str(sessions[0]["id"]) if sessions else ""
        chosen = client.get(f"/v1/auctions/{number}") if number else None
        receipts: tuple[dict[str, Any], ...] = ()
        if chosen is not None and chosen["status"] == "settled":
            receipts = _receipts(client, number)
        return Answer(tuple(sessions), chosen, receipts, tuple(client.pages("/v1/listings", "listings")))

    def show(self, found: Answer) -> None:
        self._answer = found
        self.query_one("#prices", Sheet).show(_prices(found.sessions))
        self.query_one("#board", Sheet).show([_lot(item, self.desk.model.names, self.desk.me) for item in found.board])
        chosen = found.chosen
        if chosen is not None:
            me, names = self.desk.me, self.desk.model.names
            orders = self.query_one("#orders", Sheet)
            orders.title = t("Orders of session {number}", number=chosen["id"])
            live = [_order(item, me, names.participant(_who(item))) for item in chosen["live_orders"]]
            told = [_filled(item, me, names.participant(int(item["participant"]))) for item in found.receipts]
            orders.show(live or told)
            self.query_one("#depth", DepthPanel).picture = _depth(chosen, found.receipts)
            self.query_one("#session", TextPanel).picture = _told(chosen)
        else:
            self.query_one("#orders", Sheet).show([])
            self.query_one("#depth", DepthPanel).picture = DepthPicture()
            self.query_one("#session", TextPanel).picture = ()
        self.paint()

    def paint(self) -> None:
        """The clocks go on between two readings, by ledger time."""
        if self._answer is not None:
            now_s = self.desk.model.chain.time_ms // 1_000
            self.query_one("#sessions", Sheet).show([_session(item, now_s) for item in self._answer.sessions])

    # --- keys

    def on_sheet_chosen(self, message: Sheet.Chosen) -> None:
        if message.sheet.id == "sessions" and not isinstance(message, Sheet.Opened):
            self.refresh_soon()

    def on_sheet_opened(self, message: Sheet.Opened) -> None:
        if message.sheet.id == "sessions":
            path = f"/v1/auctions/{message.key}/receipts"
            self.app.push_screen(ReceiptsScreen(self.desk.source.answering(), path, self.desk.me, self.desk.at))
        elif message.sheet.id == "board":
            self.action_buy()

    def _taking_orders(self) -> dict[str, Any] | None:
        """The chosen session while it takes orders, from an account that can send some."""
        chosen = self._answer.chosen if self._answer is not None else None
        if self.in_the_past():
            return None
        if self.desk.account is None or self.desk.home is None:
            self.notify(t("Nobody is signed in: {why}.", why=t(self.NEEDS_KEY)), severity="warning", timeout=4)
        elif chosen is None or chosen["status"] != "open":
            self.notify(
                t("Choose a session that is open. Else w buys a posted lot, and H, then s, posts one."),
                severity="warning",
                timeout=4,
            )
        else:
            return chosen
        return None

    def action_bid(self) -> None:
        chosen = self._taking_orders()
        if chosen is not None and self.desk.home is not None:
            self.open_form(bid_form(chosen, self.desk.home))

    def action_offer(self) -> None:
        chosen = self._taking_orders()
        if chosen is not None and self.desk.home is not None:
            self.open_form(offer_form(chosen, "", 0, self.desk.home))

    def action_session(self) -> None:
        account = self.desk.account
        if account is not None and "market_operator" not in account.roles:
            self.notify(t("Sessions are opened by an accredited market operator."), timeout=4)
        else:
            self.open_form(session_form(self.desk.now.chain.time_ms // 1_000))

    def action_cancel(self) -> None:
        board = self.query_one("#board", Sheet)
        lot = next((item for item in self._board() if item["outpoint"] == board.chosen), None)
        if board.has_focus_within and lot is not None:
            self._take_lot_back(lot)
            return
        chosen, account = self._answer.chosen if self._answer is not None else None, self.desk.account
        key = self.query_one("#orders", Sheet).chosen
        order = next((item for item in chosen["live_orders"] if item["outpoint"] == key), None) if chosen else None
        if self.in_the_past():
            return
        if account is None:
            self.notify(t("Nobody is signed in: {why}.", why=t(self.NEEDS_KEY)), severity="warning", timeout=4)
            return
        if order is None or _who(order) != account.id:
            self.notify(
                t("Choose an order or a posted lot of your own first: Tab goes from table to table."), timeout=4
            )
            return
        self.app.push_screen(SigningScreen(self.desk, cancel_deed(account, order)), self._done)

    def _board(self) -> tuple[dict[str, Any], ...]:
        return self._answer.board if self._answer is not None else ()

    def _take_lot_back(self, lot: dict[str, Any]) -> None:
        account = self.desk.account
        if account is None or int(lot["lot"]["holder"]) != account.id:
            self.notify(t("That lot is not yours: w buys of it."), timeout=4)
        elif not self.in_the_past():
            self.app.push_screen(SigningScreen(self.desk, withdraw_deed(account, lot)), self._done)

    def action_buy(self) -> None:
        key = self.query_one("#board", Sheet).chosen
        lots = self._answer.board if self._answer is not None else ()
        lot = next((item for item in lots if item["outpoint"] == key), None)
        if lot is None:
            self.notify(t("Choose a posted lot in the table first."), timeout=4)
        else:
            self.open_form(buy_form(lot))


def _session(item: dict[str, Any], now_s: int) -> Line:
    number, price, sold, left = (
        int(item["id"]),
        int(item["price"]),
        int(item["quantity"]),
        int(item["closes_at"]) - now_s,
    )
    clock = ""
    if item["status"] == "open":
        clock = t("closes in {time}", time=remaining(left)) if left > 0 else t("closing")
    elif item["status"] == "announced":
        clock = t("opens in {time}", time=remaining(int(item["terms"]["opens_at"]) - now_s))
    return Line(
        str(number),
        (
            str(number),
            item["title"] + (f" ({t('sealed')})" if item["terms"]["sealed"] else ""),
            word(item["status"]),
            clock,
            str(item["orders"]),
            f"{sold:,}" if sold else "–",
            money(price, item["currency"]) if price else "–",
        ),
        (number, item["title"].casefold(), item["status"], left, int(item["orders"]), sold, price),
        ("", "strong", PHASE.get(item["status"], "")),
    )


def _who(order: dict[str, Any]) -> int:
    return int(order["lot"]["holder"] if "lot" in order else order["holder"])


def _order(item: dict[str, Any], me: int, name: str) -> Line:
    side = "offer" if "offer" in item["kind"] else "bid"
    sealed = item["kind"].startswith("sealed")
    count, limit = int(item.get("quantity") or 0), int(item.get("limit") or 0)
    return Line(
        item["outpoint"],
        (side, name + (f" ({t('you')})" if _who(item) == me else ""), f"{count:,}" if count else t("sealed"),
         t("sealed") if sealed else money(limit, "")),
        (side, name.casefold(), count, limit),
        ("good" if side == "bid" else "warn", "strong" if _who(item) == me else ""),
    )  # fmt: skip


def _filled(item: dict[str, Any], me: int, name: str) -> Line:
    """An order of a settled session, by its receipt."""
    mine, count, filled = int(item["participant"]) == me, int(item["quantity"]), int(item["filled"])
    return Line(
        str(item["order"]),
        (
            word(item["side"]),
            name + (f" ({t('you')})" if mine else ""),
            f"{filled:,}/{count:,}",
            money(int(item["limit"]), ""),
        ),
        (word(item["side"]), name.casefold(), filled, int(item["limit"])),
        ("good" if item["side"] == "bid" else "warn", "strong" if mine else "", "" if filled else "quiet"),
    )


def _depth(chosen: dict[str, Any], receipts: tuple[dict[str, Any], ...]) -> DepthPicture:
    """Of the open book while it stands, of all orders once they are settled."""
    sides: dict[str, list[tuple[int, int]]] = {"offer": [], "bid": []}
    for item in chosen["live_orders"] or receipts:
        side = item.get("side", item.get("kind"))
        if side in sides:
            sides[side].append((int(item["limit"]), int(item["quantity"])))
    remark = (
        t(SEALED)
        if chosen["terms"]["sealed"] and chosen["status"] == "open"
        else t("No order stands in this book now.")
    )
    return DepthPicture(tuple(sides["offer"]), tuple(sides["bid"]), int(chosen["price"]), chosen["currency"], remark)


def _receipts(client: NodeClient, number: str) -> tuple[dict[str, Any], ...]:
    """Empty at a node that began later than the settlement."""
    try:
        return tuple(client.get(f"/v1/auctions/{number}/receipts")["receipts"])
    except RefusedByNode:
        return ()


def _told(chosen: dict[str, Any]) -> tuple[tuple[Part, ...], ...]:
    trees = [f"{each['name']}: {', '.join(map(called, each['nodes']))}" for each in chosen["terms"]["dimensions"]]
    kinds = t("choose by {kinds}", kinds="; ".join(trees)) if trees else t("one kind")
    floor, ceiling = int(chosen["floor"]), int(chosen["ceiling"])
    limits = t("from {price}", price=money(floor, chosen["currency"])) if floor else t("no floor")
    limits += " " + t("to {price}", price=money(ceiling, chosen["currency"])) if ceiling else ""
    head: tuple[Part, ...] = ((f"{chosen['title']}  ", STRONG), (f"{kinds}   {limits}", QUIET))
    if chosen["status"] == "settled":
        words = t(
            "all who accept a kind pay its one price; settled in block {height}: Enter says why",
            height=chosen["settled_height"],
        )
        return (head, ((words, ""),))
    if chosen["status"] == "void":
        return (head, ((t("void: everything went back, without a penalty"), WARN),))
    return (head, ((t("the highest bids win; all of one kind pay the price of the last one needed"), ""),))


def _prices(sessions: tuple[dict[str, Any], ...]) -> list[Line]:
    return [
        Line(
            f"{item['id']}-{result['place']}",
            (
                str(item["id"]),
                result["label"] or t("any"),
                money(int(result["price"]), item["currency"]) if int(result["price"]) else "–",
                f"{int(result['volume']):,}",
                t("thin") if result["thin"] else "",
            ),
            (int(item["id"]), result["label"], int(result["price"]), int(result["volume"]), int(result["thin"])),
            ("", "strong", "", "", "warn"),
        )
        for item in sessions
        for result in item["results"]
    ]


def _lot(item: dict[str, Any], names: Names, me: int) -> Line:
    """What one would filter by comes first: the source, the month, the plant."""
    count, price, until = int(item["quantity"]), int(item["price"]), int(item["until"])
    plant, mine = names.device(int(item["lot"]["device"])), int(item["lot"]["holder"]) == me
    month = item["number"].split("-")[3]
    month = f"{month[:4]}-{month[4:]}"
    number = item["number"] + (f" ({t('you')})" if mine else "")
    return Line(
        item["outpoint"],
        (word(plant.technology), month, plant.name, f"{count:,}", money(price, item["currency"]), number,
         date_of(until)),
        (plant.technology, month, plant.name.casefold(), count, price, item["number"], until),
        ("strong", "", "strong" if mine else ""),
    )  # fmt: skip


CABINET = Cabinet("M", "Market", 40, MarketScreen, frozenset({"market_operator"}))
