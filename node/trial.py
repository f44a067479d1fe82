"""Whether a transaction would hold in the next block: the rules, tried on the tip with what waits before it.

A transaction may spend what another waiting one creates: wallets chain, and transactions of one block may chain in
order. So a trial sees the *outputs* that waiting transactions would create, and nothing else of them; their other
effects (records, counters) count only once they are final.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from contracts.auction import CLOSED
from contracts.context import BlockEnvironment
from contracts.settle import build_settle
from contracts.transition import DecodedTx, apply_transaction
from state.errors import PriceWrong
from state.keyspace import Entry, Space, auction_key
from state.overlay import Overlay, Snapshot
from state.records import Auction
from state.transaction import Settle

OUTPUT = int(Space.OUTPUT)

Created = tuple[tuple[bytes, Entry], ...]


class Tip(Protocol):
    """What the pool asks of the ledger."""

    @property
    def state(self) -> Snapshot:
        """After the last final block, whichever that is when it is read."""

    def next_environment(self) -> BlockEnvironment:
        """Of a block right after the tip, made now."""

    def is_final(self, txid: bytes) -> bool: ...


class TipAndWaiting:
    """The tip, with the outputs that waiting transactions would create. Which are spent the conflict keys say."""

    def __init__(self, state: Snapshot, created: Mapping[bytes, Entry]) -> None:
        self._state = state
        self._created = created

    def get(self, key: bytes) -> Entry | None:
        return self._created.get(key) or self._state.get(key)

    def scan(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, Entry]]:
        return self._state.scan(low, high)


class Trial:
    """For one slice of work: once the loop has turned the tip may be another one, and another trial is due."""

    def __init__(self, tip: Tip, created: Mapping[bytes, Entry]) -> None:
        self._environment = tip.next_environment()
        self._overlay = Overlay(TipAndWaiting(tip.state, created))

    def creates(self, decoded: DecodedTx) -> Created:
        """The outputs that the transaction would create, by their keys; or its Refusal. Nothing of it stays."""
        apply_transaction(self._overlay, self._environment, decoded)
        changes = self._overlay.take_changes()
        return tuple([(key, entry) for key, entry in changes.items() if entry is not None and key[0] == OUTPUT])


class Settlements:
    """The right settlement of each closed auction, computed once a tip: nobody signs a settlement, and each wrong one
    would cost a clearing."""

    def __init__(self, tip: Tip) -> None:
        self._tip = tip
        self._right: dict[int, Settle] = {}

    def forget(self) -> None:
        """The tip is another one."""
        self._right.clear()

    def require_right(self, decoded: DecodedTx) -> None:
        """PriceWrong for any other settlement of an auction that can be settled."""
        for index, action in enumerate(decoded.body_actions):
            if isinstance(action, Settle):
                right = self._settlement(action.auction)
                if right is not None and action != right:
                    refusal = PriceWrong(auction=action.auction, why="this node has computed another one")
                    refusal.action_index = index
                    raise refusal

    def _settlement(self, number: int) -> Settle | None:
        """None where the rules refuse any without clearing."""
        if number not in self._right:
            auction = self._tip.state.get(auction_key(number))
            if not isinstance(auction, Auction) or auction.status != CLOSED:
                return None
            self._right[number] = build_settle(self._tip.state, auction)
        return self._right[number]
