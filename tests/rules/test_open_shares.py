"""Orders that validators open: a quorum is enough, silence and lies change nothing, and a bad seal costs its owner."""

import pytest
from harness.escrow import Enveloped, enveloped, escrow_auction, escrow_set, give, shares_of, voter
from harness.town import Town
from harness.world import key_of, seed_of
from msgspec.structs import replace

from contracts import open_shares
from contracts.events import OrderOpened, OrderSettled, OrderSpoilt, SharesGiven
from contracts.transition import conflict_keys
from state.crypto import exchange_key
from state.errors import (
    AlreadyExists,
    AuctionPhase,
    BadField,
    BlockInvalid,
    MissingSignature,
    NotRegistered,
    OpeningWrong,
    Unknown,
)
from state.keyspace import Space, auction_key, space_end
from state.outputs import Bid, Offer, SealedBid, SealedOffer
from state.records import Auction, Dimension
from state.transaction import (
    Cancel,
    Propose,
    RemoveValidatorContent,
    Replace,
    Reveal,
    RotateEscrowKeyContent,
    RotateVoteKeyContent,
)
from state.units import MICRO, Outpoint

Trade = tuple[int, Enveloped, Enveloped]


@pytest.fixture
def town() -> Town:
    return Town()


def trade(town: Town, bond: int = MICRO // 10) -> Trade:
    """Ten offered at 2 EUR with a bond of 1, and a bid for four at 5 EUR with a stake of 30: numbers 0 and 1."""
    auction = escrow_auction(town, bond=bond)
    offer = enveloped(town, auction, "plant", "offer", 10, 2 * MICRO)
    bid = enveloped(town, auction, "trader", "bid", 4, 5 * MICRO)
    money = [town.fund("plant", 1)] if bond else []
    town.do(offer.offering(town.lot, 1, 10, *money), by=("plant",))
    town.do(bid.placing(town.fund("trader", 30), stake=30 * MICRO), by=("trader",))
    return auction, offer, bid


def placed(town: Town, auction: int, order: Enveloped, money: Outpoint, stake: int = 0) -> None:
    town.do(order.placing(money, stake=stake), by=("trader",))
    town.wait_for(auction, "opening")


def opened(town: Town) -> list[int]:
    return [
        record.event.order for out in town.outputs for record in out.events if isinstance(record.event, OrderOpened)
    ]


def spoilt(town: Town) -> list[tuple[int, str]]:
    found = [record.event for out in town.outputs for record in out.events if isinstance(record.event, OrderSpoilt)]
    return [(event.order, event.why) for event in found]


def receipts(town: Town, auction: int) -> list[OrderSettled]:
    return [event for event in town.settle(auction) if isinstance(event, OrderSettled)]


def test_a_quorum_of_validators_opens_every_order_and_nobody_else_is_needed(town: Town) -> None:
    auction, _, _ = trade(town)
    town.wait_for(auction, "opening")
    events = give(town, auction, 0, 1)
    assert [type(event) for event in events] == [SharesGiven]
    town.block()
    assert opened(town) == []
    give(town, auction, 2)
    town.block()
    assert opened(town) == [0, 1]
    assert (len(town.outputs_of("plant", Offer)), len(town.outputs_of("trader", Bid))) == (1, 1)
    told = receipts(town, auction)
    assert [(each.filled, each.price, each.why, each.forfeited) for each in told] == [
        (4, 2 * MICRO, "shared", 0),
        (4, 2 * MICRO, "filled", 0),
    ]
    assert (town.in_hand("trader"), town.in_hand("plant")) == ((4, 22 * MICRO), (6, 9 * MICRO))


def test_an_auction_leaves_nothing_of_its_escrow_behind(town: Town) -> None:
    auction, _, _ = trade(town)
    town.wait_for(auction, "opening")
    give(town, auction, 0, 1, 2, 3)
    town.settle(auction)
    for space in (Space.ESCROW_SET, Space.ESCROW_SHARES, Space.ESCROW_WALK):
        low = bytes((space,))
        assert not list(town.state.scan(low, space_end(low)))


def test_a_silent_validator_and_one_that_has_no_shares_change_nothing(town: Town) -> None:
    """Five validators, f = 1; and of four one that answers with nothing, whenever it comes."""
    for liar in range(4):
        other = town.fork()
        auction, _, _ = trade(other)
        other.wait_for(auction, "opening")
        lie = replace(shares_of(other, auction, liar), shares=(b"", b""))
        other.do(lie, by=(voter(other, auction, liar),))
        give(other, auction, *[index for index in range(4) if index != liar])
        other.block()
        other.block()
        assert (opened(other), spoilt(other)) == ([0, 1], [])


def test_a_lie_that_comes_first_delays_an_order_until_an_honest_quorum_has_come(town: Town) -> None:
    auction, _, _ = trade(town)
    town.wait_for(auction, "opening")
    lie = replace(shares_of(town, auction, 3), shares=(b"", b""))
    town.do(lie, by=(voter(town, auction, 3),))
    give(town, auction, 0, 1)
    town.block()
    assert escrow_set(town, auction).served == 3
    assert (opened(town), spoilt(town)) == ([], [])
    give(town, auction, 2)
    town.block()
    assert opened(town) == [0, 1]


def test_the_owner_may_open_by_hand_beside_the_validators(town: Town) -> None:
    auction, offer, bid = trade(town)
    town.wait_for(auction, "opening")
    late = shares_of(town, auction, 0)
    town.do(bid.opening(1))
    town.do(late, by=(voter(town, auction, 0),))  # made before, with a share of what is open by now
    town.do(offer.opening(0))
    assert opened(town) == [1, 0]
    give(town, auction, 1, 2, 3)
    assert [(each.filled, each.forfeited) for each in receipts(town, auction)] == [(4, 0), (4, 0)]


def test_where_too_few_validators_come_everything_goes_back(town: Town) -> None:
    auction, _, _ = trade(town)
    town.wait_for(auction, "opening")
    give(town, auction, 0, 1)
    told = receipts(town, auction)
    assert [(each.why, each.forfeited) for each in told] == [("unopened", 0), ("unopened", 0)]
    assert (town.in_hand("plant"), town.in_hand("trader")) == ((10, MICRO), (0, 30 * MICRO))


@pytest.mark.parametrize(("part", "served"), [("box", 3), ("box", 4), ("tag", 4)])
def test_a_bad_box_or_tag_costs_the_whole_stake_and_the_lot_comes_back(town: Town, part: str, served: int) -> None:
    """Whoever answers: the one with the bad box among them, or all."""
    auction = escrow_auction(town, bond=MICRO // 10)
    offer = enveloped(town, auction, "plant", "offer", 10, 2 * MICRO).bent(**{part: 3})
    bid = enveloped(town, auction, "trader", "bid", 4, 5 * MICRO).bent(**{part: 3})
    town.do(offer.offering(town.lot, 1, 10, town.fund("plant", 1)), by=("plant",))
    placed(town, auction, bid, town.fund("trader", 20))
    town.refuses(OpeningWrong, bid.opening(1))
    before = town.money("exchange")
    give(town, auction, *range(served))
    town.block()
    assert spoilt(town) == [(0, "box"), (1, "box")]
    town.refuses(OpeningWrong, offer.opening(0))
    assert [(each.why, each.forfeited) for each in receipts(town, auction)] == [
        ("spoilt", MICRO),
        ("spoilt", 20 * MICRO),
    ]
    assert town.money("exchange") - before == 21 * MICRO
    assert (town.in_hand("plant"), town.in_hand("trader")) == ((10, 0), (0, 0))


def test_boxes_that_more_than_f_validators_find_bad_cost_the_stake_without_an_opening(town: Town) -> None:
    auction = escrow_auction(town)
    bid = enveloped(town, auction, "trader", "bid", 4, 5 * MICRO).bent(box=0).bent(box=1)
    placed(town, auction, bid, town.fund("trader", 20))
    give(town, auction, 0, 1, 2)
    town.block()
    assert spoilt(town) == [(0, "box")]


def test_one_bad_box_beside_one_silent_validator_is_nobodys_proven_fault(town: Town) -> None:
    """Of three who came one found its box bad: it may be lying. It took no part, and the stake comes back."""
    auction = escrow_auction(town)
    bid = enveloped(town, auction, "trader", "bid", 4, 5 * MICRO).bent(box=0)
    placed(town, auction, bid, town.fund("trader", 20))
    give(town, auction, 0, 1, 2)
    town.block()
    assert (opened(town), spoilt(town)) == ([], [])
    assert [(each.why, each.forfeited) for each in receipts(town, auction)] == [("unopened", 0)]


@pytest.mark.parametrize(("quantity", "limit"), [(0, MICRO), (11, MICRO), (4, 10**9 + 1)])
def test_an_order_that_says_nonsense_costs_the_whole_bond(town: Town, quantity: int, limit: int) -> None:
    auction = escrow_auction(town, bond=MICRO // 10)
    offer = enveloped(town, auction, "plant", "offer", quantity, limit)
    town.do(offer.offering(town.lot, 1, 10, town.fund("plant", 1)), by=("plant",))
    town.wait_for(auction, "opening")
    give(town, auction, 0, 1, 2)
    town.block()
    assert spoilt(town) == [(0, "content")]
    assert [(each.why, each.forfeited) for each in receipts(town, auction)] == [("spoilt", MICRO)]


def test_a_copied_envelope_opens_to_nobody_and_costs_the_copier_his_stake(town: Town) -> None:
    auction, _, bid = trade(town)
    copied = replace(bid.placing(town.fund("consumer", 20), stake=20 * MICRO), buyer=town.id("consumer"))
    town.do(copied, by=("consumer",))
    town.wait_for(auction, "opening")
    town.refuses(OpeningWrong, bid.opening(2))
    give(town, auction, 0, 1, 2)
    town.block()
    assert (opened(town), spoilt(town)) == ([0, 1], [(2, "box")])
    assert [each.forfeited for each in receipts(town, auction)] == [0, 0, 20 * MICRO]


def test_an_order_in_trees_says_its_nodes_in_five_bytes(town: Town) -> None:
    auction = escrow_auction(town, dimensions=(Dimension("zone", ("FR", "DK")), Dimension("support", ("none",))))
    bid = enveloped(town, auction, "trader", "bid", 1, MICRO, ("DK", ""))
    placed(town, auction, bid, town.fund("trader", 1))
    give(town, auction, 1, 2, 3)
    town.block()
    (point,) = town.outputs_of("trader", Bid)
    order = town.live()[point]
    assert isinstance(order, Bid)
    assert (order.wanted, order.salt) == (("DK", ""), bid.kappa)


def test_a_sealed_order_is_replaced_and_taken_back_as_every_other(town: Town) -> None:
    auction, _, bid = trade(town)
    (point,) = town.outputs_of("trader", SealedBid)
    other = enveloped(town, auction, "trader", "bid", 6, 3 * MICRO)
    again = other.placing(point)
    change = Replace(town.id("trader"), point, 0, 0, (), again.commitment, 18 * MICRO, (), again.envelope)
    town.refuses(BadField, replace(change, envelope=None), by=("trader",))
    town.do(change, by=("trader",))
    (lot,) = town.outputs_of("plant", SealedOffer)
    town.do(Cancel(town.id("plant"), lot), by=("plant",))
    town.wait_for(auction, "opening")
    town.refuses(OpeningWrong, bid.opening(1))
    give(town, auction, 3, 1, 0)
    town.block()
    assert opened(town) == [1]
    assert town.in_hand("plant") == (10, MICRO)


def test_the_seed_is_drawn_from_what_was_opened_and_is_the_same_by_hand(town: Town) -> None:
    auction, offer, bid = trade(town)
    town.wait_for(auction, "opening")
    by_hand, silent = town.fork(), town.fork()
    give(town, auction, 0, 1, 2)
    by_hand.do(offer.opening(0))
    by_hand.do(bid.opening(1))
    by_hand.block()
    silent.pass_blocks(3, seconds=1)
    seeds = [each.close(auction).seed for each in (town, by_hand, silent)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_openings_of_one_block_are_bounded_and_the_phase_waits_for_the_rest(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_shares, "OPENINGS_PER_BLOCK", 2)
    auction = escrow_auction(town)
    for _ in range(5):
        order = enveloped(town, auction, "trader", "bid", 1, MICRO)
        town.do(order.placing(town.fund("trader", 1)), by=("trader",))
    town.wait_for(auction, "opening")
    town.pass_blocks(12, seconds=1)
    give(town, auction, 0, 1)
    last = shares_of(town, auction, 2)
    town.do(last, by=(voter(town, auction, 2),), seconds=1)
    town.block(seconds=300)
    assert (opened(town), town.phase(auction)) == ([0, 1], "opening")
    town.block()
    assert (opened(town), town.phase(auction)) == ([0, 1, 2, 3], "opening")
    town.block()
    assert (len(opened(town)), town.phase(auction)) == (5, "closed")


# --- a set that changes


def epochs() -> Town:
    return Town(epoch_length=40)


def to_next_epoch(town: Town) -> None:
    epoch = town.environment().epoch
    while town.environment().epoch == epoch:
        town.block()


def test_orders_of_two_epochs_are_opened_by_those_they_were_sealed_to() -> None:
    """Between the two validator 1 takes another key: it opens the one with the old key, the other with the new."""
    town = epochs()
    auction = escrow_auction(town, seconds=600)
    first = enveloped(town, auction, "trader", "bid", 1, MICRO)
    early = town.environment().epoch
    town.do(first.placing(town.fund("trader", 1)), by=("trader",))
    new = exchange_key(seed_of("new escrow"))
    town.accredit(RotateEscrowKeyContent(2, new), by="Organisation 1")
    to_next_epoch(town)
    assert town.validators[1].escrow_key == new
    second = enveloped(town, auction, "trader", "bid", 1, 2 * MICRO)
    late = town.environment().epoch
    town.do(second.placing(town.fund("trader", 2)), by=("trader",))
    town.wait_for(auction, "opening")
    assert early != late
    assert escrow_set(town, auction, late).members[1].escrow_key == new
    mixed = shares_of(town, auction, 1, late)
    other = replace(shares_of(town, auction, 1, early), shares=mixed.shares)
    town.refuses(OpeningWrong, other, by=("vote_key1",))
    give(town, auction, 0, 1, 2, epoch=early)
    give(town, auction, 1, 2, 3, epoch=late)
    town.block()
    assert sorted(opened(town)) == [0, 1]


def test_who_left_and_who_votes_with_another_key_still_give_their_shares() -> None:
    """Validator 3 leaves, validator 1 rotates its vote key: one gives with the key it had, the other with either."""
    town = epochs()
    auction = escrow_auction(town, seconds=1_200)
    for limit in (1, 2):
        order = enveloped(town, auction, "trader", "bid", 1, limit * MICRO)
        town.do(order.placing(town.fund("trader", limit)), by=("trader",))
    epoch = town.environment().epoch
    town.accredit(RemoveValidatorContent(4), by="Organisation 0")
    town.accredit(RotateVoteKeyContent(2, key_of("new vote")), by="Organisation 1")
    to_next_epoch(town)
    to_next_epoch(town)
    assert [each.participant for each in town.validators] == [1, 2, 3]
    town.wait_for(auction, "opening")
    shares = [shares_of(town, auction, index, epoch) for index in range(4)]
    other = town.fork()
    for by, index in (("new vote", 1), ("vote_key3", 3), ("vote_key0", 0)):
        town.do(shares[index], by=(by,))
    town.block()
    assert opened(town) == [0, 1]
    for by, index in (("vote_key1", 1), ("vote_key3", 3), ("vote_key2", 2)):
        other.do(shares[index], by=(by,))
    other.block()
    assert opened(other) == [0, 1]


def test_refuses_an_order_that_is_sealed_to_the_validators_of_another_epoch() -> None:
    town = epochs()
    auction = escrow_auction(town, seconds=600)
    order = enveloped(town, auction, "trader", "bid", 1, MICRO)
    money = town.fund("trader", 1)
    to_next_epoch(town)
    refusal = town.refuses(BadField, order.placing(money), by=("trader",))
    assert "epoch" in str(refusal)


def test_refuses_an_escrow_key_that_orders_cannot_be_sealed_to_or_that_another_has() -> None:
    town = epochs()
    for key, kind in ((bytes(32), BadField), (town.validators[2].escrow_key, AlreadyExists)):
        town.refuses(kind, Propose(2, RotateEscrowKeyContent(2, key)), by=("Organisation 1",))
    own = Propose(1, RotateEscrowKeyContent(2, exchange_key(seed_of("new escrow"))))
    town.refuses(BadField, own, by=("Organisation 0",))


# --- refused


def test_refuses_shares_before_the_close_and_after_the_opening(town: Town) -> None:
    auction, _, _ = trade(town)
    action = shares_of(town, auction, 0)
    town.refuses(AuctionPhase, action, by=("vote_key0",))
    town.wait_for(auction, "closed")
    town.refuses(AuctionPhase, action, by=("vote_key0",))


def test_refuses_a_share_that_is_not_the_one_that_was_sealed(town: Town) -> None:
    auction, _, _ = trade(town)
    town.wait_for(auction, "opening")
    action = shares_of(town, auction, 0)
    for forged in (bytes(32), action.shares[1], action.shares[0][:31], b"\0" + action.shares[0][:31]):
        town.refuses(OpeningWrong, replace(action, shares=(forged, b"")), by=("vote_key0",))
    foreign = replace(shares_of(town, auction, 1), validator=0)
    town.refuses(OpeningWrong, foreign, by=("vote_key0",))


def test_refuses_shares_that_another_key_than_the_validators_vote_key_signed(town: Town) -> None:
    auction, _, _ = trade(town)
    town.wait_for(auction, "opening")
    action = shares_of(town, auction, 0)
    town.refuses(MissingSignature, action)
    town.refuses(MissingSignature, action, by=("trader",))
    town.refuses(NotRegistered, action, by=("vote_key1",))
    town.refuses(MissingSignature, action, by=("Organisation 0",))


def test_refuses_the_same_page_twice_and_pages_that_do_not_exist(town: Town) -> None:
    auction, _, _ = trade(town)
    town.wait_for(auction, "opening")
    action = shares_of(town, auction, 0)
    town.do(action, by=("vote_key0",))
    town.refuses(AlreadyExists, replace(action, shares=(b"", b"")), by=("vote_key0",))
    for change in ({"shares": (b"",)}, {"shares": (b"",) * 3}, {"page": 1}):
        town.refuses(BadField, replace(action, **change), by=("vote_key0",))
    town.refuses(NotRegistered, replace(action, validator=4), by=("vote_key0",))
    town.refuses(Unknown, replace(action, validator=4))
    town.refuses(Unknown, replace(action, epoch=1))
    town.refuses(Unknown, replace(action, auction=99))


def test_refuses_an_envelope_where_there_should_be_none_and_none_where_there_should_be_one(town: Town) -> None:
    auction, plain, sealed = escrow_auction(town), town.auction(), town.sealed_auction()
    order, money = enveloped(town, auction, "trader", "bid", 1, MICRO), town.fund("trader", 5)
    right = order.placing(money)
    town.refuses(BadField, replace(right, envelope=None), by=("trader",))
    town.refuses(BadField, replace(right, auction=sealed), by=("trader",))
    town.refuses(BadField, replace(right, auction=plain), by=("trader",))
    opened = replace(right, commitment=b"", stake=0, quantity=1, limit=MICRO)
    town.refuses(BadField, replace(opened, auction=plain), by=("trader",))


def test_refuses_an_envelope_of_a_wrong_size_or_hash(town: Town) -> None:
    auction = escrow_auction(town)
    order, money = enveloped(town, auction, "trader", "bid", 1, MICRO), town.fund("trader", 5)
    right = order.placing(money)
    assert right.envelope is not None
    town.refuses(BadField, replace(right, commitment=bytes(32)), by=("trader",))
    for change in ({"boxes": right.envelope.boxes[:-80]}, {"tags": right.envelope.tags + bytes(16)}, {"epoch": 1}):
        town.refuses(BadField, replace(right, envelope=replace(right.envelope, **change)), by=("trader",))


def test_refuses_an_auction_that_validators_open_though_its_book_is_open(town: Town) -> None:
    with pytest.raises(BlockInvalid, match="only a sealed book"):
        escrow_auction(town, sealed=False, opening_s=0)


def test_refuses_to_open_by_hand_what_was_not_sealed(town: Town) -> None:
    auction, _, bid = trade(town)
    town.wait_for(auction, "opening")
    right = bid.opening(1)
    for change in ({"quantity": 5}, {"limit": MICRO}, {"salt": bytes(31)}, {"salt": right.salt + b"\0"}, {"order": 0}):
        town.refuses(OpeningWrong, replace(right, **change))
    assert isinstance(right, Reveal)


def test_two_pages_of_one_validator_conflict_and_those_of_two_do_not(town: Town) -> None:
    auction, _, _ = trade(town)
    town.wait_for(auction, "opening")
    one, other = shares_of(town, auction, 0), shares_of(town, auction, 1)
    keys = [conflict_keys(town.transaction(each).transaction) for each in (one, replace(one, shares=(b"",)), other)]
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]


def test_every_phase_is_in_the_record(town: Town) -> None:
    auction, _, _ = trade(town)
    found = town.state.get(auction_key(auction))
    assert isinstance(found, Auction)
    assert found.terms.escrow


# --- on margin


def test_a_bid_that_validators_open_may_lock_the_margin_only_and_owes_the_rest(town: Town) -> None:
    auction = escrow_auction(town, bond=0, margin=2_000, pay_s=3_600)
    town.do(enveloped(town, auction, "plant", "offer", 10, 2 * MICRO).offering(town.lot, 1, 10), by=("plant",))
    bid = enveloped(town, auction, "trader", "bid", 4, 2 * MICRO)
    town.do(bid.placing(town.fund("trader", 2), stake=1_600_000), by=("trader",))
    town.wait_for(auction, "opening")
    give(town, auction, 0, 1, 2)
    town.block()
    assert [each.filled for each in receipts(town, auction)] == [4, 4]
    obligation = town.obligation(auction, "trader")
    assert obligation is not None
    assert (obligation.value, obligation.margin) == (8 * MICRO, 1_600_000)


def test_a_stake_below_the_margin_takes_no_part_and_comes_back(town: Town) -> None:
    auction = escrow_auction(town, bond=0, margin=2_000, pay_s=3_600)
    town.do(enveloped(town, auction, "plant", "offer", 10, 2 * MICRO).offering(town.lot, 1, 10), by=("plant",))
    bid = enveloped(town, auction, "trader", "bid", 4, 2 * MICRO)
    town.do(bid.placing(town.fund("trader", 2), stake=1_599_999), by=("trader",))
    town.wait_for(auction, "opening")
    give(town, auction, 0, 1, 2)
    town.block()
    assert [(each.filled, each.why) for each in receipts(town, auction)] == [(0, "price"), (0, "stake")]
    assert town.money("trader") == 2 * MICRO
