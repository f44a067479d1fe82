"""The acts of the story: accreditation, commissioning, a market for both technologies, a transfer, a retirement.

Each act uses the network as its people would: transactions signed with their keys, sent to a node, final on return.
Nothing here knows more than the API tells.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cli.demo.stage import Answer, Stage, found
from cli.demo.stream import post_commissioning, wait_until_sent
from cli.demo.units import CHANNEL_NAMES, Unit
from cli.holdings import chosen_certificates, chosen_funds
from node.claims import retirement
from node.wallet import transfer as transfers
from state.records import AuctionClass
from state.transaction import (
    Deposit,
    DeviceContent,
    GatewayContent,
    MeterContent,
    OpenAuction,
    PlaceBid,
    PlaceOffer,
    ProfileContent,
)
from state.units import MICRO
from tui.texts import t

TERM_S = 5 * 365 * 86_400
OPEN_S = 4  # an auction of the demo stays open this long in block time
SENT_S, PROFILE_S, SETTLE_S = 120.0, 120.0, 60.0

Say = Callable[[str], None]


@dataclass
class Outcome:
    """What the story brought, for the closing line."""

    devices: dict[str, int] = field(default_factory=dict)  # unit id -> device
    auctions: list[int] = field(default_factory=list)
    technologies_sold: list[str] = field(default_factory=list)
    certificates_sold: int = 0
    transfers: int = 0
    retired: int = 0
    statement: str = ""


# --- act one: who may take part


def accredit_plants(stage: Stage, units: list[Unit], say: Say) -> tuple[dict[str, int], int]:
    """Devices, the gateway and the meters, each proposed by its owner and approved by a quorum.

    (device by unit id, the gateway's number).
    """
    until = int(time.time()) + TERM_S
    gateway_key = stage.keys["gateway"].public
    contents = [(unit.owner, DeviceContent(stage.ids[unit.owner], unit.scheme, unit.facts, until)) for unit in units]
    gateway = ("market", GatewayContent(stage.ids["market"], gateway_key, until))
    enacted = stage.accredit([*contents, gateway])
    devices = dict(zip([unit.id for unit in units], enacted[:-1], strict=True))
    stage.accredit([(unit.owner, MeterContent(devices[unit.id], b"", enacted[-1], until)) for unit in units])
    say(
        t(
            "{units} plants and their meters are accredited by {quorum} of {governance} validators",
            units=len(units),
            quorum=stage.quorum,
            governance=len(stage.governance),
        )
    )
    return devices, enacted[-1]


def gateway_units(units: list[Unit], devices: dict[str, int], gateway: int) -> dict[str, Any]:
    """units.json of the gateway: which device each raw id is, its interval and the channels it has."""
    return {
        "gateway": gateway,
        "units": {
            unit.id: {
                "device": devices[unit.id],
                "interval_s": unit.facts.interval_s,
                "channels": [CHANNEL_NAMES[column] for column in unit.columns],
            }
            for unit in units
        },
    }


# --- act two: what is normal for each plant


def commission(
    stage: Stage,
    gateway: str,
    units: list[Unit],
    devices: dict[str, int],
    say: Say,
    posted: dict[str, int] | None = None,
) -> None:
    """Post the commissioning windows, and sign each profile on chain after every organisation's node recomputed it.

    `posted`: the time of the last reading that the gateway has of a unit already.
    """
    for unit in units:
        last = (posted or {}).get(unit.id, 0)
        post_commissioning(gateway, unit, [row for row in unit.commissioning() if int(row["timestamp"]) > last])
    wait_until_sent(gateway, [unit.id for unit in units], SENT_S)
    say(t("the commissioning windows are on the validators; each computes the baseline of each plant by itself"))
    contents = [
        (
            unit.owner,
            ProfileContent(
                devices[unit.id], agreed_profile(stage, devices[unit.id], unit), unit.window_from, unit.window_to
            ),
        )
        for unit in units
    ]
    stage.accredit(contents)
    say(t("{units} baseline profiles are signed on chain, the same on every validator", units=len(units)))


def agreed_profile(stage: Stage, device: int, unit: Unit) -> bytes:
    """The profile's hash, once every node holds the window and computes the same."""
    query = {"from": unit.window_from, "to": unit.window_to}
    deadline = time.monotonic() + PROFILE_S
    with ThreadPoolExecutor(len(stage.clients)) as pool:
        while True:
            answers = list(pool.map(lambda client: client.get(f"/v1/devices/{device}/profile", **query), stage.clients))
            hashes = {answer["profile_hash"] for answer in answers}
            if len(hashes) == 1:
                return bytes.fromhex(hashes.pop())
            if time.monotonic() > deadline:
                raise TimeoutError(f"the validators disagree on the baseline of unit {unit.id}: {hashes}")
            time.sleep(0.3)  # a node that is behind still fetches what it missed


# --- act three: the market


@dataclass(frozen=True)
class Market:
    """One auction of the story: who sells what, and who bids how much. Prices in millionths per certificate."""

    technology: str
    name: str
    title: str
    scheme: int
    seller: str
    quantity: int
    ask: int
    bids: tuple[tuple[str, int, int], ...]  # (buyer, quantity, limit)


MARKETS = (
    Market(
        "T02", "wind", "Wind, 1 MWh", 1, "wind-owner", 12, 2_500_000,
        (("trader", 8, 4_200_000), ("consumer", 6, 3_100_000)),
    ),
    Market(
        "T01", "solar", "Solar, 1 kWh", 2, "sun-owner", 40, 20_000,
        (("trader", 30, 50_000), ("consumer", 20, 30_000)),
    ),
)  # fmt: skip


def deposit_money(stage: Stage, say: Say) -> None:
    """The buyers' deposits: the financial guarantee of their bids."""
    operator, height = stage.ids["payment"], stage.client.status()["height"]
    stage.send_each(
        [
            (
                (Deposit(operator, stage.ids[name], "EUR", 100 * MICRO, f"SEPA {height}-{part} {name}"),),
                [stage.keys["payment"]],
            )
            for name in ("trader", "consumer")
            for part in range(len(MARKETS))
        ]
    )
    say(t("the trader and the consumer paid in 200 EUR each: deposits that secure their bids"))


def hold_auction(stage: Stage, market: Market, outcome: Outcome, say: Say) -> None:
    """Open, offer, bid, and wait until the network has settled it by itself."""
    closes_at = int(stage.client.status()["time_ms"]) // 1000 + OPEN_S
    closes_at = max(closes_at, int(time.time()) + OPEN_S)
    wanted = AuctionClass(market.scheme, market.technology, "", 0, 0, 0)
    opened = stage.send(OpenAuction(stage.ids["market"], market.title, wanted, "EUR", 0, 0, closes_at), by=["market"])
    auction = int(found(opened, "auction_opened")["auction"])
    say(
        t(
            "auction {auction} ({title}) is open: {quantity} certificates are offered",
            auction=auction,
            title=market.title,
            quantity=market.quantity,
        )
    )
    orders = _offers(stage, market, auction) + _bids(stage, market, auction)
    stage.send_each(orders)
    result = _wait_settled(stage, auction)
    outcome.auctions.append(auction)
    outcome.certificates_sold += int(result["quantity"])
    if int(result["quantity"]):
        outcome.technologies_sold.append(market.name)
    price = int(result["price"]) / MICRO
    say(
        t(
            "auction {auction} settled: {quantity} certificates at {price:.2f} EUR each, delivered and paid",
            auction=auction,
            quantity=result["quantity"],
            price=price,
        )
    )


def _offers(stage: Stage, market: Market, auction: int) -> list[Any]:
    seller = stage.ids[market.seller]
    chosen = chosen_certificates(stage.session, seller, (), market.quantity, market.technology, None, None)
    return [
        ((PlaceOffer(auction, seller, holding.outpoint, start, end, market.ask),), [stage.keys[market.seller]])
        for holding, start, end in chosen
    ]


def _bids(stage: Stage, market: Market, auction: int) -> list[Any]:
    orders = []
    for name, quantity, limit in market.bids:
        buyer = stage.ids[name]
        inputs = chosen_funds(stage.session, buyer, "EUR", quantity * limit)
        orders.append(((PlaceBid(auction, buyer, quantity, limit, inputs),), [stage.keys[name]]))
    return orders


def _wait_settled(stage: Stage, auction: int) -> Answer:
    deadline = time.monotonic() + SETTLE_S
    while True:
        answer = stage.client.get(f"/v1/auctions/{auction}")
        if answer["status"] == "settled":
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"auction {auction} is still {answer['status']}")
        time.sleep(0.1)


