"""settle: the one price, both legs of every piece, the rest back; pages beyond a block; nothing dead is delivered."""

import pytest
from harness.town import Town
from msgspec.structs import replace

from contracts import expire, settle
from contracts.auction import book_of
from contracts.events import Delivered, Expired, OrderSettled, Settled
from contracts.pieces import result_root, settled
from contracts.receipt import price_words
from contracts.screening import clearing_book, screen
from contracts.settle import build_settle
from contracts.solving import solve
from state.codec import decode, encode
from state.errors import AuctionPhase, CertificateExpired, LimitReached, PriceWrong, Unknown
from state.keyspace import (
    auction_key,
    auction_member_key,
    auction_order_key,
    delivery_key,
    expiry_key,
    output_key,
    space_end,
)
from state.outputs import Bid, Bundle, Delivery, Funds, Offer
from state.records import Auction, AuctionMember, Pointer
from state.transaction import Settle
from state.units import MAX_AMOUNT, MAX_PRICE, MAX_QUANTITY, MICRO


@pytest.fixture
def town() -> Town:
    return Town()


def auction_of(town: Town, number: int) -> Auction:
    found = town.state.get(auction_key(number))
    assert isinstance(found, Auction)
    return found


def crowd(town: Town, auction: int, bids: int) -> None:
    """`bids` buyers of one certificate each, who all find one."""
    for number in range(bids):
        town.register(f"buyer {number}")
        town.bid(f"buyer {number}", auction, 1, 2 * MICRO, town.credit(f"buyer {number}", 2 * MICRO))


def test_both_legs_move_at_the_lowest_price_and_the_rest_returns(town: Town) -> None:
    auction, _, _ = town.trade()
    events = town.settle(auction)
    assert [event for event in events if isinstance(event, Settled)] == [
        Settled(auction, 2 * MICRO, 4, "T02", "EUR", 1, 1)
    ]
    assert (town.in_hand("plant"), town.in_hand("trader")) == ((6, 8 * MICRO), (4, 92 * MICRO))
    assert (auction_of(town, auction).price, auction_of(town, auction).quantity) == (2 * MICRO, 4)


def test_bought_certificates_count_one_transfer_and_unsold_ones_none(town: Town) -> None:
    auction, _, _ = town.trade()
    town.settle(auction)
    lots = {lot.holder: lot.transfers for lot in town.live().values() if isinstance(lot, Bundle)}
    assert lots == {town.id("trader"): 1, town.id("plant"): 0}


def test_an_auction_without_a_trade_has_no_price_and_gives_everything_back(town: Town) -> None:
    auction, _, _ = town.trade(limit=MICRO)
    town.settle(auction)
    assert (auction_of(town, auction).price, auction_of(town, auction).quantity) == (0, 0)
    assert (town.in_hand("plant"), town.in_hand("trader")) == ((10, 0), (0, 100 * MICRO))


def test_an_auction_without_orders_settles(town: Town) -> None:
    auction = town.auction()
    assert [type(event) for event in town.settle(auction)] == [Settled]


def test_the_floor_is_the_price_where_supply_abounds(town: Town) -> None:
    auction = town.auction(floor=3 * MICRO)
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    town.bid("trader", auction, 4, 5 * MICRO, town.fund("trader", 20))
    receipts = [event for event in town.settle(auction) if isinstance(event, OrderSettled)]
    assert auction_of(town, auction).price == 3 * MICRO
    why = price_words(auction_of(town, auction), receipts[1])
    assert "3.00 EUR, the lowest price that the auction allows; your limit was 5.00 EUR" in why


def test_the_ceiling_is_the_price_where_demand_abounds(town: Town) -> None:
    auction = town.auction(ceiling=4 * MICRO)
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    for name in ("trader", "consumer"):
        town.bid(name, auction, 10, 9 * MICRO, town.fund(name, 90))
    town.settle(auction)
    assert auction_of(town, auction).price == 4 * MICRO
    assert (town.in_hand("trader"), town.in_hand("consumer")) == ((5, 70 * MICRO), (5, 70 * MICRO))


