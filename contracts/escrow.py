"""The validators that orders are sealed to: noted with the first order of each epoch, gone with the auction.

A set of validators may change between commit and opening. So each order names the epoch whose validators hold its
shares, and the ledger keeps their keys until the auction is settled or void, whoever is in office by then.
"""

from contracts.context import BlockEnvironment, Context
from contracts.sealing import context_of
from state.crypto import H
from state.errors import BadField
from state.escrow import BOX_BYTES, PAGE_ORDERS, TAG_BYTES, Envelope, EscrowMember, EscrowSet
from state.keyspace import escrow_set_key, escrow_shares_key, escrow_walk_key, space_end
from state.outputs import SealedBid, SealedOffer, holder_of
from state.overlay import Snapshot
from state.records import Auction

OFFER, BID = "offer", "bid"


def commitment_to(envelope: Envelope) -> bytes:
    return H("wattest/sealed", envelope)


def check_envelope(context: Context, auction: Auction, commitment: bytes, envelope: Envelope | None) -> None:
    """Where validators open the book, every sealed order has an envelope for those in office; elsewhere none has."""
    if (envelope is not None) != (auction.terms.escrow and bool(commitment)):
        why = "a quorum of validators opens its book" if auction.terms.escrow else "no validator opens its book"
        raise BadField(field="envelope", why=why)
    if envelope is None:
        return
    environment = context.environment
    if envelope.epoch != environment.epoch:
        why = f"it is sealed to the validators of epoch {envelope.epoch}, this is epoch {environment.epoch}"
        raise BadField(field="envelope", why=why)
    count = len(environment.validators)
    if len(envelope.boxes) != count * BOX_BYTES or len(envelope.tags) != count * TAG_BYTES:
        raise BadField(field="envelope", why=f"one box and one tag for each of {count} validators")
    if commitment != commitment_to(envelope):
        raise BadField(field="commitment", why="it is not the hash of the envelope")


def note_set(context: Context, auction: Auction, envelope: Envelope | None) -> None:
    """Remember whom the order is sealed to, with the first one of the epoch."""
    if envelope is None or context.overlay.get(escrow_set_key(auction.id, envelope.epoch)) is not None:
        return
    found = present_set(context.environment, auction.id)
    context.overlay.put(escrow_set_key(auction.id, envelope.epoch), found)


def present_set(environment: BlockEnvironment, auction: int) -> EscrowSet:
    members = tuple(EscrowMember(each.participant, each.vote_key, each.escrow_key) for each in environment.validators)
    return EscrowSet(auction, environment.epoch, members, (0,) * len(members))


def order_context(chain: bytes, order: SealedBid | SealedOffer) -> bytes:
    side = BID if isinstance(order, SealedBid) else OFFER
    return context_of(chain, order.auction, holder_of(order), side)


def keys_of(found: EscrowSet) -> tuple[bytes, ...]:
    return tuple(member.escrow_key for member in found.members)


def pages_of(auction: Auction) -> int:
    return -(-auction.orders // PAGE_ORDERS)


def escrow_sets(state: Snapshot, auction: int) -> list[EscrowSet]:
    low = escrow_set_key(auction, 0)
    return [entry for _, entry in state.scan(low, space_end(low[:5])) if isinstance(entry, EscrowSet)]


def walks_wait(state: Snapshot, auction: int) -> bool:
    """Whether orders are still being opened: the phase does not end over it."""
    low = escrow_walk_key(auction, 0)
    return next(iter(state.scan(low, space_end(low[:5]))), None) is not None


def forget_escrow(context: Context, auction: int) -> None:
    """The auction is over: sets, shares and walks."""
    overlay = context.overlay
    for low in (escrow_set_key(auction, 0), escrow_shares_key(auction, 0, 0, 0), escrow_walk_key(auction, 0)):
        for key, _ in list(overlay.scan(low, space_end(low[:5]))):
            overlay.delete(key)
