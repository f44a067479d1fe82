"""What people do on the market beside the auctions of `stories.py`: posted lots, standing bids, sealed orders that
validators or their owners open, and an auction that is given up.

Ten minutes without a settlement and the close of a sealed book take longer than a run: both stand, as they are after
that, in the state that a run begins with.
"""

from harness.escrow import shares_of
from harness.sim.beginning import OWED, POSTED, SALT, UNPAID, Townsfolk, vote_key_name
from harness.sim.stories import Made, NotPossible, Story, outputs

from contracts.settle import void_due
from contracts.standing_bids import standing_bids
from state.escrow import EscrowSet
from state.keyspace import auction_key, escrow_set_key, output_key
from state.outputs import Bundle, Funds, Listing
from state.records import Auction
from state.transaction import (
    Action,
    Buy,
    Default,
    EndStandingBid,
    ListLot,
    Pay,
    PlaceStandingBid,
    Reveal,
    VoidAuction,
)
from state.units import DAY_S, MICRO, Outpoint

GUARDED = 3  # sealed auctions that validators open; in the others only one of them comes


def deal(world: Townsfolk, number: int) -> Story:
    """A lot is posted and half of it bought, a standing bid comes and goes, a sealed order is opened, and what lay in
    an auction that nobody settled comes back. What he owes in one auction the buyer pays, in another he is too late."""
    dealer, buyer = f"dealer {number}", f"buyer {number}"
    mine = world.people[buyer]
    yield lambda: _signed(dealer, _posted(world, dealer))
    yield lambda: _signed(buyer, Buy(mine, _of(world, dealer, Listing), POSTED // 2, (_of(world, buyer, Funds),)))
    yield lambda: _signed(buyer, _regular(world, buyer))
    yield lambda: ((Reveal(2 + 2 * number, 0, 1, MICRO, (), SALT), Default(UNPAID, mine)), ())
    yield from _shares_given(world, 2 + 2 * number, everybody=number < GUARDED)
    yield lambda: _give_up(world, 1 + 2 * number)
    paying = MICRO * 8 // 10
    yield lambda: _signed(
        buyer,
        Pay(OWED, mine, paying, (_of(world, buyer, Funds),)),
        EndStandingBid(mine, 1, _standing(world, mine)),
    )


def _shares_given(world: Townsfolk, auction: int, everybody: bool) -> Story:
    """Those to whom the order was sealed give their shares, whether they are still in office or not."""
    found = world.state.get(escrow_set_key(auction, 0))
    assert isinstance(found, EscrowSet)
    for index in range(len(found.members) if everybody else 1):
        yield lambda index=index: ((shares_of(world, auction, index),), (vote_key_name(index),))


def _signed(by: str, *actions: Action) -> Made:
    return actions, (by,)


def _of(world: Townsfolk, name: str, kind: type) -> Outpoint:
    found = outputs(world, name, kind)
    if not found:
        raise NotPossible
    return found[0]


def _posted(world: Townsfolk, dealer: str) -> ListLot:
    point = _of(world, dealer, Bundle)
    lot = world.state.get(output_key(point))
    assert isinstance(lot, Bundle)
    until = world.time_ms // 1000 + DAY_S
    return ListLot(lot.holder, point, lot.start, lot.end, MICRO, "EUR", 0, until)


def _regular(world: Townsfolk, buyer: str) -> PlaceStandingBid:
    return PlaceStandingBid(world.people[buyer], 1, (), 1, MICRO, 2 * MICRO, (_of(world, buyer, Funds),))


def _give_up(world: Townsfolk, number: int) -> Made | None:
    auction = world.state.get(auction_key(number))
    assert isinstance(auction, Auction)
    if auction.status != "closed":
        raise NotPossible
    return ((VoidAuction(number),), ()) if void_due(world.environment(), auction) else None


def _standing(world: Townsfolk, mine: int) -> int:
    number = next((bid.id for bid in standing_bids(world.state, 1) if bid.holder == mine), None)
    if number is None:
        raise NotPossible
    return number
