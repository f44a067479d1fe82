"""Paying what one owes: a bid on margin locked a part, and what it won beyond that is paid before a moment."""

from typing import TYPE_CHECKING, Any

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values, scaled, signed_in
from tui.deeds.market import PLACES, funds_for
from tui.texts import t
from tui.words import ledger_time, money

if TYPE_CHECKING:
    from node.client import NodeClient
    from tui.account import Account


def pay_form(debts: list[dict[str, Any]]) -> Form:
    """For one of what is due, the first that ends proposed in full."""
    named = {_name(debt): debt for debt in sorted(debts, key=lambda debt: int(debt["due_at"]))}

    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        return _pay(client, signed_in(given), named[values["debt"].strip()], values["amount"])

    return Form(
        "pay",
        t("Pay what you owe"),
        (
            Field("debt", t("for"), next(iter(named)), choices=tuple(named)),
            Field("amount", t("how much"), hint=t("nothing typed: all of it"), required=False),
        ),
        make,
        t("Lots come whole and in order, each when it is paid in full, with the next blocks."),
    )


def _name(debt: dict[str, Any]) -> str:
    return t(
        "session {number}: {price} until {moment}",
        number=debt["auction"],
        price=money(int(debt["owed"]), debt["currency"]),
        moment=ledger_time(int(debt["due_at"]) * 1_000)[:16],
    )


def _pay(client: "NodeClient", me: "Account", debt: dict[str, Any], amount: str) -> Deed:
    from state.transaction import Pay

    owed, currency = int(debt["owed"]), str(debt["currency"])
    paid = scaled(amount, PLACES, t("how much")) if amount.strip() else owed
    if not 0 < paid <= owed:
        raise Mistake(t("how much: {price} is owed.", price=money(owed, currency)))
    rest = owed - paid
    still = t("{price} is still owed after this", price=money(rest, currency)) if rest else t("that is all of it")
    action = Pay(int(debt["auction"]), me.id, paid, funds_for(client, me.id, currency, paid))
    return Deed(t("Pay"), (action,), (still,))