def test_orders_tied_at_the_price_share_pro_rata(town: Town) -> None:
    auction = town.auction()
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    town.bid("trader", auction, 15, 3 * MICRO, town.fund("trader", 45))
    town.bid("consumer", auction, 5, 3 * MICRO, town.fund("consumer", 15))
    town.settle(auction)
    shares = town.certificates("trader"), town.certificates("consumer")
    assert sum(shares) == 10
    assert shares in {(7, 3), (8, 2)}  # 7.5 and 2.5: the last unit goes by the seed
    assert town.money("plant") == 30 * MICRO


def test_a_settlement_leaves_no_trace_of_its_orders(town: Town) -> None:
    auction, offer, _ = town.trade()
    town.cancel("plant", offer)
    town.settle(auction)
    for low in (auction_order_key(auction, 0), auction_member_key(auction, 0)):
        assert list(town.state.scan(low, space_end(low[:5]))) == []
    assert not any(isinstance(output, Offer | Bid) for output in town.live().values())


def test_anybody_may_settle_and_nobody_need_sign(town: Town) -> None:
    auction, _, _ = town.trade()
    town.do(build_settle(town.state, town.close(auction)), by=("consumer",))
    assert auction_of(town, auction).status == "settled"


def test_a_full_wallet_cannot_stop_a_settlement() -> None:
    """max_outputs binds whoever signs; a settlement has to come through whatever its traders hold."""
    town = Town(max_outputs=2)
    auction = town.auction()
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    town.bid("trader", auction, 4, 5 * MICRO, town.credit("trader", 20 * MICRO))
    town.credit("trader", MICRO)
    town.settle(auction)
    assert len(town.funds_of("trader")) + len(town.outputs_of("trader", Bundle)) == 3


def test_an_income_beyond_one_output_comes_in_several(town: Town) -> None:
    auction = town.auction()
    bundle = town.bundle(town.lot)
    huge = replace(bundle, end=20 * MAX_QUANTITY)
    town.state.put(output_key(town.lot), huge)
    town.offer("plant", auction, town.lot, 1, 20 * MAX_QUANTITY, MAX_PRICE)
    for number in range(20):
        name = f"buyer {number}"
        town.register(name)
        town.bid(name, auction, MAX_QUANTITY, MAX_PRICE, town.credit(name, 10**18))
    town.settle(auction)
    income = town.funds_of("plant")
    assert sum(income) == 20 * 10**18
    assert max(income) <= MAX_AMOUNT
    assert all(decode(Funds, encode(Funds(1, "EUR", amount))).amount == amount for amount in income)


# --- pages


