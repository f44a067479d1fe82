"""Everybody's account as the events tell it: what came, what went, for how much.

Counted from the first block that this dashboard heard of; the newest entries of each participant are kept.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tui.parts.certificates import quantity
from tui.parts.names import Names
from tui.texts import language, t, word

KEPT = 2_000  # entries of one participant


@dataclass(frozen=True)
class Entry:
    """`certificates` and `money` (millionths) are what changed for the participant, 0 where nothing did."""

    height: int
    time_ms: int
    what: str
    txid: str
    certificates: int = 0
    unit: str = ""
    money: int = 0
    currency: str = ""


Told = tuple[dict[str, Any], int, int]  # an event, its height, its time


class Books:
    """Events are kept and put into words when somebody reads: a name may become known after its first event."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._told: dict[int, deque[Told]] = defaultdict(partial(deque, maxlen=KEPT))
        self._read: dict[int, tuple[object, tuple[Entry, ...]]] = {}

    def of(self, participant: int) -> tuple[Entry, ...]:
        """Newest first."""
        told = self._told.get(participant)
        if not told:
            return ()
        names = self._names
        state = (told[-1], len(told), len(names.participants), len(names.devices), len(names.schemes), language())
        known = self._read.get(participant)
        if known is None or known[0] != state:
            entries = (entry for told in reversed(told) for entry in self._entries(participant, *told))
            known = self._read[participant] = state, tuple(entries)
        return known[1]

    def apply(self, event: dict[str, Any], height: int, time_ms: int) -> None:
        for participant in dict.fromkeys(leg[0] for leg in self._legs(event)):
            self._told[participant].append((event, height, time_ms))

    def _entries(self, participant: int, event: dict[str, Any], height: int, time_ms: int) -> Iterator[Entry]:
        for whose, what, certificates, money in self._legs(event):
            if whose == participant:
                unit = self._names.unit_of(event["device"]) if certificates else ""
                currency = str(event.get("currency", "")) if money else ""
                yield Entry(height, time_ms, what, str(event.get("txid", "")), certificates, unit, money, currency)

    def _legs(self, event: dict[str, Any]) -> list[tuple[int, str, int, int]]:
        """Whom the event concerns: participant, words, certificates, money."""
        name = self._names.participant
        match event["kind"]:
            case "issued":
                plant = self._names.device(event["device"]).name
                return [(event["holder"], t("issued for {plant}", plant=plant), quantity(event), 0)]
            case "transferred":
                count, sender, to = quantity(event), event["sender"], event["to"]
                return [
                    (sender, t("transferred to {name}", name=name(to)), -count, 0),
                    (to, t("from {name}", name=name(sender)), count, 0),
                ]
            case "delivered":
                return self._delivered(event)
            case "retired":
                return [
                    (
                        event["holder"],
                        t("retired for {beneficiary}", beneficiary=event["beneficiary"]),
                        -quantity(event),
                        0,
                    )
                ]
            case "expired":
                return [(event["holder"], word("expired"), -quantity(event), 0)]
            case "withdrawn":
                return [(event["holder"], t("withdrawn after an error"), -quantity(event), 0)]
            case "deposited":
                return [(event["to"], t("deposit by {name}", name=name(event["operator"])), 0, int(event["amount"]))]
            case "paid_out":
                return [
                    (event["holder"], t("paid out by {name}", name=name(event["operator"])), 0, -int(event["amount"]))
                ]
            case "paid":
                amount, payer, to = int(event["amount"]), event["payer"], event["to"]
                return [
                    (payer, t("paid to {name}", name=name(to)), 0, -amount),
                    (to, t("paid by {name}", name=name(payer)), 0, amount),
                ]
        return []

    def _delivered(self, event: dict[str, Any]) -> list[tuple[int, str, int, int]]:
        count, amount = quantity(event), int(event["amount"])
        seller, buyer, where = event["seller"], event["buyer"], t("in auction {auction}", auction=event["auction"])
        return [
            (
                seller,
                t("sold to {participant} {where}", participant=self._names.participant(buyer), where=where),
                -count,
                amount,
            ),
            (
                buyer,
                t("bought of {participant} {where}", participant=self._names.participant(seller), where=where),
                count,
                -amount,
            ),
        ]
