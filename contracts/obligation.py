"""What a buyer on margin owes: made by the settlement, paid by `pay`, ended by delivery or by `default`.

The pieces of a bid whose locked money does not cover what it won are **reserved**: they stay the seller's and are bound
for the buyer until a day. His margin and what he pays in lie in one Guarantee. Pieces are delivered whole, in order,
each as soon as it is paid in full; at every moment as much of the margin stays as secures what is not yet delivered:

    held back = margin * (value - delivered) / value, rounded up

so the margin counts as payment in the same proportion for every piece, and a buyer who pays a part and then no more has
not used up what the sellers of the rest are secured by. After a default exactly that is theirs, by value.

Paying and defaulting only say so. Certificates and money move in the sweep of the next blocks, at most a page of pieces
a block, however many pay in one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from contracts.context import Context
from contracts.delivery import Income, operator_of, swap
from contracts.events import ObligationMade, ObligationMet, Released
from contracts.transfer import moved_bundle
from state.errors import Suspended
from state.keyspace import (
    obligation_due_key,
    obligation_key,
    obligation_piece_key,
    obligation_work_key,
    output_key,
    space_end,
    strikes_key,
)
from state.outputs import Bundle, Funds, Guarantee, Reserved, retire_until
from state.overlay import Snapshot
from state.records import Auction, AuctionTerms, Counter, Obligation, Pointer, Strikes
from state.units import DAY_S

BASIS_POINTS = 10_000
MAX_STRIKES = 3  # so many defaults, each within the time below of the one before, and no more bids on margin
STRIKE_S = 365 * DAY_S  # after which all strikes are forgotten


class Won(NamedTuple):
    """A piece that its buyer has yet to pay."""

    lot: Bundle
    amount: int  # millionths
    fee: int  # of it


# --- what a bid locks


def to_lock(terms: AuctionTerms, value: int) -> int:
    """What has to be locked for a bid, or kept of it for certificates, of this value: all of it, or the margin."""
    return -(-value * terms.margin // BASIS_POINTS) if terms.margin else value


def require_trusted(context: Context, terms: AuctionTerms, participant: int) -> None:
    """Suspended, where bids are on margin and the participant left too many obligations unpaid."""
    found = strikes_of(context.overlay, participant, context.environment.time_s)
    if terms.margin and found is not None and found.count >= MAX_STRIKES:
        raise Suspended(participant=participant, count=found.count, until=found.last_at + STRIKE_S)


def strikes_of(state: Snapshot, participant: int, now_s: int) -> Strikes | None:
    """The strikes that still count."""
    found = state.get(strikes_key(participant))
    return found if isinstance(found, Strikes) and now_s < found.last_at + STRIKE_S else None


def owed(state: Snapshot, obligation: Obligation) -> int:
    """What is still to be paid in for everything to be delivered."""
    if obligation.forfeit:
        return 0
    return max(0, obligation.value - obligation.delivered - held(state, obligation).amount)


def held(state: Snapshot, obligation: Obligation) -> Funds:
    """The margin and what was paid in, less what was delivered."""
    found = state.get(output_key(obligation.guarantee))
    assert isinstance(found, Guarantee)
    return found.funds


def held_back(obligation: Obligation, delivered: int) -> int:
    """What of the margin has to stay when pieces of the value `delivered` are."""
    left = max(0, obligation.value - delivered)
    return -(-obligation.margin * left // obligation.value) if obligation.value else 0


# --- its beginning


def owe(context: Context, auction: Auction, buyer: int, pieces: Sequence[Won], margin: int) -> None:
    """Reserve the pieces of a buyer whose locked money does not cover them."""
    overlay, value = context.overlay, sum(piece.amount for piece in pieces)
    due_at = context.environment.time_s + auction.terms.pay_s
    for number, (lot, amount, fee) in enumerate(pieces):
        point = context.create(Reserved(auction.id, number, lot, buyer, amount, fee))
        overlay.put(obligation_piece_key(auction.id, buyer, number), Pointer(point))
    guarantee = context.create(Guarantee(auction.id, Funds(buyer, auction.currency, margin)))
    obligation = Obligation(auction.id, buyer, auction.currency, value, 0, margin, guarantee, 0, len(pieces), due_at)
    put(context, obligation)
    overlay.put(obligation_due_key(due_at, auction.id, buyer), Counter(buyer))
    context.announce(
        ObligationMade(auction.id, buyer, auction.currency, value, margin, value - margin, len(pieces), due_at)
    )


def put(context: Context, obligation: Obligation) -> None:
    context.overlay.put(obligation_key(obligation.auction, obligation.buyer), obligation)


def wake(context: Context, obligation: Obligation) -> None:
    """Let the next sweeps look at it."""
    context.overlay.put(obligation_work_key(obligation.auction, obligation.buyer), Counter(obligation.buyer))


def at_work(state: Snapshot, obligation: Obligation) -> bool:
    return state.get(obligation_work_key(obligation.auction, obligation.buyer)) is not None


# --- in the sweep


def deliver_paid(context: Context, most: int) -> int:
    """Deliver what is paid, at most so many pieces; how many it did."""
    return _work(context, most, defaulted=False)


def release_unpaid(context: Context, most: int) -> int:
    """Give back what was defaulted on, at most so many pieces; how many it did."""
    return _work(context, most, defaulted=True)


def _work(context: Context, most: int, defaulted: bool) -> int:
    income, used = Income(), 0
    for key in _waiting(context):
        auction, buyer = int.from_bytes(key[1:5], "big"), int.from_bytes(key[5:9], "big")
        obligation = context.record(obligation_key(auction, buyer), Obligation, "obligation", auction)
        if used < most and bool(obligation.forfeit) == defaulted:
            page = _Page(context, obligation, income, most - used)
            done = page.release() if defaulted else page.deliver()
            used += page.used
            if done:
                context.overlay.delete(key)
    income.pay_out(context)
    return used


def lapsed(context: Context, piece: Reserved) -> None:
    """A reserved piece expired: nobody owes for it, and its part of the margin is as if it had been paid in."""
    obligation = context.record(obligation_key(piece.auction, piece.buyer), Obligation, "obligation", piece.auction)
    context.overlay.delete(obligation_piece_key(piece.auction, piece.buyer, piece.number))
    secured = obligation.margin * piece.amount // obligation.value
    obligation = replace(obligation, value=obligation.value - piece.amount, margin=obligation.margin - secured)
    put(context, obligation)
    wake(context, obligation)


class _Page:
    """The work on one obligation in one block."""

    def __init__(self, context: Context, obligation: Obligation, income: Income, most: int) -> None:
        self.used = 0
        self._context = context
        self._obligation = obligation
        self._income = income
        self._most = most
        self._held = held(context.overlay, obligation).amount

    def deliver(self) -> bool:
        """Swap whole pieces in order while they are paid; whether nothing more can be done for now."""
        obligation, operator = self._obligation, operator_of(self._context, self._obligation.auction)
        first, delivered, over = obligation.first, obligation.delivered, False
        while first < obligation.pieces and self.used < self._most:
            piece = self._piece(first)
            if piece is not None:
                over = self._held - piece.amount < held_back(obligation, delivered + piece.amount)
                if over or not self._context.environment.before(retire_until(piece)):
                    break  # not paid yet; or dead, and the sweep is behind: it will lapse
                self._take(piece)
                payment = Funds(obligation.buyer, obligation.currency, piece.amount)
                swap(self._context, obligation.auction, piece.lot, obligation.buyer, payment)
                self._earn(piece.lot.holder, piece.amount - piece.fee)
                self._earn(operator, piece.fee)
                delivered += piece.amount
            first += 1
        self._keep(replace(obligation, first=first, delivered=delivered))
        return over or first == obligation.pieces

    def release(self) -> bool:
        """Give lots back, from the last one on, each with its part of the margin; the first piece takes what is left,
        so no division leaves a rest."""
        obligation, last = self._obligation, self._obligation.pieces
        while last > obligation.first and self.used < self._most:
            piece = self._piece(last - 1)
            if piece is not None:
                self._take(piece)
                lot = piece.lot
                self._context.create(moved_bundle(lot, lot.holder, lot.start, lot.end))
                part = obligation.forfeit * piece.amount // obligation.unpaid
                self._earn(lot.holder, self._held if piece.number == obligation.first else part)
                self._context.announce(
                    Released(
                        obligation.auction,
                        lot.holder,
                        obligation.buyer,
                        lot.device,
                        lot.issuance,
                        lot.start,
                        lot.end,
                    )
                )
            last -= 1
        self._keep(replace(obligation, pieces=last))
        return last == obligation.first

    def _piece(self, number: int) -> Reserved | None:
        """None where its certificates expired."""
        obligation = self._obligation
        pointer = self._context.overlay.get(obligation_piece_key(obligation.auction, obligation.buyer, number))
        if not isinstance(pointer, Pointer):
            return None
        found = self._context.overlay.get(output_key(pointer.outpoint))
        assert isinstance(found, Reserved)
        return found

    def _take(self, piece: Reserved) -> None:
        key = obligation_piece_key(piece.auction, piece.buyer, piece.number)
        pointer = self._context.overlay.get(key)
        assert isinstance(pointer, Pointer)
        self._context.spend(pointer.outpoint)
        self._context.overlay.delete(key)
        self.used += 1

    def _earn(self, participant: int, amount: int) -> None:
        if amount:
            self._income.add(participant, self._obligation.currency, amount)
            self._held -= amount

    def _keep(self, obligation: Obligation) -> None:
        """What is left of it; where no piece is, the rest of the money goes back and nothing stays."""
        context = self._context
        if obligation.first < obligation.pieces:
            if self.used:
                context.spend(obligation.guarantee)
                funds = Funds(obligation.buyer, obligation.currency, self._held)
                obligation = replace(obligation, guarantee=context.create(Guarantee(obligation.auction, funds)))
            put(context, obligation)
            return
        context.spend(obligation.guarantee)
        context.pay(obligation.buyer, obligation.currency, self._held)
        context.overlay.delete(obligation_key(obligation.auction, obligation.buyer))
        context.overlay.delete(obligation_due_key(obligation.due_at, obligation.auction, obligation.buyer))
        if not obligation.forfeit:
            context.announce(ObligationMet(obligation.auction, obligation.buyer, obligation.currency, obligation.value))


def _waiting(context: Context) -> list[bytes]:
    low = obligation_work_key(0, 0)
    return [key for key, _ in context.overlay.scan(low, space_end(low[:1]))]


def obligations_due(state: Snapshot, now_s: int) -> list[Obligation]:
    """Those whose time is over, the oldest first."""
    rows = state.scan(obligation_due_key(0, 0, 0), obligation_due_key(now_s + 1, 0, 0))
    keys = [obligation_key(int.from_bytes(key[9:13], "big"), int.from_bytes(key[13:17], "big")) for key, _ in rows]
    return [entry for entry in map(state.get, keys) if isinstance(entry, Obligation)]
