"""The market's attackers, each by name: what they try is refused with its code or harmless by construction.

The details of each rule stand with the rule (test_reveal, test_open_shares, test_settle, …); here is the list.
"""

import pytest
from harness.town import Sealing, Town
from msgspec.structs import replace

from contracts.events import Delivered, OrderSettled
from contracts.settle import VOID_AFTER_S, build_settle
from state.errors import (
    AuctionPhase,
    BlockInvalid,
    CertificateExpired,
    LimitReached,
    MoneyDiffers,
    NotYours,
    OpeningWrong,
    OwnOrder,
    PriceWrong,
    Spent,
    WrongClass,
)
from state.keyspace import auction_key
from state.outputs import SealedBid
from state.records import Auction, AuctionTerms, Dimension
from state.transaction import Action, PlaceBid, PlaceOffer, Settle, VoidAuction
from state.units import MICRO

BUYERS = ("trader", "consumer")


@pytest.fixture
def town() -> Town:
    return Town()


def book(town: Town) -> tuple[int, list[tuple[Action, str]]]:
    """Ten certificates at 1 EUR, and two buyers of eight each at the same limit: (auction, orders and who signs)."""
    auction = town.auction()
    orders: list[tuple[Action, str]] = [
        (PlaceOffer(auction, town.id("plant"), town.lot, 1, 10, MICRO), "plant"),
        *(
            (PlaceBid(auction, town.id(name), 8, 2 * MICRO, (town.fund(name, 16),)), name) for name in BUYERS
        ),
    ]  # fmt: skip
    return auction, orders


def receipts(town: Town, auction: int) -> list[OrderSettled]:
    return [event for event in town.settle(auction) if isinstance(event, OrderSettled)]


def record_of(town: Town, auction: int) -> Auction:
    found = town.state.get(auction_key(auction))
    assert isinstance(found, Auction)
    return found


def closed(town: Town) -> tuple[int, Settle]:
    auction, orders = book(town)
    for order, by in orders:
        town.do(order, by=(by,), seconds=0)
    return auction, build_settle(town.state, town.close(auction))


# --- orders out of turn


