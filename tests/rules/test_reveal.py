"""Sealed books: nobody reads an order before the close, a commitment binds its participant, hiding costs half."""

import pytest
from harness.town import Sealing, Town
from msgspec.structs import replace

from contracts.events import AuctionClosed, OpeningBegan, OrderOpened, OrderSealed, OrderSettled, Settled
from contracts.settle import build_settle
from state.errors import AuctionPhase, BadField, MoneyDiffers, OpeningWrong, Unknown
from state.keyspace import auction_key
from state.outputs import Bid, Offer, SealedBid, SealedOffer
from state.records import Auction
from state.transaction import Cancel, Reveal, Settle
from state.units import MAX_PRICE, MICRO


@pytest.fixture
def town() -> Town:
    return Town()


def auction_of(town: Town, number: int) -> Auction:
    found = town.state.get(auction_key(number))
    assert isinstance(found, Auction)
    return found


def sealed_trade(town: Town, bond: int = MICRO // 10) -> tuple[int, Sealing, Sealing]:
    """The lot offered at 2 EUR and a bid for four at 5 EUR, both sealed: (auction, offer, bid)."""
    auction = town.sealed_auction(bond=bond)
    offer, bid = town.sealing("plant", 10, 2 * MICRO), town.sealing("trader", 4, 5 * MICRO)
    money = [town.fund("plant", 1)] if bond else []
    town.do(offer.offering(auction, town.lot, 1, 10, *money), by=("plant",))
    town.do(bid.placing(auction, town.fund("trader", 30), stake=30 * MICRO), by=("trader",))
    return auction, offer, bid


def to_opening(town: Town, auction: int) -> None:
    while auction_of(town, auction).status == "open":
        town.block(seconds=10)


def settle(town: Town, auction: int) -> list[OrderSettled]:
    return [event for event in town.settle(auction) if isinstance(event, OrderSettled)]


def test_a_sealed_order_shows_its_stake_and_nothing_else(town: Town) -> None:
    auction, _, bid = sealed_trade(town)
    (point,) = town.outputs_of("trader", SealedBid)
    order = town.live()[point]
    assert isinstance(order, SealedBid)
    assert (order.funds.amount, order.commitment) == (30 * MICRO, bid.hash(auction, "bid"))
    shown = [
        event for block in town.outputs for record in block.events if isinstance(event := record.event, OrderSealed)
    ]
    assert [(event.side, event.amount) for event in shown] == [("offer", MICRO), ("bid", 30 * MICRO)]


def test_sealed_orders_are_opened_after_the_close_and_clear_like_open_ones(town: Town) -> None:
    auction, offer, bid = sealed_trade(town)
    to_opening(town, auction)
    events = town.do(offer.opening(auction, 0), bid.opening(auction, 1))
    assert [(e.participant, e.quantity, e.limit) for e in events if isinstance(e, OrderOpened)] == [
        (town.id("plant"), 10, 2 * MICRO),
        (town.id("trader"), 4, 5 * MICRO),
    ]
    told = settle(town, auction)
    assert [(receipt.filled, receipt.price, receipt.why) for receipt in told] == [
        (4, 2 * MICRO, "shared"),
        (4, 2 * MICRO, "filled"),
    ]
    assert town.in_hand("trader") == (4, 22 * MICRO)
    assert town.in_hand("plant") == (6, 9 * MICRO)  # the bond of 1 EUR is back


def test_the_opening_lasts_its_time_and_two_blocks_of_every_validator(town: Town) -> None:
    auction, _, _ = sealed_trade(town)
    events = []
    while auction_of(town, auction).status == "open":
        events = town.block(seconds=10)
    assert [type(event) for event in events] == [AuctionClosed, OpeningBegan]
    began = auction_of(town, auction)
    town.block(seconds=100)
    while auction_of(town, auction).status == "opening":
        assert town.height < began.phase_height + 8
        town.block()
    assert auction_of(town, auction).status == "closed"
    assert len(auction_of(town, auction).seed) == 32


def test_whoever_does_not_open_loses_half_of_the_stake_and_keeps_the_lot(town: Town) -> None:
    auction, _, _ = sealed_trade(town)
    to_opening(town, auction)
    before = town.money("exchange")
    told = settle(town, auction)
    assert [(receipt.why, receipt.forfeited) for receipt in told] == [
        ("unopened", MICRO // 2),
        ("unopened", 15 * MICRO),
    ]
    assert town.in_hand("plant") == (10, MICRO // 2)
    assert town.in_hand("trader") == (0, 15 * MICRO)
    assert town.money("exchange") - before == 15 * MICRO + MICRO // 2
    assert auction_of(town, auction).forfeited == 15 * MICRO + MICRO // 2


def test_a_stake_that_does_not_cover_the_order_voids_it_and_comes_back(town: Town) -> None:
    auction = town.sealed_auction()
    bid = town.sealing("trader", 4, 5 * MICRO)
    town.do(bid.placing(auction, town.fund("trader", 19), stake=19 * MICRO), by=("trader",))
    to_opening(town, auction)
    town.do(bid.opening(auction, 0))
    (receipt,) = settle(town, auction)
    assert (receipt.why, receipt.forfeited, town.money("trader")) == ("stake", 0, 19 * MICRO)


def test_a_sealed_order_can_be_taken_back_until_the_close_with_all_that_it_locked(town: Town) -> None:
    _, _, _ = sealed_trade(town)
    (offer,), (bid,) = town.outputs_of("plant", SealedOffer), town.outputs_of("trader", SealedBid)
    town.do(Cancel(town.id("plant"), offer), by=("plant",))
    town.do(Cancel(town.id("trader"), bid), by=("trader",))
    assert (town.in_hand("plant"), town.in_hand("trader")) == ((10, MICRO), (0, 30 * MICRO))


def test_the_seed_hangs_on_what_was_opened(town: Town) -> None:
    auction, offer, bid = sealed_trade(town)
    to_opening(town, auction)
    other = town.fork()
    town.do(offer.opening(auction, 0))
    other.do(offer.opening(auction, 0))
    other.do(bid.opening(auction, 1))
    assert town.close(auction).seed != other.close(auction).seed


def test_the_block_that_the_seed_hangs_on_is_final_before_anybody_reads_an_order(town: Town) -> None:
    """Or who leads the last block of the opening could try blocks until the draw suits him."""
    auction, offer, bid = sealed_trade(town)
    to_opening(town, auction)
    seeds = []
    for blocks in (2, 40):
        other = town.fork()
        other.do(offer.opening(auction, 0))
        other.do(bid.opening(auction, 1))
        other.pass_blocks(blocks, seconds=1)
        seeds.append(other.close(auction).seed)
    assert seeds[0] == seeds[1]


# --- refused


def test_refuses_to_open_an_order_before_the_close_or_after_the_opening(town: Town) -> None:
    auction, _, bid = sealed_trade(town)
    town.refuses(AuctionPhase, bid.opening(auction, 1))
    to_opening(town, auction)
    town.close(auction)
    town.refuses(AuctionPhase, bid.opening(auction, 1))


@pytest.mark.parametrize(
    "change", [{"quantity": 5}, {"limit": 4 * MICRO}, {"salt": bytes(32)}, {"wanted": ("T02",)}, {"order": 0}]
)
def test_refuses_an_opening_that_is_not_what_was_sealed(town: Town, change: dict[str, object]) -> None:
    auction, _, bid = sealed_trade(town)
    to_opening(town, auction)
    town.refuses(OpeningWrong, replace(bid.opening(auction, 1), **change))


def test_refuses_a_commitment_that_was_copied_under_another_name_or_auction(town: Town) -> None:
    auction, _, bid = sealed_trade(town)
    copied = replace(bid.placing(auction, town.fund("consumer", 20)), buyer=town.id("consumer"))
    town.do(copied, by=("consumer",))
    second = town.sealed_auction()
    again = replace(bid.placing(auction, town.fund("trader", 20)), auction=second)
    town.do(again, by=("trader",))
    to_opening(town, auction)
    to_opening(town, second)
    town.refuses(OpeningWrong, bid.opening(auction, 2))
    town.refuses(OpeningWrong, bid.opening(second, 0))


def test_refuses_to_open_an_order_twice_or_one_that_was_taken_back(town: Town) -> None:
    auction, _, bid = sealed_trade(town)
    (offer,) = town.outputs_of("plant", SealedOffer)
    town.do(Cancel(town.id("plant"), offer), by=("plant",))
    to_opening(town, auction)
    town.do(bid.opening(auction, 1))
    town.refuses(OpeningWrong, bid.opening(auction, 1))
    town.refuses(OpeningWrong, replace(bid.opening(auction, 1), order=0))


def test_refuses_to_open_an_order_that_does_not_exist(town: Town) -> None:
    auction, _, bid = sealed_trade(town)
    to_opening(town, auction)
    town.refuses(Unknown, bid.opening(auction, 2))
    town.refuses(Unknown, bid.opening(99, 0))


@pytest.mark.parametrize(("quantity", "limit"), [(0, MICRO), (11, MICRO), (1, MAX_PRICE + 1)])
def test_refuses_to_open_an_offer_beyond_its_lot_or_the_bounds(town: Town, quantity: int, limit: int) -> None:
    auction = town.sealed_auction()
    offer = town.sealing("plant", quantity, limit)
    town.do(offer.offering(auction, town.lot, 1, 10), by=("plant",))
    to_opening(town, auction)
    town.refuses(OpeningWrong, offer.opening(auction, 0))


def test_refuses_to_open_a_bid_for_nodes_that_the_auction_does_not_have(town: Town) -> None:
    auction = town.sealed_auction()
    bid = town.sealing("trader", 1, MICRO, ("T02",))
    town.do(bid.placing(auction, town.fund("trader", 1)), by=("trader",))
    to_opening(town, auction)
    town.refuses(OpeningWrong, bid.opening(auction, 0))


def test_refuses_an_open_order_in_a_sealed_book_and_a_sealed_one_in_an_open_book(town: Town) -> None:
    auction, other = town.sealed_auction(), town.auction()
    bid = town.sealing("trader", 1, MICRO)
    money = town.fund("trader", 5)
    opened = replace(bid.placing(auction, money), commitment=b"", stake=0, quantity=1, limit=MICRO)
    town.refuses(BadField, opened, by=("trader",))
    town.refuses(BadField, bid.placing(other, money), by=("trader",))
    town.refuses(BadField, replace(bid.placing(auction, money), quantity=1), by=("trader",))
    town.refuses(BadField, replace(bid.placing(auction, money), stake=0), by=("trader",))


def test_refuses_a_sealed_offer_without_its_bond(town: Town) -> None:
    auction = town.sealed_auction(bond=MICRO)
    offer = town.sealing("plant", 10, MICRO)
    town.refuses(MoneyDiffers, offer.offering(auction, town.lot, 1, 10), by=("plant",))
    short = offer.offering(auction, town.lot, 1, 10, town.fund("plant", 9))
    town.refuses(MoneyDiffers, short, by=("plant",))


def test_refuses_to_settle_while_orders_are_being_opened(town: Town) -> None:
    auction, _, _ = sealed_trade(town)
    to_opening(town, auction)
    town.refuses(AuctionPhase, Settle(auction, (), bytes(32)))
    assert isinstance(build_settle(town.state, town.close(auction)), Settle)


def test_every_opened_order_is_live_until_the_settlement(town: Town) -> None:
    auction, offer, bid = sealed_trade(town)
    to_opening(town, auction)
    town.do(offer.opening(auction, 0))
    town.do(bid.opening(auction, 1))
    assert len(town.outputs_of("plant", Offer)) == len(town.outputs_of("trader", Bid)) == 1
    assert isinstance(bid.opening(auction, 1), Reveal)
    (settled,) = [event for event in town.settle(auction) if isinstance(event, Settled)]
    assert (settled.price, settled.quantity, settled.forfeited) == (2 * MICRO, 4, 0)
