"""Margin: a bid locks a part, the rest is paid by a day; pieces move as they are paid; who does not pay loses it."""

import pytest
from harness.escrow import enveloped, escrow_auction, give
from harness.sim.conservation import _certificates, _money
from harness.town import Town
from harness.world import DAY
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts import expire
from contracts.events import (
    Defaulted,
    Delivered,
    Expired,
    ObligationMade,
    ObligationMet,
    OrderSettled,
    PaidIn,
    Released,
)
from contracts.obligation import MAX_STRIKES, STRIKE_S, held_back, owed
from contracts.settle import build_settle
from state.errors import (
    AlreadyExists,
    BadField,
    CertificateExpired,
    LimitReached,
    MissingSignature,
    MoneyDiffers,
    NotYet,
    ObligationOver,
    PriceWrong,
    RoleNeeded,
    Suspended,
    Unknown,
)
from state.keyspace import Space, space_end
from state.outputs import Bid, Bundle, Funds, Guarantee, Reserved, SealedBid
from state.records import AuctionClass, AuctionTerms
from state.transaction import Default, Deposit, OpenAuction, Pay, PlaceBid, Replace
from state.units import MICRO, MINOR_UNIT

HOUR = 3_600


@pytest.fixture
def town() -> Town:
    return Town()


def content(town: Town) -> tuple[int, int]:
    live = town.live().values()
    return sum(map(_money, live)), sum(map(_certificates, live))


def kinds(events: list[object], *wanted: type) -> list[type]:
    return [type(event) for event in events if isinstance(event, wanted)]


def default(town: Town, auction: int, name: str = "trader") -> list[object]:
    return [*town.do(Default(auction, town.id(name))), *town.block()]


def traces(town: Town) -> list[bytes]:
    """Everything that obligations leave in the state."""
    low, high = bytes((Space.OBLIGATION,)), space_end(bytes((Space.OBLIGATION_WORK,)))
    return [key for key, _ in town.state.scan(low, high)]


# --- the settlement


def test_a_bid_on_margin_locks_its_part_rounded_up(town: Town) -> None:
    auction = town.margin_auction(3_333)
    town.bid("trader", auction, 1, MICRO + 1, town.fund("trader", 1))
    (bid,) = (output for output in town.live().values() if isinstance(output, Bid))
    assert bid.funds.amount == 333_301
    assert town.money("trader") == MICRO - 333_301


def test_the_settlement_reserves_what_is_not_paid_and_keeps_the_margin_of_it(town: Town) -> None:
    auction = town.bought_on_margin()
    obligation = town.obligation(auction, "trader")
    assert obligation is not None
    assert (obligation.value, obligation.margin, obligation.pieces) == (14 * MICRO, 2_800_000, 2)
    reserved = [output for output in town.live().values() if isinstance(output, Reserved)]
    assert sorted(piece.lot.end - piece.lot.start + 1 for piece in reserved) == [3, 4]
    assert {piece.lot.holder for piece in reserved} == {town.id("plant")}
    assert town.in_hand("trader") == (0, 7 * MICRO - 2_800_000)
    assert town.in_hand("plant") == (3, 0)


def test_what_a_lower_price_leaves_of_the_margin_comes_back_at_once(town: Town) -> None:
    auction = town.margin_auction()
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    town.bid("trader", auction, 10, 4 * MICRO, town.fund("trader", 8))
    town.settle(auction)
    assert town.money("trader") == 4 * MICRO
    assert [output.funds.amount for output in town.live().values() if isinstance(output, Guarantee)] == [4 * MICRO]


def test_a_bid_whose_locked_money_pays_everything_is_delivered_at_once(town: Town) -> None:
    auction = town.margin_auction(9_000)
    town.offer("plant", auction, town.lot, 1, 10, MICRO)
    town.bid("trader", auction, 10, 4 * MICRO, town.fund("trader", 40))
    events = town.settle(auction)
    assert kinds(events, Delivered, ObligationMade) == [Delivered]
    assert (town.in_hand("trader"), town.in_hand("plant")) == ((10, 30 * MICRO), (0, 10 * MICRO))


def test_receipts_tell_both_sides_what_is_owed_and_until_when(town: Town) -> None:
    auction = town.margin_auction()
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    town.bid("trader", auction, 4, 2 * MICRO, town.fund("trader", 4))
    events = town.settle(auction)
    told = {event.side: (event.owed, event.due_at) for event in events if isinstance(event, OrderSettled)}
    due_at = town.time_ms // 1000 + HOUR
    assert told == {"bid": (6_400_000, due_at), "offer": (8 * MICRO, due_at)}


