"""Orders that a quorum of validators opens, and the validators: honest ones, silent ones, and liars."""

from dataclasses import dataclass

from harness.world import World, seed_of
from msgspec.structs import replace

from contracts.attributes import nodes_of
from contracts.auction import book_of
from contracts.escrow import commitment_to, order_context
from contracts.events import Event
from contracts.sealing import Said, context_of, sealed, share_in
from state.crypto import H, exchange_key
from state.escrow import BOX_BYTES, PAGE_ORDERS, TAG_BYTES, Envelope, EscrowSet
from state.keyspace import auction_key, escrow_set_key
from state.outputs import SealedBid, SealedOffer
from state.records import Auction, AuctionTerms
from state.transaction import OpenShares, PlaceBid, PlaceOffer, Reveal
from state.units import Outpoint


@dataclass(frozen=True)
class Enveloped:
    """An order as its owner keeps it, sealed to the validators in office."""

    auction: int
    who: int
    side: str
    quantity: int
    limit: int
    wanted: tuple[str, ...]
    kappa: bytes
    envelope: Envelope
    is_bent: bool = False

    def placing(self, *inputs: Outpoint, stake: int = 0) -> PlaceBid:
        stake = stake or self.quantity * self.limit
        commitment = commitment_to(self.envelope)
        return PlaceBid(self.auction, self.who, 0, 0, inputs, (), commitment, stake, self.envelope)

    def offering(self, lot: Outpoint, start: int, end: int, *inputs: Outpoint) -> PlaceOffer:
        commitment = commitment_to(self.envelope)
        return PlaceOffer(self.auction, self.who, lot, start, end, 0, 0, commitment, inputs, self.envelope)

    def opening(self, order: int) -> Reveal:
        return Reveal(self.auction, order, self.quantity, self.limit, self.wanted, self.kappa)

    def bent(self, *, box: int | None = None, tag: int | None = None) -> "Enveloped":
        """With the box or tag of one validator spoilt."""
        boxes, tags = bytearray(self.envelope.boxes), bytearray(self.envelope.tags)
        if box is not None:
            boxes[(box + 1) * BOX_BYTES - 1] ^= 1
        if tag is not None:
            tags[tag * TAG_BYTES] ^= 1
        return replace_envelope(self, replace(self.envelope, boxes=bytes(boxes), tags=bytes(tags)))


def replace_envelope(order: Enveloped, envelope: Envelope) -> Enveloped:
    fields = {name: getattr(order, name) for name in order.__dataclass_fields__}
    return Enveloped(**{**fields, "envelope": envelope, "is_bent": True})


def escrow_auction(town: World, *, seconds: int = 60, **terms: object) -> int:
    fields: dict[str, object] = {"sealed": True, "opening_s": 60, "escrow": True, **terms}
    return town.auction(seconds=seconds, terms=AuctionTerms(**fields))  # type: ignore[arg-type]


def enveloped(
    town: World, auction: int, name: str, side: str, quantity: int, limit: int, wanted: tuple[str, ...] = ()
) -> Enveloped:
    found = town.state.get(auction_key(auction))
    assert isinstance(found, Auction)
    town.salt += 1
    kappa = H("test/kappa", (town.salt,))[:31]
    context = context_of(town.chain, auction, town.people[name], side)
    said = Said(quantity, limit, nodes_of(found.terms, wanted))
    keys = [validator.escrow_key for validator in town.validators]
    envelope = sealed(context, town.environment().epoch, keys, said, kappa)
    return Enveloped(auction, town.people[name], side, quantity, limit, wanted, kappa, envelope)


def escrow_set(town: World, auction: int, epoch: int = 0) -> EscrowSet:
    found = town.state.get(escrow_set_key(auction, epoch))
    assert isinstance(found, EscrowSet)
    return found


def shares_of(town: World, auction: int, validator: int, epoch: int = 0, page: int = 0) -> OpenShares:
    """What an honest validator answers for one page. Its secret is that of the world's genesis."""
    found = town.state.get(auction_key(auction))
    assert isinstance(found, Auction)
    member = escrow_set(town, auction, epoch).members[validator]
    secret = secret_of(member.escrow_key)
    book = book_of(town.state, found)
    shares = []
    for number in range(page * PAGE_ORDERS, min(found.orders, (page + 1) * PAGE_ORDERS)):
        _, order = book.get(number, (b"", None))
        share = b""
        if isinstance(order, SealedBid | SealedOffer) and order.envelope and order.envelope.epoch == epoch:
            context = order_context(town.chain, order)
            share = share_in(order.envelope, context, validator, secret, member.escrow_key)
        shares.append(share)
    return OpenShares(auction, epoch, validator, page, tuple(shares))


def give(town: World, auction: int, *validators: int, epoch: int = 0) -> list[Event]:
    """These validators publish their shares, one block each; the events of the last block."""
    events: list[Event] = []
    for validator in validators:
        action = shares_of(town, auction, validator, epoch)
        events = town.do(action, by=(voter(town, auction, validator, epoch),))
    return events


def voter(town: World, auction: int, validator: int, epoch: int = 0) -> str:
    """The name whose key is the vote key of a member."""
    key = escrow_set(town, auction, epoch).members[validator].vote_key
    return next(name for name in VOTERS if town.key(name) == key)


def secret_of(public: bytes) -> bytes:
    return next(seed_of(name) for name in ESCROW if exchange_key(seed_of(name)) == public)


VOTERS = [f"vote_key{index}" for index in range(24)] + ["fifth vote", "new vote"]
ESCROW = [f"escrow_key{index}" for index in range(24)] + ["fifth escrow", "new escrow"]
