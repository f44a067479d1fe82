"""The life of a certificate, end to end on the rules alone: every one of the five kinds in one story."""

from harness.world import World

from contracts.events import Delivered, Issued, Retired, Settled
from contracts.settle import build_settle
from state.keyspace import auction_key, statement_key
from state.outputs import Bundle
from state.records import Auction, Statement
from state.transaction import Piece, Transfer
from state.units import MICRO


def test_energy_becomes_certificates_that_are_sold_transferred_and_retired() -> None:
    world = World()
    world.operators()
    for name in ("plant", "trader", "consumer"):
        world.register(name)
    device = world.device("plant")

    assert world.issue(device, 9_400_000) is not None
    assert world.certificates("plant") == 9
    lot = world.outputs_of("plant", Bundle)[0]

    money = world.fund("trader", 100)
    auction = world.auction()
    world.offer("plant", auction, lot, 1, 8, 3 * MICRO)
    world.bid("trader", auction, 5, 4 * MICRO, money)
    world.pass_blocks(9, 10)
    closed = world.state.get(auction_key(auction))
    assert isinstance(closed, Auction)
    assert closed.status == "closed"
    events = world.do(build_settle(world.state, closed))
    assert [event.price for event in events if isinstance(event, Settled)] == [3 * MICRO]
    assert any(isinstance(event, Delivered) for event in events)
    assert (world.certificates("trader"), world.certificates("plant")) == (5, 4)
    assert (world.money("trader"), world.money("plant")) == (85 * MICRO, 15 * MICRO)

    bought = world.outputs_of("trader", Bundle)[0]
    start = world.live()[bought].start
    pieces = (Piece(world.people["consumer"], start, start + 2), Piece(world.people["trader"], start + 3, start + 4))
    world.do(Transfer(world.people["trader"], (bought,), pieces, None), by=("trader",))
    assert (world.certificates("trader"), world.certificates("consumer")) == (2, 3)

    mine = world.outputs_of("consumer", Bundle)[0]
    action = world.retire_action("consumer", mine, start, start + 1)
    events = world.do(action, by=("consumer",))
    retired = [event for event in events if isinstance(event, Retired)]
    assert [(event.start, event.end) for event in retired] == [(start, start + 1)]
    assert world.certificates("consumer") == 1
    statement = world.state.get(statement_key(action.statement_hash[:16]))
    assert isinstance(statement, Statement)
    assert statement.quantity == 2


def test_the_rest_of_a_megawatt_hour_is_carried_into_the_next_day() -> None:
    world = World()
    world.register("plant")
    device = world.device("plant")
    assert world.issue(device, 400_000, day=16_162) is None
    assert world.issue(device, 700_000, day=16_163) is not None
    issued = [r.event for block in world.outputs for r in block.events if isinstance(r.event, Issued)]
    assert [(event.start, event.end) for event in issued] == [(1, 1)]
