"""open_shares: after the close each validator publishes its shares of the sealed orders, page by page.

A share that an order does not admit makes the action invalid; an empty one says that there is none. When a quorum has
given all its pages, the sweep of the following blocks walks through the orders: those with q shares are opened, or
found to be void. Another walk follows when another validator has come.

An order whose box more than f validators found bad is void too: one of them at least is honest, and an order that was
sealed as it should has a good box for everybody. So f liars spoil nobody's order, and f silent ones delay nobody.
"""

from itertools import islice

from msgspec.structs import replace

from contracts.attributes import wanted_at
from contracts.auction import OPENING
from contracts.context import Context
from contracts.escrow import keys_of, order_context, pages_of
from contracts.events import OrderSpoilt, SharesGiven
from contracts.orders import put_order
from contracts.reveal import open_order, problem
from contracts.sealing import matches, opened, quorum_of
from state.errors import AlreadyExists, AuctionPhase, BadField, MissingSignature, OpeningWrong, Unknown
from state.escrow import PAGE_ORDERS, EscrowSet, SharePage
from state.keyspace import (
    auction_key,
    auction_order_key,
    escrow_set_key,
    escrow_shares_key,
    escrow_walk_key,
    output_key,
    space_end,
    validator_key,
)
from state.outputs import Output, SealedBid, SealedOffer, holder_of
from state.overlay import Snapshot
from state.records import Auction, Counter, Pointer, Validator
from state.spoken import Counted, Said
from state.transaction import OpenShares
from state.units import Outpoint

OPENINGS_PER_BLOCK = 500
BOXES_PER_BLOCK = 3_000  # made again to open orders, about 60 us each: fewer orders where there are many validators
LOOKS_PER_BLOCK = 2_000  # orders that a walk passes

BOX, CONTENT = "box", "content"  # why an order is void


def check(context: Context, action: OpenShares) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    if auction.status != OPENING:
        raise AuctionPhase(auction=auction.id, phase=auction.status, needed="one whose orders are being opened")
    found = _set(context, action)
    if action.validator >= len(found.members):
        raise Unknown(what=f"validator of epoch {action.epoch}", id=action.validator)
    if not set(signers_of(context.overlay, found, action.validator)) & set(context.signers):
        raise MissingSignature(role="validator", id=action.validator)
    first = action.page * PAGE_ORDERS
    count = min(PAGE_ORDERS, auction.orders - first)
    if len(action.shares) != count:
        raise BadField(field="shares", why=f"page {action.page} of auction {auction.id} has {max(0, count)} orders")
    if context.overlay.get(_page_key(action)) is not None:
        raise AlreadyExists(what=f"the shares of validator {action.validator} of page", id=action.page)
    for number, share in enumerate(action.shares, first):
        if share:
            _check_share(context, action, number, share)


def apply(context: Context, action: OpenShares) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    found = _set(context, action)
    context.overlay.put(_page_key(action), SharePage(action.shares))
    pages = tuple(each + (index == action.validator) for index, each in enumerate(found.pages))
    _put(context, _begun(context, auction, replace(found, pages=pages)))
    participant = found.members[action.validator].participant
    given = sum(1 for share in action.shares if share)
    context.announce(SharesGiven(auction.id, action.epoch, participant, action.page, given))


def describe(action: OpenShares) -> Said:
    return Said(
        "give {shares} of sealed orders of auction {auction}, as validator {validator}",
        shares=Counted(sum(1 for share in action.shares if share), "share"),
        auction=action.auction,
        validator=action.validator,
    )


def signers_of(state: Snapshot, found: EscrowSet, validator: int) -> tuple[bytes, ...]:
    """Vote keys that may sign for a member: the one it had, and the one that it votes with by now."""
    member = found.members[validator]
    low = validator_key(0)
    present = [entry for _, entry in state.scan(low, space_end(low[:1])) if isinstance(entry, Validator)]
    return (member.vote_key, *(each.vote_key for each in present if each.participant == member.participant))


def signers_for(state: Snapshot, action: OpenShares) -> tuple[bytes, ...]:
    """The same for an action that may name what does not exist."""
    found = state.get(escrow_set_key(action.auction, action.epoch))
    if not isinstance(found, EscrowSet) or action.validator >= len(found.members):
        return ()
    return signers_of(state, found, action.validator)


# --- by the sweep


def walks_due(state: Snapshot) -> bool:
    low = escrow_walk_key(0, 0)
    return next(iter(state.scan(low, space_end(low[:1]))), None) is not None


def open_served(context: Context) -> None:
    """Open what a quorum has served, at most so much that the block stays within its time."""
    low = escrow_walk_key(0, 0)
    allowance = _Allowance(LOOKS_PER_BLOCK, OPENINGS_PER_BLOCK, BOXES_PER_BLOCK)
    for key, _ in list(islice(context.overlay.scan(low, space_end(low[:1])), LOOKS_PER_BLOCK)):
        number, epoch = int.from_bytes(key[1:5], "big"), int.from_bytes(key[5:], "big")
        auction = context.record(auction_key(number), Auction, "auction", number)
        found = context.record(escrow_set_key(number, epoch), EscrowSet, "escrow set", epoch)
        cursor = _Walk(context, auction, found, allowance).go()
        if cursor < auction.orders:
            _put(context, replace(found, cursor=cursor))
            return
        context.overlay.delete(key)
        _put(context, _begun(context, auction, replace(found, served=found.walking, walking=0)))