def test_one_obligation_holds_all_bids_of_a_buyer(town: Town) -> None:
    auction = town.bought_on_margin()
    assert town.obligation(auction, "trader") is not None
    assert len(traces(town)) == 4  # the obligation, its two pieces, its day


def test_in_a_book_that_validators_open_a_stake_of_the_margin_is_enough(town: Town) -> None:
    auction = escrow_auction(town, margin=2_000, pay_s=HOUR)
    town.do(enveloped(town, auction, "plant", "offer", 10, 2 * MICRO).offering(town.lot, 1, 10), by=("plant",))
    for stake, quantity in ((8 * MICRO // 5, 4), (8 * MICRO // 5 - 1, 4)):
        bid = enveloped(town, auction, "trader", "bid", quantity, 2 * MICRO)
        town.do(bid.placing(town.fund("trader", 4), stake=stake), by=("trader",))
    town.wait_for(auction, "opening")
    give(town, auction, 0, 1, 2)
    town.block()
    told = [event for event in town.settle(auction) if isinstance(event, OrderSettled) and event.side == "bid"]
    assert [(each.filled, each.why, each.owed) for each in told] == [(4, "filled", 6_400_000), (0, "stake", 0)]
    town.pay("trader", auction, 6_400_000, town.fund("trader", 7))
    town.block()
    assert town.certificates("trader") == 4


# --- paying


def test_whole_payment_delivers_everything_in_the_next_block(town: Town) -> None:
    auction = town.bought_on_margin()
    before = content(town)
    paid = town.pay("trader", auction, 11_200_000, town.fund("trader", 20))
    assert [event.owed for event in paid if isinstance(event, PaidIn)] == [0]
    assert town.certificates("trader") == 0
    events = town.block()
    assert kinds(events, Delivered, ObligationMet) == [Delivered, Delivered, ObligationMet]
    assert town.in_hand("trader") == (7, 20 * MICRO + 7 * MICRO - 14 * MICRO)
    assert town.in_hand("plant") == (3, 14 * MICRO)
    assert traces(town) == []
    assert content(town) == (before[0] + 20 * MICRO, before[1])


def test_a_part_delivers_whole_pieces_in_order_and_leaves_the_margin_of_the_rest(town: Town) -> None:
    auction = town.bought_on_margin()
    first = min(
        (output for output in town.live().values() if isinstance(output, Reserved)), key=lambda piece: piece.number
    )
    town.pay("trader", auction, first.amount * 8 // 10, town.fund("trader", 20))
    events = town.block()
    assert kinds(events, Delivered, ObligationMet) == [Delivered]
    assert town.certificates("trader") == first.lot.end - first.lot.start + 1
    obligation = town.obligation(auction, "trader")
    assert obligation is not None
    rest = 14 * MICRO - first.amount
    assert [output.funds.amount for output in town.live().values() if isinstance(output, Guarantee)] == [rest // 5]
    assert town.obligation(auction, "trader") == obligation
    town.pay("trader", auction, rest * 8 // 10, town.fund("trader", 20))
    town.block()
    assert town.certificates("trader") == 7


def test_a_millionth_less_delivers_nothing(town: Town) -> None:
    auction = town.bought_on_margin()
    pieces = [output for output in town.live().values() if isinstance(output, Reserved)]
    first = min(pieces, key=lambda piece: piece.number)
    town.pay("trader", auction, first.amount * 8 // 10 - 1, town.fund("trader", 20))
    assert kinds(town.block(), Delivered) == []
    town.pay("trader", auction, 1, town.fund("trader", 20))
    assert kinds(town.block(), Delivered) == [Delivered]


def test_what_stays_of_a_margin_that_does_not_divide_is_rounded_up(town: Town) -> None:
    """Seven at 2.000003, margin 2.800005: of it 3/7 or 4/7 stay, rounded up."""
    auction = town.margin_auction()
    town.offer("plant", auction, town.lot, 1, 10, 2_000_003)
    town.bid("trader", auction, 4, 2_000_003, town.fund("trader", 4))
    town.bid("trader", auction, 3, 2_000_003, town.fund("trader", 3))
    town.settle(auction)
    debt = town.obligation(auction, "trader")
    assert debt
    pieces = sorted(
        (each for each in town.live().values() if isinstance(each, Reserved)), key=lambda piece: piece.number
    )
    value, first = sum(piece.amount for piece in pieces), pieces[0].amount
    stays = -(-debt.margin * (value - first) // value)
    assert debt.margin * (value - first) % value, "the case is one where rounding shows"
    town.pay("trader", auction, first + stays - debt.margin - 1, town.fund("trader", 20))
    assert kinds(town.block(), Delivered) == []
    town.pay("trader", auction, 1, town.fund("trader", 20))
    assert kinds(town.block(), Delivered) == [Delivered]


def test_a_receipt_of_the_bank_pays_and_what_is_too_much_becomes_the_buyers_money(town: Town) -> None:
    auction = town.bought_on_margin()
    before = town.money("trader")
    town.do(Pay(auction, town.id("trader"), 12 * MICRO, (), town.id("bank"), "transfer 7"), by=("bank",))
    town.block()
    assert town.in_hand("trader") == (7, before + 12 * MICRO - 11_200_000)
    assert town.money("plant") == 14 * MICRO


def test_a_fee_is_taken_of_what_is_delivered(town: Town) -> None:
    auction = town.bought_on_margin(fee=100)
    town.pay("trader", auction, 11_200_000, town.fund("trader", 20))
    town.block()
    assert (town.money("plant"), town.money("exchange")) == (14 * MICRO - 140_000, 140_000)


def test_paid_pieces_come_in_pages(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expire, "PAGE_PIECES", 1)
    auction = town.bought_on_margin()
    town.pay("trader", auction, 11_200_000, town.fund("trader", 20))
    delivered = [len(kinds(town.block(), Delivered)) for _ in range(3)]
    assert delivered == [1, 1, 0]
    assert traces(town) == []


def test_the_last_second_to_pay_is_the_one_before_the_deadline(town: Town) -> None:
    auction = town.bought_on_margin()
    obligation, money = town.obligation(auction, "trader"), town.fund("trader", 20)
    assert obligation is not None
    town.block(seconds=obligation.due_at - town.time_ms // 1000 - 2)
    town.pay("trader", auction, 11_200_000, money)
    town.block()
    assert town.certificates("trader") == 7


# --- not paying


def test_after_the_deadline_lots_return_and_the_margin_goes_to_the_seller(town: Town) -> None:
    auction = town.bought_on_margin()
    town.block(seconds=HOUR)
    before = content(town)
    events = default(town, auction)
    assert kinds(events, Defaulted, Released) == [Defaulted, Released, Released]
    assert town.in_hand("plant") == (10, 2_800_000)
    assert town.in_hand("trader") == (0, 7 * MICRO - 2_800_000)
    assert all(lot.transfers == 0 for lot in town.live().values() if isinstance(lot, Bundle))
    assert traces(town) == []
    assert content(town) == before


def test_the_margin_is_shared_by_value_and_the_first_piece_takes_the_rest(town: Town) -> None:
    (mine, theirs, his) = town.move(
        "plant",
        (town.lot,),
        town.piece("plant", 1, 3),
        town.piece("consumer", 4, 6),
        town.piece("plant", 7, 10),
    )
    auction = town.margin_auction(1)
    town.offer("plant", auction, mine, 1, 3, 7)
    town.offer("consumer", auction, theirs, 4, 6, 7)
    town.bid("trader", auction, 6, 5_001, town.fund("trader", 1))
    town.settle(auction)
    obligation = town.obligation(auction, "trader")
    assert obligation is not None
    assert (obligation.value, obligation.margin) == (42, 1)
    first = next(each for each in town.live().values() if isinstance(each, Reserved) and each.number == 0)
    town.block(seconds=HOUR)
    default(town, auction)
    got = {town.id(name): town.money(name) for name in ("plant", "consumer")}
    assert got == {holder: int(holder == first.lot.holder) for holder in got}
    assert town.bundle(his).start == 7


def test_what_was_paid_in_for_no_whole_piece_comes_back_and_the_margin_of_it_does_not(town: Town) -> None:
    auction = town.bought_on_margin()
    town.pay("trader", auction, MICRO, town.fund("trader", 1))
    town.block(seconds=HOUR)
    default(town, auction)
    assert town.money("trader") == 7 * MICRO - 2_800_000 + MICRO
    assert town.money("plant") == 2_800_000


def test_after_a_part_only_the_margin_of_the_rest_is_lost(town: Town) -> None:
    auction = town.bought_on_margin()
    pieces = [output for output in town.live().values() if isinstance(output, Reserved)]
    first = min(pieces, key=lambda piece: piece.number)
    town.pay("trader", auction, first.amount * 8 // 10, town.fund("trader", 20))
    town.block(seconds=HOUR)
    default(town, auction)
    assert town.money("plant") == first.amount + (14 * MICRO - first.amount) // 5
    assert town.certificates("plant") == 10 - (first.lot.end - first.lot.start + 1)


def test_released_pieces_come_in_pages(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    auction = town.bought_on_margin()
    monkeypatch.setattr(expire, "PAGE_PIECES", 1)
    town.block(seconds=HOUR)
    town.do(Default(auction, town.id("trader")))
    assert [len(kinds(town.block(), Released)) for _ in range(3)] == [1, 1, 0]
    assert town.in_hand("plant") == (10, 2_800_000)
    assert traces(town) == []


def test_other_trades_and_prices_stand(town: Town) -> None:
    auction = town.margin_auction()
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    for name in ("trader", "consumer"):
        town.bid(name, auction, 5, 2 * MICRO, town.fund(name, 2))
    town.settle(auction)
    town.pay("consumer", auction, 8 * MICRO, town.fund("consumer", 8))
    town.block(seconds=HOUR)
    default(town, auction)
    assert (town.in_hand("consumer"), town.in_hand("trader")) == ((5, 0), (0, 0))
    assert town.in_hand("plant") == (5, 12 * MICRO)


def test_a_reserved_piece_that_expires_is_not_owed_for(town: Town) -> None:
    town.bought_on_margin(pay_s=30 * 86_400)
    until = next(each.lot.retire_until for each in town.live().values() if isinstance(each, Reserved))
    events = town.block(seconds=until - town.time_ms // 1000)
    assert len(kinds(events, Expired)) == 3
    assert town.in_hand("trader") == (0, 7 * MICRO)
    assert traces(town) == []


def test_a_dead_piece_is_never_delivered_while_the_sweep_is_behind(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    auction = town.bought_on_margin(pay_s=30 * 86_400)
    until = next(each.lot.retire_until for each in town.live().values() if isinstance(each, Reserved))
    monkeypatch.setattr(expire, "SWEEP_LIMIT", 0)
    monkeypatch.setattr(expire, "PAGE_PIECES", 0)
    town.pay("trader", auction, 11_200_000, town.fund("trader", 20))
    monkeypatch.setattr(expire, "PAGE_PIECES", 100)
    assert kinds(town.block(seconds=until - town.time_ms // 1000), Delivered) == []
    monkeypatch.setattr(expire, "SWEEP_LIMIT", 100)
    town.pass_blocks(2, 1)
    assert town.in_hand("trader") == (0, 27 * MICRO)


def missed(town: Town, times: int) -> None:
    """The trader buys one certificate on margin and does not pay, several times."""
    for _ in range(times):
        lot = town.issue(town.device_id, 1_000_000, day=DAY + town.count("auction") + 1)
        assert lot
        serial = town.bundle(lot).start
        auction = town.margin_auction(pay_s=60)
        town.offer("plant", auction, lot, serial, serial, MICRO)
        town.bid("trader", auction, 1, MICRO, town.fund("trader", 1))
        town.settle(auction)
        town.block(seconds=60)
        default(town, auction)


def test_who_did_not_pay_three_times_bids_on_margin_no_more_for_a_year(town: Town) -> None:
    missed(town, MAX_STRIKES - 1)
    auction, money = town.margin_auction(), town.fund("trader", 9)
    town.bid("trader", auction, 1, MICRO, money)
    bid = next(point for point, each in town.live().items() if isinstance(each, Bid))
    missed(town, 1)
    money = town.fund("trader", 9)
    later = town.margin_auction()
    town.refuses(Suspended, PlaceBid(later, town.id("trader"), 1, MICRO, (money,)), by=("trader",))
    prefunded = town.auction()
    town.bid("trader", prefunded, 1, MICRO, money)
    assert bid not in town.live() or town.phase(auction) != "open"
    town.block(seconds=STRIKE_S)
    town.bid("trader", town.margin_auction(), 1, MICRO, town.fund("trader", 9))


def test_refuses_to_replace_a_bid_on_margin_by_who_is_suspended(town: Town) -> None:
    auction = town.auction(seconds=50_000, terms=AuctionTerms(margin=2_000, pay_s=HOUR))
    town.bid("trader", auction, 1, MICRO, town.fund("trader", 9))
    bid = next(point for point, each in town.live().items() if isinstance(each, Bid))
    missed(town, MAX_STRIKES)
    town.refuses(Suspended, Replace(town.id("trader"), bid, 2, MICRO, (), b"", 0, ()), by=("trader",))


def test_refuses_to_replace_a_sealed_bid_on_margin_by_who_is_suspended(town: Town) -> None:
    auction = escrow_auction(town, seconds=50_000, margin=2_000, pay_s=HOUR)
    town.do(
        enveloped(town, auction, "trader", "bid", 1, MICRO).placing(town.fund("trader", 9), stake=1), by=("trader",)
    )
    bid = next(point for point, each in town.live().items() if isinstance(each, SealedBid))
    missed(town, MAX_STRIKES)
    larger = enveloped(town, auction, "trader", "bid", 9, 5 * MICRO).placing(stake=9 * MICRO)
    action = Replace(
        town.id("trader"), bid, 0, 0, (), larger.commitment, 9 * MICRO, (town.fund("trader", 9),), larger.envelope
    )
    town.refuses(Suspended, action, by=("trader",))


# --- refused


def test_refuses_a_margin_without_a_time_to_pay_beyond_all_or_of_a_sealed_book(town: Town) -> None:
    for terms in (
        AuctionTerms(margin=2_000),
        AuctionTerms(pay_s=60),
        AuctionTerms(margin=10_000, pay_s=60),
        AuctionTerms(margin=2_000, pay_s=31 * 86_400),
        AuctionTerms(margin=2_000, pay_s=60, sealed=True, opening_s=60),
    ):
        closes_at = town.time_ms // 1000 + 600
        act = OpenAuction(town.id("exchange"), "x", AuctionClass(1, "T02", "", 0, 0, 0), "EUR", 0, 0, closes_at, terms)
        town.refuses(BadField, act, by=("exchange",))


def test_refuses_a_lot_that_does_not_outlive_the_day_of_payment(town: Town) -> None:
    lot = town.bundle(town.lot)
    auction = town.margin_auction(pay_s=86_400)
    town.block(seconds=lot.trade_until - town.time_ms // 1000 - 86_000)
    auction = town.margin_auction(pay_s=86_400)
    town.refuses(CertificateExpired, town.offering("plant", auction, town.lot, 1, 10, MICRO), by=("plant",))


def test_refuses_a_bid_without_its_margin(town: Town) -> None:
    auction = town.margin_auction()
    money = town.credit("trader", MICRO - 10_000)
    town.refuses(MoneyDiffers, PlaceBid(auction, town.id("trader"), 5, MICRO, (money,)), by=("trader",))


def test_refuses_to_pay_where_nothing_is_owed(town: Town) -> None:
    auction = town.bought_on_margin()
    town.refuses(Unknown, Pay(auction, town.id("consumer"), 1, ()), by=("consumer",))
    town.refuses(Unknown, Default(auction, town.id("consumer")))


def test_refuses_to_pay_more_than_is_owed_or_nothing(town: Town) -> None:
    auction, money = town.bought_on_margin(), town.fund("trader", 20)
    for amount in (0, 11_200_001):
        town.refuses(BadField, Pay(auction, town.id("trader"), amount, (money,)), by=("trader",))
    town.refuses(MoneyDiffers, Pay(auction, town.id("trader"), 9 * MICRO, (town.fund("trader", 1),)), by=("trader",))


def test_refuses_to_pay_with_a_reference_of_no_bank_or_with_money_of_the_ledger_at_a_bank(town: Town) -> None:
    auction, money = town.bought_on_margin(), town.fund("trader", 20)
    trader, bank = town.id("trader"), town.id("bank")
    town.refuses(BadField, Pay(auction, trader, MICRO, (money,), 0, "note"), by=("trader",))
    town.refuses(BadField, Pay(auction, trader, MICRO, (money,), bank, "note"), by=("bank",))
    town.refuses(BadField, Pay(auction, trader, MICRO + 1, (), bank, "note"), by=("bank",))


def test_refuses_a_bank_without_the_role_or_its_signature(town: Town) -> None:
    auction, trader = town.bought_on_margin(), town.id("trader")
    town.refuses(RoleNeeded, Pay(auction, trader, MICRO, (), town.id("consumer"), "x"), by=("consumer",))
    town.refuses(MissingSignature, Pay(auction, trader, MICRO, (), town.id("bank"), "x"), by=("trader",))
    town.refuses(MissingSignature, Pay(auction, trader, MICRO, (town.fund("trader", 1),)), by=("consumer",))


def test_refuses_a_transfer_at_the_bank_that_was_credited_before(town: Town) -> None:
    auction, trader, bank = town.bought_on_margin(), town.id("trader"), town.id("bank")
    town.do(Pay(auction, trader, MICRO, (), bank, "wire 1"), by=("bank",))
    town.refuses(AlreadyExists, Pay(auction, trader, MICRO, (), bank, "wire 1"), by=("bank",))


def test_refuses_a_transfer_whose_surplus_is_above_the_limit_of_the_account() -> None:
    town = Town(deposit_limit=20 * MICRO)
    auction = town.bought_on_margin()
    debt = town.obligation(auction, "trader")
    assert debt
    to_pay, room = owed(town.state, debt), 13 * MICRO  # seven came in for the margin
    wire = Pay(auction, town.id("trader"), to_pay + room + MINOR_UNIT, (), town.id("bank"), "wire")
    town.refuses(LimitReached, wire, by=("bank",))
    town.do(replace(wire, amount=to_pay + room), by=("bank",))
    more = Deposit(town.id("bank"), town.id("trader"), "EUR", MINOR_UNIT, "more")
    town.refuses(LimitReached, more, by=("bank",))


def test_refuses_to_pay_late_and_after_a_default(town: Town) -> None:
    auction, money = town.bought_on_margin(), town.fund("trader", 20)
    late = Pay(auction, town.id("trader"), 11_200_000, (money,))
    town.block(seconds=HOUR)
    town.refuses(ObligationOver, late, by=("trader",))
    town.do(Default(auction, town.id("trader")))
    town.block()
    town.refuses(Unknown, late, by=("trader",))


def test_refuses_a_default_before_the_deadline_twice_and_of_what_is_being_delivered(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    auction = town.bought_on_margin()
    act = Default(auction, town.id("trader"))
    town.refuses(NotYet, act)
    monkeypatch.setattr(expire, "PAGE_PIECES", 0)
    town.pay("trader", auction, MICRO, town.fund("trader", 1))
    town.block(seconds=HOUR)
    town.refuses(NotYet, act)
    monkeypatch.setattr(expire, "PAGE_PIECES", 1)
    town.block()
    town.do(act)
    town.refuses(ObligationOver, act)


def test_every_other_price_is_refused_on_margin_too(town: Town) -> None:
    auction = town.margin_auction()
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    town.bid("trader", auction, 4, 5 * MICRO, town.fund("trader", 10))
    right = build_settle(town.state, town.close(auction))
    town.refuses(PriceWrong, replace(right, prices=(right.prices[0] + 1,)))


# --- conservation


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 9_999),
    st.integers(0, 300),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.lists(st.integers(1, 20_000_000), max_size=4),
)
def test_money_and_certificates_are_conserved_to_the_unit(
    margin: int, fee: int, bids: list[int], payments: list[int]
) -> None:
    town = Town()
    ranges = [town.piece("plant", 1, 4), town.piece("consumer", 5, 6), town.piece("plant", 7, 10)]
    lots = town.move("plant", (town.lot,), *ranges)
    auction = town.margin_auction(margin, fee=fee)
    for name, lot, piece in zip(("plant", "consumer", "plant"), lots, ranges, strict=True):
        town.offer(name, auction, lot, piece.start, piece.end, 1_333_333)
    for count in bids:
        town.bid("trader", auction, count, 1_400_001, town.fund("trader", 9))
    before = content(town)
    town.settle(auction)
    assert content(town) == before
    for amount in payments:
        obligation = town.obligation(auction, "trader")
        if obligation is None:
            break
        amount = min(amount, owed(town.state, obligation))
        money = next((p for p in town.outputs_of("trader", Funds) if _money(town.live()[p]) >= amount), None)
        if money is None or not amount:
            break
        town.pay("trader", auction, amount, money)
        town.block()
        assert content(town) == before
        left = town.obligation(auction, "trader")
        if left is not None:
            held = sum(o.funds.amount for o in town.live().values() if isinstance(o, Guarantee))
            assert held >= held_back(left, left.delivered)
    town.block(seconds=HOUR)
    if town.obligation(auction, "trader") is not None:
        default(town, auction)
    assert content(town) == before
    assert traces(town) == []
    assert not any(isinstance(output, Reserved | Guarantee) for output in town.live().values())