def test_pieces_beyond_a_page_wait_and_are_swapped_by_later_blocks(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (settle, expire):
        monkeypatch.setattr(module, "PAGE_PIECES", 2)
    auction = town.auction(seconds=120)
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    crowd(town, auction, 5)
    events = town.settle(auction)
    delivered = [sum(isinstance(event, Delivered) for event in events)]
    waiting = [output for output in town.live().values() if isinstance(output, Delivery)]
    assert len(waiting) == 3
    assert town.money("plant") == 4 * MICRO
    for _ in range(3):
        delivered.append(sum(isinstance(event, Delivered) for event in town.block()))
    assert delivered == [2, 2, 1, 0]
    assert town.in_hand("plant") == (5, 10 * MICRO)
    assert [town.in_hand(f"buyer {number}") for number in range(5)] == [(1, 0)] * 5
    assert list(town.state.scan(delivery_key(0), space_end(delivery_key(0)[:1]))) == []


def test_a_waiting_piece_that_expires_gives_the_buyer_his_money_back(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "PAGE_PIECES", 1)
    auction = town.auction(seconds=120)
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    crowd(town, auction, 2)
    until = town.bundle_in_offer().retire_until
    town.settle(auction)
    events = town.block(seconds=until - town.time_ms // 1000)
    assert sum(isinstance(event, Expired) for event in events) == 3  # delivered, waiting, unsold
    assert not any(isinstance(event, Delivered) for event in events)
    assert sorted(town.money(f"buyer {number}") for number in range(2)) == [0, 2 * MICRO]
    assert town.money("plant") == 2 * MICRO


def test_a_dead_piece_is_not_delivered_while_the_sweep_is_behind(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "PAGE_PIECES", 0)
    monkeypatch.setattr(expire, "SWEEP_LIMIT", 1)
    auction = town.auction(seconds=120)
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    crowd(town, auction, 3)
    until = town.bundle_in_offer().retire_until
    town.settle(auction)
    events = town.block(seconds=until - town.time_ms // 1000)
    assert not any(isinstance(event, Delivered) for event in events)
    town.pass_blocks(4, 1)
    assert [town.in_hand(f"buyer {number}") for number in range(3)] == [(0, 2 * MICRO)] * 3
    assert town.in_hand("plant") == (0, 0)


def test_an_offer_that_expired_after_the_close_is_out_of_the_book(town: Town) -> None:
    auction, offer, _ = town.trade()
    closed = town.close(auction)
    locked = town.live()[offer]
    assert isinstance(locked, Offer)
    early = build_settle(town.state, closed)
    events = town.block(seconds=locked.lot.retire_until - town.time_ms // 1000)
    assert [type(event) for event in events] == [Expired]
    town.refuses(PriceWrong, early)
    town.do(build_settle(town.state, closed))
    assert (town.in_hand("plant"), town.in_hand("trader")) == ((0, 0), (0, 100 * MICRO))


def test_refuses_to_settle_over_a_dead_lot_that_the_sweep_has_not_reached(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expire, "SWEEP_LIMIT", 0)
    auction, offer, _ = town.trade()
    closed = town.close(auction)
    locked = town.live()[offer]
    assert isinstance(locked, Offer)
    town.block(seconds=locked.lot.retire_until - town.time_ms // 1000)
    town.refuses(CertificateExpired, build_settle(town.state, closed))
    monkeypatch.setattr(expire, "SWEEP_LIMIT", 1_000)
    town.block()
    town.do(build_settle(town.state, closed))
    assert town.money("trader") == 100 * MICRO


# --- refused


def test_refuses_to_settle_an_open_or_settled_auction(town: Town) -> None:
    auction, _, _ = town.trade()
    town.refuses(AuctionPhase, build_settle(town.state, auction_of(town, auction)))
    action = build_settle(town.state, town.close(auction))
    town.do(action)
    town.refuses(AuctionPhase, action)


def test_refuses_to_settle_an_unknown_auction(town: Town) -> None:
    town.refuses(Unknown, Settle(9, (0,), bytes(32)))


@pytest.mark.parametrize("change", [-1, 1, 7, -13, MICRO])
def test_refuses_every_other_price(town: Town, change: int) -> None:
    auction, _, _ = town.trade()
    right = build_settle(town.state, town.close(auction))
    town.refuses(PriceWrong, replace(right, prices=(right.prices[0] + change,)))


def test_refuses_two_prices_for_one_class(town: Town) -> None:
    auction, _, _ = town.trade()
    right = build_settle(town.state, town.close(auction))
    town.refuses(PriceWrong, replace(right, prices=right.prices * 2))


def test_refuses_other_fills_or_pieces(town: Town) -> None:
    auction, _, _ = town.trade()
    closed = town.close(auction)
    right = build_settle(town.state, closed)
    town.refuses(PriceWrong, replace(right, result_root=bytes(32)))
    book = clearing_book(closed, screen(closed, book_of(town.state, closed)))
    with_other_seed = settled(book, solve(book), bytes(32))
    assert with_other_seed is not None
    assert result_root(with_other_seed) == right.result_root, "one bid and one offer leave no tie to decide"


def test_refuses_more_outputs_than_a_transaction_can_number(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.context.MAX_INDEX", 2)
    auction, _, _ = town.trade()
    town.refuses(LimitReached, build_settle(town.state, town.close(auction)))


def test_an_order_counts_for_its_member_and_still_waits_to_expire(town: Town) -> None:
    auction, offer, _ = town.trade()
    member = town.state.get(auction_member_key(auction, town.id("plant")))
    assert member == AuctionMember(1, "offer")
    lot = town.live()[offer]
    assert isinstance(lot, Offer)
    assert town.state.get(expiry_key(lot.lot.retire_until, offer)) == Pointer(offer)
