"""Auctions: their orders while they run, their price when they settle, what was delivered."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tui.parts.certificates import quantity
from tui.parts.names import Names
from tui.pictures import AuctionPicture, DeliveryPicture, MarketPicture, OrderPicture, SettlementPicture

KEPT = 8


@dataclass
class Auction:
    opened: dict[str, Any]
    status: str = "open"
    orders: dict[str, tuple[str, int, int, int]] = field(default_factory=dict)  # outpoint -> side, who, quantity, limit


class Market:
    def __init__(self, names: Names) -> None:
        self._names = names
        self._auctions: dict[int, Auction] = {}
        self._settled: deque[tuple[dict[str, Any], dict[str, Any], int]] = deque(maxlen=KEPT)
        self._deliveries: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def apply(self, event: dict[str, Any], height: int) -> None:
        match event["kind"]:
            case "auction_opened":
                self._auctions[event["auction"]] = Auction(event)
            case "offered":
                self._order(event, ("offer", event["seller"], quantity(event), int(event["limit"])))
            case "bid_placed":
                self._order(event, ("bid", event["buyer"], int(event["quantity"]), int(event["limit"])))
            case "cancelled" if event["auction"] in self._auctions:
                self._auctions[event["auction"]].orders.pop(event["outpoint"], None)
            case "order_opened":
                self._order(event, (event["side"], event["participant"], int(event["quantity"]), int(event["limit"])))
            case "replaced" if event["auction"] in self._auctions:
                self._replaced(self._auctions[event["auction"]], event)
            case "voided":
                self._auctions.pop(event["auction"], None)
            case "auction_closed" if event["auction"] in self._auctions:
                self._auctions[event["auction"]].status = "closed"
            case "settled":
                auction = self._auctions.pop(event["auction"], None)
                self._settled.appendleft((event, auction.opened if auction is not None else {}, height))
            case "delivered":
                self._deliveries.appendleft(event)

    def _order(self, event: dict[str, Any], order: tuple[str, int, int, int]) -> None:
        auction = self._auctions.get(event["auction"])
        if auction is not None:
            auction.orders[event["outpoint"]] = order

    def _replaced(self, auction: Auction, event: dict[str, Any]) -> None:
        """Another quantity and limit in the same place; a sealed order shows neither and was not there."""
        former = auction.orders.pop(event["former"], None)
        if former is not None:
            side, who, count, _ = former
            auction.orders[event["outpoint"]] = (side, who, int(event["quantity"]) or count, int(event["limit"]))

    # --- the picture

    def picture(self) -> MarketPicture:
        """Of the running auctions the one that closes first is shown."""
        running = min(self._auctions.items(), key=lambda item: int(item[1].opened["closes_at"]), default=None)
        return MarketPicture(
            running=self._running(*running) if running is not None else None,
            settled=tuple(self._settlement(*settled) for settled in self._settled),
            deliveries=tuple(self._delivery(event) for event in self._deliveries),
        )

    def _running(self, number: int, auction: Auction) -> AuctionPicture:
        opened = auction.opened
        bids = sorted((order for order in auction.orders.values() if order[0] == "bid"), key=lambda order: -order[3])
        offers = sorted((order for order in auction.orders.values() if order[0] == "offer"), key=lambda order: order[3])
        return AuctionPicture(
            number=number,
            title=opened["title"],
            unit=self._names.scheme(opened["scheme"]).unit,
            currency=opened["currency"],
            status=auction.status,
            closes_at=int(opened["closes_at"]),
            orders=tuple(
                OrderPicture(side, self._names.participant(who), count, limit)
                for side, who, count, limit in (*bids, *offers)
            ),
        )

    def _settlement(self, event: dict[str, Any], opened: dict[str, Any], height: int) -> SettlementPicture:
        return SettlementPicture(
            number=event["auction"],
            title=opened.get("title", event["technology"]),
            unit=self._names.scheme(opened["scheme"]).unit if opened else "",
            currency=event["currency"],
            price=int(event["price"]),
            quantity=int(event["quantity"]),
            buyers=event["buyers"],
            sellers=event["sellers"],
            height=height,
        )

    def _delivery(self, event: dict[str, Any]) -> DeliveryPicture:
        return DeliveryPicture(
            seller=self._names.participant(event["seller"]),
            buyer=self._names.participant(event["buyer"]),
            quantity=quantity(event),
            unit=self._names.unit_of(event["device"]),
            currency=event["currency"],
            amount=int(event["amount"]),
        )