def test_an_early_order_is_refused(town: Town) -> None:
    auction = town.auction(terms=AuctionTerms(opens_at=town.time_ms // 1000 + 30))
    bid = PlaceBid(auction, town.id("trader"), 1, MICRO, (town.fund("trader", 1),))
    town.refuses(AuctionPhase, bid, by=("trader",))


def test_a_late_order_is_refused(town: Town) -> None:
    auction, orders = book(town)
    town.close(auction)
    for order, by in orders:
        town.refuses(AuctionPhase, order, by=(by,))


def test_a_duplicate_order_is_refused(town: Town) -> None:
    """Sent again, or once more with the same money."""
    _, orders = book(town)
    for order, by in orders:
        town.do(order, by=(by,), seconds=0)
        town.refuses(Spent, order, by=(by,))


def test_a_foreign_order_is_refused(town: Town) -> None:
    """With somebody else's lot or money, or of what the auction does not trade."""
    _, ((offer, _), (bid, _), *_) = book(town)
    town.refuses(NotYours, replace(offer, seller=town.id("consumer")), by=("consumer",))
    town.refuses(NotYours, replace(bid, buyer=town.id("consumer")), by=("consumer",))
    elsewhere = town.auction(technology="T01")
    assert isinstance(offer, PlaceOffer)
    town.refuses(WrongClass, replace(offer, auction=elsewhere), by=("plant",))


# --- sealed orders


def sealed(town: Town) -> tuple[int, Sealing]:
    auction, bid = town.sealed_auction(), town.sealing("trader", 2, 2 * MICRO)
    town.do(bid.placing(auction, town.fund("trader", 4)), by=("trader",))
    return auction, bid


def test_a_copied_commitment_opens_to_nobody_and_costs_the_copier_half(town: Town) -> None:
    auction, bid = sealed(town)
    copied = replace(bid.placing(auction, town.fund("consumer", 4)), buyer=town.id("consumer"))
    town.do(copied, by=("consumer",))
    town.wait_for(auction, "opening")
    town.do(bid.opening(auction, 0))
    town.refuses(OpeningWrong, bid.opening(auction, 1))
    first, second = receipts(town, auction)
    assert (first.forfeited, second.forfeited, second.why) == (0, 2 * MICRO, "unopened")


@pytest.mark.parametrize("bent", [{"quantity": 1}, {"limit": MICRO}, {"salt": bytes(32)}], ids=str)
def test_a_wrong_opening_is_refused_and_the_right_one_still_holds(town: Town, bent: dict[str, object]) -> None:
    auction, bid = sealed(town)
    town.wait_for(auction, "opening")
    town.refuses(OpeningWrong, replace(bid.opening(auction, 0), **bent))
    town.do(bid.opening(auction, 0))
    assert not town.outputs_of("trader", SealedBid)


def test_grinding_the_own_order_does_not_move_the_draw(town: Town) -> None:
    """Ties go by a seed that is drawn after the close, and by numbers that the ledger gives: whatever an order is
    made of (its salt, its outpoint), the draw among the same places is the same."""
    auction, orders = book(town)
    other = town.fork()
    for world in (town, other):
        for order, by in orders:
            world.do(order, by=(by,), seconds=0)
        world.salt += 1_000  # other transaction ids, so other outpoints
    keys = []
    for world in (town, other):
        world.close(auction)
        world.state.put(auction_key(auction), replace(record_of(world, auction), seed=bytes(32)))
        keys.append([told.filled for told in receipts(world, auction)])
    assert keys[0] == keys[1]


# --- proposers


def test_a_proposer_that_withholds_the_settlement_changes_nothing_until_it_is_given_up(town: Town) -> None:
    auction, right = closed(town)
    later = town.fork()
    later.pass_blocks(3, seconds=60)
    assert build_settle(later.state, record_of(later, auction)) == right, "the next one sends the same"
    town.pass_blocks(3 * 4, seconds=VOID_AFTER_S // 12 + 1)
    town.do(VoidAuction(auction))
    assert town.in_hand("plant") == (10, 0)
    assert [town.in_hand(name) for name in BUYERS] == [(0, 16 * MICRO)] * 2


def test_a_proposer_that_shuts_orders_out_leads_two_blocks_of_eight(town: Town) -> None:
    """An auction lasts until every one of four validators has led twice, however short its time is: an order that one
    leaves out comes in with the others, and by then the time is what the operator said it is."""
    auction = town.auction(seconds=2)
    while town.height < record_of(town, auction).opened_height + 2 * 4 - 1:
        assert town.phase(auction) == "open"
        town.block()
    town.block()
    assert town.phase(auction) == "closed"


def test_a_proposer_that_reorders_a_block_moves_neither_price_nor_totals(town: Town) -> None:
    auction, orders = book(town)
    other = town.fork()
    for world, sequence in ((town, orders), (other, orders[::-1])):
        world.block(*[world.transaction(order, by=(by,)) for order, by in sequence])
    outcomes = [
        sorted((told.participant, told.price, told.filled) for told in receipts(world, auction))
        for world in (town, other)
    ]
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("bent", ["price", "root", "classes"])
def test_a_proposer_that_alters_the_settlement_makes_an_invalid_block(town: Town, bent: str) -> None:
    _, right = closed(town)
    wrong = {
        "price": replace(right, prices=(right.prices[0] + 1,)),
        "root": replace(right, result_root=bytes(32)),
        "classes": replace(right, prices=(*right.prices, MICRO)),
    }[bent]
    town.refuses(PriceWrong, wrong)
    with pytest.raises(BlockInvalid):
        town.block(town.transaction(wrong))
    town.do(right)


# --- traders


def test_a_lot_that_expires_before_delivery_cannot_be_offered(town: Town) -> None:
    last = town.bundle(town.lot).trade_until
    auction = town.auction(seconds=last - town.time_ms // 1000 - 60, terms=AuctionTerms(margin=2_000, pay_s=60))
    offer = PlaceOffer(auction, town.id("plant"), town.lot, 1, 10, MICRO)
    town.refuses(CertificateExpired, offer, by=("plant",))


def test_a_buyer_without_cover_is_refused_and_a_sealed_one_takes_no_part(town: Town) -> None:
    auction = town.auction()
    money = town.fund("trader", 3)
    town.refuses(MoneyDiffers, PlaceBid(auction, town.id("trader"), 2, 2 * MICRO, (money,)), by=("trader",))
    hidden, bid = town.sealed_auction(), town.sealing("trader", 2, 2 * MICRO)
    town.do(bid.placing(hidden, money, stake=3 * MICRO), by=("trader",))
    town.wait_for(hidden, "opening")
    town.do(bid.opening(hidden, 0))
    (told,) = receipts(town, hidden)
    assert (told.why, told.filled, told.forfeited) == ("stake", 0, 0)
    assert town.money("trader") == 3 * MICRO


def test_nobody_trades_with_himself(town: Town) -> None:
    """One class: refused at once. Trees: the bid that accepts the class of an own offer takes no part."""
    auction, ((offer, _), *_) = book(town)
    town.do(offer, by=("plant",))
    bid = PlaceBid(auction, town.id("plant"), 1, 2 * MICRO, (town.fund("plant", 2),))
    town.refuses(OwnOrder, bid, by=("plant",))
    other = Town()
    trees = other.auction(terms=AuctionTerms(dimensions=(Dimension("zone", ("FR", "DK")),)))
    other.offer("plant", trees, other.lot, 1, 10, MICRO)
    other.bid("plant", trees, 1, 2 * MICRO, other.fund("plant", 2))
    events = other.settle(trees)
    assert not [event for event in events if isinstance(event, Delivered)]
    assert [event.why for event in events if isinstance(event, OrderSettled)] == ["price", "own_order"]


def test_a_flood_of_orders_leaves_the_last_places_to_newcomers(town: Town) -> None:
    auction = town.auction(seconds=1_000)
    record = record_of(town, auction)
    for taken, allowed in ((0, 64), (2_000, 8), (3_000, 1)):
        world = town.fork()
        world.state.put(auction_key(auction), replace(record, orders=taken))
        money = [world.credit("trader", MICRO) for _ in range(allowed + 1)]
        bids = [PlaceBid(auction, world.id("trader"), 1, MICRO, (each,)) for each in money]
        for bid in bids[:allowed]:
            world.do(bid, by=("trader",), seconds=0)
        world.refuses(LimitReached, bids[-1], by=("trader",))
        newcomer = PlaceBid(auction, world.id("consumer"), 1, MICRO, (world.credit("consumer", MICRO),))
        world.do(newcomer, by=("consumer",), seconds=0)
    town.state.put(auction_key(auction), replace(record, orders=4_000))
    town.refuses(LimitReached, replace(newcomer, inputs=(town.credit("consumer", MICRO),)), by=("consumer",))