class _Allowance:
    """What is left for a block."""

    def __init__(self, looks: int, openings: int, boxes: int) -> None:
        self.looks, self.openings, self.boxes = looks, openings, boxes

    @property
    def over(self) -> bool:
        return self.looks <= 0 or self.openings <= 0 or self.boxes <= 0


class _Walk:
    """One stretch of the way through the orders of a set."""

    def __init__(self, context: Context, auction: Auction, found: EscrowSet, allowance: _Allowance) -> None:
        self._context, self._auction, self._set, self._allowance = context, auction, found, allowance
        self._keys = keys_of(found)
        self._quorum = quorum_of(len(self._keys))
        self._served = [index for index, given in enumerate(found.pages) if given == pages_of(auction)]
        self._pages: dict[tuple[int, int], SharePage] = {}

    def go(self) -> int:
        """Where the walk goes on; the number of orders where it is done."""
        number = self._set.cursor
        while number < self._auction.orders and not self._allowance.over:
            self._allowance.looks -= 1
            point, order = _order(self._context, self._auction.id, number)
            if isinstance(order, SealedBid | SealedOffer) and not order.spoilt and _is_of(order, self._set.epoch):
                self._look_into(point, order)
            number += 1
        return number

    def _look_into(self, point: Outpoint, order: SealedBid | SealedOffer) -> None:
        shares = {index: share for index in self._served if (share := self._share(index, order.number))}
        if len(shares) >= self._quorum:
            self._allowance.openings -= 1
            self._allowance.boxes -= len(self._keys)
            self._open(point, order, shares)
        elif len(self._served) - len(shares) > len(self._keys) - self._quorum:
            _spoil(self._context, self._auction, point, order, BOX)

    def _open(self, point: Outpoint, order: SealedBid | SealedOffer, shares: dict[int, bytes]) -> None:
        context, auction = self._context, self._auction
        assert order.envelope is not None
        found = opened(order.envelope, order_context(context.environment.chain, order), self._keys, shares)
        if found is None:
            _spoil(context, auction, point, order, BOX)
            return
        said, kappa = found
        wanted = wanted_at(auction.terms, said.nodes)
        if wanted is None or problem(auction, order, said.quantity, said.limit, wanted):
            _spoil(context, auction, point, order, CONTENT)
        else:
            open_order(context, auction, point, order, said.quantity, said.limit, wanted, kappa)

    def _share(self, validator: int, number: int) -> bytes:
        page, place = divmod(number, PAGE_ORDERS)
        found = self._pages.get((validator, page))
        if found is None:
            key = escrow_shares_key(self._auction.id, self._set.epoch, validator, page)
            found = self._pages[validator, page] = self._context.record(key, SharePage, "page", page)
        return found.shares[place]


def _begun(context: Context, auction: Auction, found: EscrowSet) -> EscrowSet:
    """A walk begins when a quorum has served, and when more have than at the last one; one at a time."""
    served = sum(given == pages_of(auction) for given in found.pages)
    if found.walking or served < quorum_of(len(found.members)) or served <= found.served:
        return found
    context.overlay.put(escrow_walk_key(auction.id, found.epoch), Counter(served))
    return replace(found, walking=served, cursor=0)


def _spoil(context: Context, auction: Auction, point: Outpoint, order: SealedBid | SealedOffer, why: str) -> None:
    context.spend(point)
    marked = put_order(context, auction, replace(order, spoilt=True))
    context.announce(OrderSpoilt(auction.id, order.number, holder_of(order), marked, why))


# --- looking


def _set(context: Context, action: OpenShares) -> EscrowSet:
    key = escrow_set_key(action.auction, action.epoch)
    return context.record(key, EscrowSet, f"order of auction {action.auction} that was sealed in epoch", action.epoch)


def _put(context: Context, found: EscrowSet) -> None:
    context.overlay.put(escrow_set_key(found.auction, found.epoch), found)


def _page_key(action: OpenShares) -> bytes:
    return escrow_shares_key(action.auction, action.epoch, action.validator, action.page)


def _check_share(context: Context, action: OpenShares, number: int, share: bytes) -> None:
    """Of an order that was opened meanwhile any share will do: nobody looks at it any more."""
    _, order = _order(context, action.auction, number)
    if not isinstance(order, SealedBid | SealedOffer):
        return
    if not _is_of(order, action.epoch):
        raise OpeningWrong(auction=action.auction, order=number, why="it was sealed to the validators of another epoch")
    assert order.envelope is not None
    if not matches(order.envelope, order_context(context.environment.chain, order), action.validator, share):
        raise OpeningWrong(auction=action.auction, order=number, why="a share is not the one that was sealed")


def _is_of(order: SealedBid | SealedOffer, epoch: int) -> bool:
    return order.envelope is not None and order.envelope.epoch == epoch


def _order(context: Context, auction: int, number: int) -> tuple[Outpoint, Output | None]:
    pointer = context.overlay.get(auction_order_key(auction, number))
    assert isinstance(pointer, Pointer)
    found: Output | None = context.overlay.get(output_key(pointer.outpoint))  # type: ignore[assignment]
    return pointer.outpoint, found
