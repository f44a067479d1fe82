"""Delivery versus payment: the two legs of a piece, and the queue of paid pieces that did not fit into a settlement.

A page is what one block swaps beside everything else it does; the queue goes before what buyers on margin have paid
for (`contracts/obligation.py`), so that both together stay within a page.
"""

from collections import defaultdict
from itertools import islice

from contracts.context import Context
from contracts.events import Delivered
from contracts.transfer import moved_bundle
from state.keyspace import auction_key, delivery_key, output_key, space_end
from state.outputs import Bundle, Delivery, Funds, retire_until
from state.records import Auction, Pointer
from state.units import Outpoint


class Income:
    """What sellers and market operators earn in one page: one payment each, in the order of their numbers."""

    def __init__(self) -> None:
        self._amounts: dict[tuple[int, str], int] = defaultdict(int)

    def add(self, participant: int, currency: str, amount: int) -> None:
        self._amounts[participant, currency] += amount

    def pay_out(self, context: Context) -> None:
        for (participant, currency), amount in sorted(self._amounts.items()):
            context.pay(participant, currency, amount)


def swap(context: Context, auction: int, lot: Bundle, buyer: int, payment: Funds) -> None:
    """The certificates to the buyer; the seller's money is paid by the caller, once for all his pieces."""
    context.create(moved_bundle(lot, buyer, lot.start, lot.end))
    context.announce(
        Delivered(
            auction,
            lot.holder,
            buyer,
            lot.device,
            lot.issuance,
            lot.start,
            lot.end,
            payment.currency,
            payment.amount,
        )
    )


def deliver_page(context: Context, most: int) -> int:
    """Up to `most` waiting pieces: both legs of each, in piece order; how many it looked at."""
    low = delivery_key(0)
    waiting: list[tuple[bytes, Pointer]] = []
    for key, pointer in islice(context.overlay.scan(low, space_end(low[:1])), most):
        assert isinstance(pointer, Pointer)
        waiting.append((key, pointer))
    income = Income()
    for key, pointer in waiting:
        context.overlay.delete(key)
        if not _still_alive(context, pointer.outpoint):
            continue  # its certificates expired while it waited; the buyer gets the money back by the expiry
        piece = context.spend(pointer.outpoint)
        assert isinstance(piece, Delivery)
        swap(context, piece.auction, piece.lot, piece.buyer, piece.payment)
        income.add(piece.lot.holder, piece.payment.currency, piece.payment.amount - piece.fee)
        if piece.fee:
            income.add(operator_of(context, piece.auction), piece.payment.currency, piece.fee)
    income.pay_out(context)
    return len(waiting)


def operator_of(context: Context, auction: int) -> int:
    """Who is paid the fee."""
    return context.record(auction_key(auction), Auction, "auction", auction).operator


def _still_alive(context: Context, point: Outpoint) -> bool:
    """Neither swept nor due to be swept: a flood of expiries must not deliver dead certificates."""
    piece = context.overlay.get(output_key(point))
    return isinstance(piece, Delivery) and context.environment.before(retire_until(piece))
