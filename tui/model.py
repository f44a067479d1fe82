"""Events in, pictures out: everything the dashboard knows, without a terminal, a socket or a clock.

One owner mutates it (the feed's task); widgets get frozen `Picture`s. Blocks may come twice after a reconnect and are
counted once. `version` changes with every message, so that a painter knows when there is nothing to paint.
"""

from typing import Any

from tui.parts.books import Books
from tui.parts.certificates import Certificates
from tui.parts.chain import Chain
from tui.parts.market import Market
from tui.parts.names import Names
from tui.parts.plants import Plants
from tui.parts.reel import Reel
from tui.parts.statements import Statements
from tui.pictures import Picture

NAMING = frozenset({"registered", "enacted"})  # after these the node's lists hold something new


class NetworkModel:
    """`public_url`: where anybody looks up a statement, part of its QR code; until a node says where that is. `kept`:
    its blocks can be replayed."""

    def __init__(self, public_url: str = "", kept: bool = True) -> None:
        self.names = Names()
        self.chain = Chain()
        self.plants = Plants(self.names)
        self.certificates = Certificates(self.names)
        self.market = Market(self.names)
        self.books = Books(self.names)
        self.statements = Statements(self.names, self.certificates)
        self.public_url = public_url
        self._told_url = ""  # what a node said of itself; the first node's word counts
        self.kept = kept
        self.reel = Reel()
        self.births: dict[int, int] = {}  # plant -> the block that accredited it
        self.version = 0

    @property
    def next_height(self) -> int:
        return self.chain.height + 1

    def apply_status(self, index: int, status: dict[str, Any] | None) -> None:
        """The answer of the index-th node to /v1/status; None = it does not answer."""
        self.version += 1
        self.chain.apply_status(index, status)
        if status is not None and (index == 0 or not self._told_url):
            self.public_url = self._told_url = str(status.get("public_url") or self.public_url)

    def apply_names(self, kind: str, items: list[dict[str, Any]]) -> None:
        """A list of the API: `participants`, `devices`, `schemes`."""
        self.version += 1
        self.names.apply(kind, items)

    def apply_registry(self, code: str) -> None:
        """The genesis' registry code, first part of every certificate number."""
        self.version += 1
        self.names.registry = code

    def apply_block(self, message: dict[str, Any]) -> None:
        """A final block with its events, as `/v1/events` tells it."""
        self.version += 1
        if not self.chain.apply_block(message):
            return
        if self.kept:
            self.reel.add(message)
        for event in message["events"]:
            self._apply_event(event, self.chain.height, self.chain.time_ms)

    def apply_live(self, message: dict[str, Any]) -> None:
        """Something that no block records. Kinds of a newer node are ignored."""
        self.version += 1
        match message["kind"]:
            case "reading":
                self.plants.apply_reading(message)
            case "attestation":
                self.plants.apply_attestation(message)
            case "review":
                self.plants.apply_review(message)
            case "view":
                self.chain.apply_view(message["epoch"], message["view"], message["leader"])

    def _apply_event(self, event: dict[str, Any], height: int, time_ms: int) -> None:
        kind = event["kind"]
        self.books.apply(event, height, time_ms)
        if kind in NAMING:
            self.names.wanted = True
        match kind:
            case "registered":
                self.names.participants[event["participant"]] = event["name"]
            case "verdict":
                self.plants.apply_verdict(event)
            case "issued":
                self.plants.apply_issued(event)
                self.certificates.apply_issued(event, height)
            case "transferred":
                self.certificates.apply_transferred(event, height)
            case "enacted" if event.get("content") == "device":
                self.births.setdefault(int(event["created"]), height)
            case "retired":
                self.certificates.apply_retired(event)
                self.statements.apply_retired(event, height, time_ms)
            case "expired":
                self.certificates.apply_expired(event)
            case _:
                self.market.apply(event, height)

    def snapshot(self) -> Picture:
        chain = self.chain
        return Picture(
            network=chain.picture(),
            plants=self.plants.picture(len(chain.validators), chain.time_ms // 1_000),
            certificates=self.certificates.picture(chain.first),
            market=self.market.picture(),
            statement=self.statements.picture(self.public_url, chain.chain_id),
        )
