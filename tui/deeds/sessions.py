"""Opening a session: a market operator says what is traded, until when, and how its book is kept."""

import re
from typing import TYPE_CHECKING, Any

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values, scaled, signed_in, whole
from tui.texts import t
from tui.words import ledger_time

if TYPE_CHECKING:
    from node.client import NodeClient
    from state.records import Dimension
    from tui.account import Account

PLACES = 6  # of an amount of money
DURATION = re.compile(r"([0-9]{1,6}) ?(s|m|h|d)")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
OPENING_S = 600  # for sealed orders, after the close
PAY_S = 2 * 86_400  # for the rest of a bid on margin
OPEN, BY_VALIDATORS, BY_OWNERS = "open to everybody", "sealed, opened by validators", "sealed, opened by their owners"


def session_form(now_s: int) -> Form:
    """`now_s`: ledger time, from which the close is counted."""

    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        return _open(client, signed_in(given), values, now_s)

    return Form(
        "session",
        t("Open a session"),
        (
            Field("title", t("title"), hint=t("what people will know it by")),
            Field("scheme", t("scheme"), hint=t("name or number, such as SOLAR-KWH")),
            Field("closes", t("takes orders for"), "2h", hint=t("such as {example}", example="90s, 10m, 2h, 1d")),
            Field("book", t("its book is"), OPEN, choices=(OPEN, BY_VALIDATORS, BY_OWNERS)),
            Field("by", t("buyers choose by"), hint="technology=T01,T02 zone=DK period=2026", required=False),
            Field("floor", t("lowest price each"), hint=t("nothing typed: none"), required=False),
            Field("ceiling", t("highest price each"), hint=t("nothing typed: none"), required=False),
            Field("margin", t("percent of its value that a bid locks"), "100"),
        ),
        make,
        t("Anybody registered may take part. More terms: `wattest auction open --help`."),
    )


def _open(client: "NodeClient", me: "Account", values: Values, now_s: int) -> Deed:
    from state.records import AuctionClass, AuctionTerms
    from state.transaction import OpenAuction

    scheme = scheme_named(client, values["scheme"])
    closes_at, sealed = now_s + _duration(values["closes"], t("takes orders for")), values["book"] != OPEN
    margin = whole(values, "margin", t("percent of its value that a bid locks"), least=1) % 100
    terms = AuctionTerms(
        dimensions=_dimensions(values["by"], t("buyers choose by")),
        sealed=sealed,
        opening_s=OPENING_S if sealed else 0,
        margin=margin * 100,
        pay_s=PAY_S if margin else 0,
        escrow=values["book"] == BY_VALIDATORS,
    )
    floor, ceiling = _price(values, "floor", t("lowest price each")), _price(values, "ceiling", t("highest price each"))
    lots, currency = AuctionClass(int(scheme["id"]), "", "", 0, 0, 0), str(scheme["currency"])
    action = OpenAuction(me.id, values["title"].strip(), lots, currency, floor, ceiling, closes_at, terms)
    notes = [t("takes orders until {moment}", moment=ledger_time(closes_at * 1_000)), t(values["book"])]
    if margin:
        notes.append(t("the rest of what it wins is to be paid within {hours} h", hours=PAY_S // 3_600))
    return Deed(t("Open a session"), (action,), tuple(notes))


def _price(values: Values, name: str, label: str) -> int:
    return scaled(values[name], PLACES, label) if values[name].strip() else 0


def _duration(text: str, label: str) -> int:
    match = DURATION.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise Mistake(t("{label}: a time such as 90s, 10m, 2h or 1d, not {text!r}.", label=label, text=text))
    return int(match[1]) * SECONDS[match[2]]


def _dimensions(text: str, label: str) -> "tuple[Dimension, ...]":
    from contracts.attributes import DIMENSIONS
    from state.records import Dimension

    found: dict[str, Any] = {}
    for tree in text.split():
        name, sign, nodes = tree.partition("=")
        if not sign or not nodes or name not in DIMENSIONS:
            names = ", ".join(DIMENSIONS)
            raise Mistake(t("{label}: technology=T01,T02, or one of {names}.", label=label, names=names))
        found[name] = Dimension(name, tuple(nodes.split(",")))
    return tuple(found[name] for name in DIMENSIONS if name in found)


def scheme_named(client: "NodeClient", text: str) -> dict[str, Any]:
    """By name or number; Mistake names those that there are."""
    found = client.get("/v1/schemes")["schemes"]
    wanted = text.strip().casefold()
    for item in found:
        if wanted in (str(item["id"]), str(item["name"]).casefold()):
            return dict(item)
    raise Mistake(
        t("scheme: there are {value}, not {text!r}.", value=", ".join(str(item["name"]) for item in found), text=text)
    )
