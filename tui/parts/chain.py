"""Blocks, validators and who leads: the picture of the network's panel."""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from tui.pictures import DIFFER, EQUAL, UNKNOWN, BlockPicture, NetworkPicture, ValidatorPicture
from tui.texts import counted, t

KEPT = 64  # blocks whose roots and signers are remembered
MARKS = 12  # blocks of a validator's strip
ZEROS = "0" * 64

WORDS = {  # what a block did, in the order of telling
    "retired": "retirement",
    "settled": "settlement",
    "delivered": "delivery",
    "issued": "issue",
    "verdict": "verdict",
    "transferred": "transfer",
    "bid_placed": "bid",
    "offered": "offer",
    "auction_opened": "auction",
    "deposited": "deposit",
    "paid_out": "payout",
    "enacted": "enactment",
    "proposed": "proposal",
    "voted": "vote",
    "registered": "registration",
    "cancelled": "withdrawn order",
    "auction_closed": "auction closed",
    "expired": "expiry",
}


@dataclass(frozen=True)
class Final:
    """One block as the feed told it. Validators by name: their indexes change with the epochs."""

    height: int
    hash: str
    proposer: str
    time_ms: int
    signers: frozenset[str]
    state_root: str
    transactions: int
    what: str


@dataclass
class Chain:
    """`statuses[i]` is what the i-th node of the command line last answered; None = it does not answer."""

    chain_id: str = ""
    name: str = ""
    first: int = 1  # the first block that was heard of
    height: int = -1
    time_ms: int = 0
    epoch: int = 0
    view: int = 0
    leader: int | None = None
    blocks: deque[Final] = field(default_factory=lambda: deque(maxlen=KEPT))
    roots: OrderedDict[int, str] = field(default_factory=OrderedDict)
    statuses: dict[int, dict[str, Any] | None] = field(default_factory=dict)
    seats: dict[int, int] = field(default_factory=dict)  # node of the command line -> validator index
    validators: list[dict[str, Any]] = field(default_factory=list)

    def apply_status(self, node: int, status: dict[str, Any] | None) -> None:
        self.statuses[node] = status
        if status is None:
            return
        if not self.chain_id:
            self.chain_id, self.name = status["chain_id"], status.get("name", "")
        if status["chain_id"] != self.chain_id:
            return
        if self.height < 0:
            self.time_ms = max(self.time_ms, int(status["time_ms"]))  # until the first block is heard
        self.validators = status["validators"]
        if status.get("node_index") is not None:
            self.seats[node] = status["node_index"]
        else:
            self.seats.pop(node, None)  # it has left, and its index is another's now
        newest = (status.get("epoch", 0), status.get("view", 0))
        if newest > (self.epoch, self.view) or self.leader is None:
            self.apply_view(*newest, status.get("leader"))

    def apply_view(self, epoch: int, view: int, leader: int | None) -> None:
        self.epoch, self.view = epoch, view
        if leader is not None:
            self.leader = leader

    def apply_block(self, message: dict[str, Any]) -> bool:
        """Whether it is news: a replay after a reconnect may repeat heights."""
        height = int(message["height"])
        if height <= self.height:
            return False
        if self.height < 0:
            self.first = height
        self.height, self.time_ms = height, int(message["time_ms"])
        seats = message["validators"]
        self.blocks.append(
            Final(
                height=height,
                hash=message["hash"],
                proposer=seats[int(message["proposer"])],
                time_ms=self.time_ms,
                signers=frozenset(seats[signer] for signer in message["signers"]),
                state_root=message["state_root"],
                transactions=int(message["transactions"]),
                what=summary(message["events"]),
            )
        )
        self.roots[height] = message["state_root"]
        if len(self.roots) > KEPT:
            self.roots.popitem(last=False)
        return True

    def replay(self, message: dict[str, Any]) -> None:
        """What a node's status tells of the newest block, as far as the block itself does; nobody answered then."""
        names = message["validators"]
        self.validators = [{"name": name, "last_signed_height": 0} for name in names]
        self.apply_view(int(message.get("epoch") or 0), int(message.get("view") or 0), int(message["proposer"]))

    # --- the picture

    def picture(self) -> NetworkPicture:
        return NetworkPicture(
            name=self.name,
            chain=self.chain_id[:8],
            height=self.height,
            time_ms=self.time_ms,
            epoch=self.epoch,
            view=self.view,
            leader="" if self.leader is None else self.validator_name(self.leader),
            roots=self._compared(),
            validators=tuple(self._row(index) for index in range(len(self.validators))),
            blocks=tuple(self._block(block) for block in reversed(self.blocks)),
        )

    def validator_name(self, index: int) -> str:
        return (
            str(self.validators[index]["name"]) if index < len(self.validators) else t("validator {index}", index=index)
        )

    def ours(self) -> list[dict[str, Any]]:
        """Answers of the nodes that answer and are of this chain."""
        return [status for status in self.statuses.values() if status and status["chain_id"] == self.chain_id]

    def others_only(self) -> bool:
        """Whether every node that answers is of another network: this one was set up anew, or the address is wrong."""
        return any(self.statuses.values()) and not self.ours()

    def _compared(self) -> str:
        """Nodes are rarely at one height when asked: each root is held against what is known of its own height."""
        known = dict(self.roots)
        answers = [(int(status["height"]), str(status["state_root"])) for status in self.ours()]
        for height, root in answers:
            if known.setdefault(height, root) != root:
                return DIFFER
        return EQUAL if answers else UNKNOWN

    def _row(self, index: int) -> ValidatorPicture:
        told = self.validators[index]
        node = next((node for node, seat in self.seats.items() if seat == index), None)
        status = self.statuses.get(node) if node is not None else None
        strange = status is not None and status["chain_id"] != self.chain_id
        name = str(told["name"])
        marks = tuple(_mark(block, name) for block in list(self.blocks)[-MARKS:])
        own = status if not strange else None
        return ValidatorPicture(
            index=index,
            name=name,
            alive=self._alive(index, node),
            leads=index == self.leader,
            height=int(own["height"]) if own else told.get("height"),
            state_root=str(own["state_root"]) if own else "",
            marks=marks,
            last_signed=max((b.height for b in self.blocks if name in b.signers), default=told["last_signed_height"]),
            peers=int(own["peers"]) if own else None,
            waiting=int(own["mempool"]) if own else None,
            syncing=bool(own and own["syncing"]),
            other_chain=strange,
        )

    def _alive(self, index: int, node: int | None) -> bool | None:
        """By its own answer where it is asked, else by what the others say of their connection to it."""
        if node is not None:
            return self.statuses.get(node) is not None
        told = [
            bool(status["validators"][index]["connected"])
            for status in self.ours()
            if status.get("node_index") != index and index < len(status["validators"])
        ]
        return any(told) if told else None

    def _block(self, block: Final) -> BlockPicture:
        return BlockPicture(
            height=block.height,
            hash=block.hash,
            proposer=block.proposer,
            transactions=block.transactions,
            time_ms=block.time_ms,
            signers=len(block.signers),
            what=block.what,
        )


def _mark(block: Final, name: str) -> str:
    if block.proposer == name:
        return "proposed"
    return "signed" if name in block.signers else "absent"


def summary(events: list[dict[str, Any]]) -> str:
    """`2 issues, 14 verdicts`: what happened in a block, the weightiest first."""
    counts = Counter(event["kind"] for event in events)
    return ", ".join(counted(counts[kind], word) for kind, word in WORDS.items() if counts[kind])