# --- act four: the certificates' way to their end


def transfer_some(stage: Stage, count: int, outcome: Outcome, say: Say) -> None:
    """The trader hands wind certificates on to the consumer, outside any auction."""
    sender, to = stage.ids["trader"], stage.ids["consumer"]
    chosen = chosen_certificates(stage.session, sender, (), count, "T02", None, None)
    stage.send(*transfers(sender, to, chosen), by=["trader"])
    outcome.transfers += 1
    say(t("{count} certificates went from the trader to the consumer, outside the auction", count=count))


def retire_some(stage: Stage, count: int, outcome: Outcome, say: Say) -> None:
    """The consumer retires wind certificates for its own use; the statement follows from the ledger."""
    holder = stage.ids["consumer"]
    chosen = chosen_certificates(stage.session, holder, (), count, "T02", None, None)
    action = retirement(
        stage.session.client,
        stage.session.network()[0],
        holder,
        chosen,
        beneficiary="Harbour Steel",
        beneficiary_id="DK-2047",
        location="Esbjerg",
        country="DK",
        purpose="voluntary",
        note="",
        consumption_from=None,
        consumption_to=None,
        jurisdiction="DK",
    )
    stage.send(action, by=["consumer"])
    outcome.retired += count
    outcome.statement = action.statement_hash[:16].hex()
    say(
        t(
            "{count} certificates are retired for Harbour Steel; the statement is {statement}",
            count=count,
            statement=outcome.statement,
        )
    )
