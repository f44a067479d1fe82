"""Selling from one's own stock: at a fixed price to whoever comes, or in a session that takes such certificates."""

import time
from typing import TYPE_CHECKING, Any

from tui.deeds.certificates import chosen_ranges, numbers_of
from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values, scaled, signed_in, whole
from tui.deeds.market import PLACES, offer_form
from tui.texts import t
from tui.words import money

if TYPE_CHECKING:
    from pathlib import Path

    from node.client import NodeClient
    from tui.account import Account

DAY_S = 86_400
LONGEST_DAYS = 3_650


def taking(sessions: list[dict[str, Any]], item: dict[str, Any]) -> list[dict[str, Any]]:
    """The open sessions that trade what a range of the registry is; the ledger judges the rest, such as months."""
    return [session for session in sessions if _trades(session["lot_class"], item)]


def _trades(kind: dict[str, Any], item: dict[str, Any]) -> bool:
    return (
        int(kind["scheme"]) == int(item["scheme"])
        and str(item["technology"]).startswith(kind["technology"])
        and kind["zone"] in ("", item["zone"])
        and int(kind["device"]) in (0, int(item["device"]))
    )


def sell_form(item: dict[str, Any], sessions: list[dict[str, Any]], home: "Path") -> Form:
    posted = t("a posted lot: whoever takes it pays this price, at once")
    places = {
        t("session {number}: {title}", number=session["id"], title=session["title"]): session for session in sessions
    }

    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        session = places.get(values["where"])
        if session is None:
            return _post(client, given, int(item["scheme"]), values)
        offered = {"number": values["number"], "quantity": values["quantity"], "limit": values["price"]}
        return offer_form(session, "", 0, home).make(client, given, offered)

    return Form(
        "sell",
        t("Sell from {number}", number=item["number"]),
        (
            Field("where", t("how"), choices=(*places, posted)),
            Field("number", t("certificates"), str(item["number"])),
            Field("quantity", t("how many, from the first on"), str(item["quantity"])),
            Field("price", t("price each"), hint=t("such as {example}; in a session the lowest", example="2.80")),
            Field("days", t("days that a posted lot stands"), "30"),
        ),
        make,
        t("What is for sale is locked until it is sold or taken back: Market (M), c."),
    )


def _post(client: "NodeClient", given: "Account | None", scheme: int, values: Values) -> Deed:
    from state.transaction import ListLot

    account = signed_in(given)
    price = scaled(values["price"], PLACES, t("price each"))
    days = whole(values, "days", t("days that a posted lot stands"), least=1)
    if price <= 0:
        raise Mistake(t("price each: more than nothing; a transfer gives certificates away."))
    if days > LONGEST_DAYS:
        raise Mistake(t("days that a posted lot stands: {days} at most.", days=f"{LONGEST_DAYS:,}"))
    chosen = chosen_ranges(client, account, values)
    currency = next(str(each["currency"]) for each in client.get("/v1/schemes")["schemes"] if int(each["id"]) == scheme)
    until = int(time.time()) + days * DAY_S
    actions = tuple(
        ListLot(account.id, holding.outpoint, start, end, price, currency, 0, until) for holding, start, end in chosen
    )
    count = sum(end - start + 1 for _, start, end in chosen)
    whole_price = t("all of it for {price}, to whoever pays it first", price=money(price * count, currency))
    return Deed(t("Sell"), actions, (*numbers_of(chosen), whole_price))


def withdraw_deed(account: "Account", lot: dict[str, Any]) -> Deed:
    """The certificates of a posted lot become free again."""
    from state.transaction import Cancel

    return Deed(t("Take back"), (Cancel(account.id, bytes.fromhex(lot["outpoint"])),), (str(lot["number"]),))
