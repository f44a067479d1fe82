"""A node that stops between two pages of a settlement goes on where it was, and comes to the same state."""

import pytest
from harness.chain import LedgerWorld, genesis_and_chain
from harness.world import genesis_json

from contracts.events import Delivered, Released
from node.ledger import Ledger
from state.outputs import Bundle, Delivery, Funds, Guarantee, Reserved
from state.records import AuctionTerms
from state.store import MemoryStore
from state.transaction import Default, Pay
from state.units import MICRO


def story(margin: int, restarting: bool) -> tuple[LedgerWorld, int, int]:
    """Ten buyers of one certificate each, or one of ten lots: a page is one piece; with or without a stop after each
    block. (the world, pieces delivered, pieces released)."""
    world = LedgerWorld()
    world.operators()
    (lot,) = world.with_bundles()
    money = [world.fund("trader", 10), world.fund("trader", 10)]
    terms = AuctionTerms(margin=margin, pay_s=600 if margin else 0)
    first, second = world.auction(terms=terms), world.auction(terms=terms)
    for auction, start in ((first, 1), (second, 6)):
        for serial in range(start, start + 5):
            lots = {point: world.live()[point] for point in world.outputs_of("plant", Bundle)}
            lot = next(p for p, each in lots.items() if isinstance(each, Bundle) and each.start <= serial <= each.end)
            world.offer("plant", auction, lot, serial, serial, MICRO)
        world.bid("trader", auction, 5, MICRO, money.pop())
    world.settle(first)
    world.settle(second)
    if margin:
        cash = world.outputs_of("trader", Funds)[0]
        world.do(Pay(first, world.people["trader"], 4 * MICRO, (cash,)), by=("trader",))
    delivered = released = 0
    for turn in range(26):
        if restarting:
            world.ledger = Ledger.open(world.ledger.store, *genesis_and_chain(genesis_json()))
            world.state = world.ledger.store  # type: ignore[assignment]
        late = margin and turn == 12
        events = world.do(Default(second, world.people["trader"]), seconds=600) if late else world.block()
        delivered += sum(isinstance(event, Delivered) for event in events)
        released += sum(isinstance(event, Released) for event in events)
    return world, delivered, released


@pytest.mark.parametrize("margin", [0, 2_000])
def test_a_stop_between_pages_changes_nothing(margin: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("settle", "expire"):
        monkeypatch.setattr(f"contracts.{module}.PAGE_PIECES", 1)
    (world, delivered, released), (other, *_) = story(margin, restarting=True), story(margin, restarting=False)
    assert world.ledger.tip.header.state_root == other.ledger.tip.header.state_root
    assert (delivered, released) == ((5, 5) if margin else (7, 0))
    assert world.certificates("trader") == (5 if margin else 10)
    assert world.money("plant") == (5 * MICRO + MICRO if margin else 10 * MICRO)
    assert not any(isinstance(output, Delivery | Reserved | Guarantee) for output in world.live().values())
    assert isinstance(world.ledger.store, MemoryStore)
