"""transfer: named pieces cover exactly the numbers of the inputs; money, where there is some, moves with them."""

import pytest
from harness.town import Town
from harness.world import DAY, genesis_json
from msgspec.structs import replace

from contracts.events import Paid, Transferred
from state.errors import (
    BadField,
    BadRange,
    CertificateExpired,
    LimitReached,
    Locked,
    MissingSignature,
    MoneyDiffers,
    NotTradable,
    NotYours,
    RangesDiffer,
    Spent,
    Unknown,
)
from state.keyspace import output_key
from state.outputs import Bundle
from state.transaction import Payment, Piece, Transfer
from state.units import MICRO, Outpoint

YEAR_S = 366 * 86_400


@pytest.fixture
def town() -> Town:
    return Town()


def paid(
    town: Town, *inputs: Outpoint, amount: int = 30 * MICRO, payer: str = "trader", currency: str = "EUR"
) -> Transfer:
    payment = Payment(town.id(payer), currency, amount, inputs)
    return Transfer(town.id("plant"), (town.lot,), (town.piece("trader", 1, 10),), payment)


def test_a_whole_bundle_changes_hands(town: Town) -> None:
    events = town.do(town.transfer("plant", (town.lot,), town.piece("trader", 1, 10)), by=("plant",))
    assert events == [Transferred(town.id("plant"), town.id("trader"), town.device_id, 1, 1, 10)]
    moved = town.bundle(town.outputs_of("trader", Bundle)[0])
    assert (moved.start, moved.end, moved.transfers) == (1, 10, 1)
    assert town.certificates("plant") == 0


def test_a_bundle_splits_into_named_pieces(town: Town) -> None:
    new = town.move(
        "plant", (town.lot,), town.piece("trader", 4, 6), town.piece("plant", 1, 3), town.piece("plant", 7, 10)
    )
    assert [(town.bundle(point).start, town.bundle(point).transfers) for point in new] == [(4, 1), (1, 0), (7, 0)]


def test_adjacent_bundles_merge(town: Town) -> None:
    left, right = town.move("plant", (town.lot,), town.piece("plant", 1, 4), town.piece("plant", 5, 10))
    (whole,) = town.move("plant", (right, left), town.piece("plant", 1, 10))
    assert (town.bundle(whole).start, town.bundle(whole).end, town.bundle(whole).transfers) == (1, 10, 0)


def test_a_payment_moves_with_the_certificates(town: Town) -> None:
    events = town.do(paid(town, town.fund("trader", 20), town.fund("trader", 15)), by=("plant", "trader"))
    assert Paid(town.id("trader"), town.id("plant"), "EUR", 30 * MICRO) in events
    assert town.in_hand("trader") == (10, 5 * MICRO)
    assert town.in_hand("plant") == (0, 30 * MICRO)


def test_own_certificates_can_be_regrouped_after_the_trading_term(town: Town) -> None:
    town.block(seconds=YEAR_S)
    assert len(town.move("plant", (town.lot,), town.piece("plant", 1, 1), town.piece("plant", 2, 10))) == 2


def test_a_bundle_that_moved_too_often_to_count_still_moves_and_can_be_read(town: Town) -> None:
    bundle = town.bundle(town.lot)
    worn = replace(bundle, transfers=2**16 - 1)
    town.state.put(output_key(town.lot), worn)
    (moved,) = town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    assert town.bundle(moved).transfers == 2**16 - 1


def test_refuses_a_sender_who_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, town.transfer("plant", (town.lot,), town.piece("trader", 1, 10)), by=("trader",))


def test_refuses_a_payer_who_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, paid(town, town.fund("trader", 30)), by=("plant",))


def test_refuses_a_bundle_of_somebody_else(town: Town) -> None:
    town.refuses(NotYours, town.transfer("trader", (town.lot,), town.piece("trader", 1, 10)), by=("trader",))


def test_refuses_a_spent_bundle(town: Town) -> None:
    action = town.transfer("plant", (town.lot,), town.piece("trader", 1, 10))
    town.do(action, by=("plant",))
    town.refuses(Spent, action, by=("plant",))


def test_retired_certificate_cannot_be_transferred(town: Town) -> None:
    town.do(town.retire_action("plant", town.lot, 1, 10), by=("plant",))
    town.refuses(Spent, town.transfer("plant", (town.lot,), town.piece("trader", 1, 10)), by=("plant",))


def test_refuses_the_retired_part_of_a_bundle(town: Town) -> None:
    town.do(town.retire_action("plant", town.lot, 3, 5), by=("plant",))
    left, right = town.outputs_of("plant", Bundle)
    town.refuses(RangesDiffer, town.transfer("plant", (left, right), town.piece("trader", 1, 10)), by=("plant",))


def test_refuses_a_bundle_that_is_named_twice(town: Town) -> None:
    town.refuses(Spent, town.transfer("plant", (town.lot, town.lot), town.piece("trader", 1, 10)), by=("plant",))


def test_refuses_an_output_of_the_same_transaction(town: Town) -> None:
    first = town.transfer("plant", (town.lot,), town.piece("plant", 1, 10))
    second = town.transfer("plant", (town.lot,), town.piece("trader", 1, 10))
    town.refuses(Spent, first, second, by=("plant",), index=1)


def test_refuses_a_locked_bundle(town: Town) -> None:
    _, offer, _ = town.trade()
    town.refuses(Locked, town.transfer("plant", (offer,), town.piece("trader", 1, 10)), by=("plant",))


def test_refuses_funds_as_certificates(town: Town) -> None:
    money = town.fund("plant", 1)
    town.refuses(Locked, town.transfer("plant", (money,), town.piece("trader", 1, 10)), by=("plant",))


def test_refuses_a_transfer_after_the_trading_term(town: Town) -> None:
    action = town.transfer("plant", (town.lot,), town.piece("trader", 1, 10))
    until = town.bundle(town.lot).trade_until
    left_s = until - town.time_ms // 1000
    town.refuses(CertificateExpired, action, by=("plant",), seconds=left_s)
    town.do(action, by=("plant",), seconds=left_s - 1)  # the last second before it is still good


def test_refuses_an_expired_bundle_even_for_its_holder(town: Town) -> None:
    town.block(seconds=town.bundle(town.lot).retire_until - town.time_ms // 1000 - 1)
    action = town.transfer("plant", (town.lot,), town.piece("plant", 1, 10))
    town.refuses(Spent, action, by=("plant",), seconds=1)  # swept at the start of that very block


@pytest.mark.parametrize(
    "ranges",
    [
        [(1, 9)],
        [(1, 11)],
        [(2, 10)],
        [(1, 5), (7, 10)],
        [(1, 5), (5, 10)],
        [(1, 10), (1, 10)],
        [(1, 10), (11, 11)],
        [(0, 10)],
        [(1, 2**64 - 1)],
    ],
)
def test_refuses_pieces_that_are_not_exactly_the_inputs(town: Town, ranges: list[tuple[int, int]]) -> None:
    pieces = [town.piece("trader", start, end) for start, end in ranges]
    town.refuses(RangesDiffer, town.transfer("plant", (town.lot,), *pieces), by=("plant",))


def test_refuses_a_reversed_piece(town: Town) -> None:
    pieces = (town.piece("trader", 1, 10), town.piece("trader", 10, 9))
    town.refuses(BadRange, town.transfer("plant", (town.lot,), *pieces), by=("plant",))


def test_refuses_a_merge_across_a_gap(town: Town) -> None:
    left, _, right = town.move(
        "plant", (town.lot,), town.piece("plant", 1, 3), town.piece("trader", 4, 6), town.piece("plant", 7, 10)
    )
    town.refuses(RangesDiffer, town.transfer("plant", (left, right), town.piece("plant", 1, 10)), by=("plant",))


def test_refuses_a_merge_of_two_issuances(town: Town) -> None:
    next_lot = town.issue(town.device_id, 2_000_000, day=16_163)
    assert next_lot is not None
    assert town.bundle(next_lot).start == 11
    town.refuses(RangesDiffer, town.transfer("plant", (town.lot, next_lot), town.piece("plant", 1, 12)), by=("plant",))


def test_refuses_a_merge_of_different_histories(town: Town) -> None:
    left, right = town.move("plant", (town.lot,), town.piece("trader", 1, 5), town.piece("plant", 6, 10))
    (back,) = town.move("trader", (left,), town.piece("plant", 1, 5))
    town.refuses(RangesDiffer, town.transfer("plant", (back, right), town.piece("plant", 1, 10)), by=("plant",))


def test_refuses_a_receiver_who_is_not_registered(town: Town) -> None:
    town.refuses(Unknown, town.transfer("plant", (town.lot,), Piece(99, 1, 10)), by=("plant",))


def test_refuses_certificates_of_a_scheme_that_is_not_tradable() -> None:
    town = Town(genesis_json(scheme={"tradable": False}))
    town.refuses(NotTradable, town.transfer("plant", (town.lot,), town.piece("trader", 1, 10)), by=("plant",))
    assert town.move("plant", (town.lot,), town.piece("plant", 1, 4), town.piece("plant", 5, 10))


def test_refuses_more_transfers_than_the_scheme_allows() -> None:
    town = Town(genesis_json(scheme={"max_transfers": 1}))
    (moved,) = town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    town.refuses(NotTradable, town.transfer("trader", (moved,), town.piece("consumer", 1, 10)), by=("trader",))


def test_refuses_a_payment_by_the_sender_himself(town: Town) -> None:
    town.refuses(BadField, paid(town, town.fund("plant", 30), payer="plant"), by=("plant",))


def test_refuses_a_payment_of_nothing(town: Town) -> None:
    town.refuses(BadField, paid(town, town.fund("trader", 30), amount=0), by=("plant", "trader"))


def test_refuses_a_payment_that_the_inputs_do_not_cover(town: Town) -> None:
    town.refuses(MoneyDiffers, paid(town, town.fund("trader", 29)), by=("plant", "trader"))


def test_refuses_a_payment_in_another_currency(town: Town) -> None:
    town.refuses(MoneyDiffers, paid(town, town.fund("trader", 30), currency="USD"), by=("plant", "trader"))


def test_refuses_a_holder_beyond_his_outputs() -> None:
    town = Town(max_outputs=6)
    pieces = [town.piece("trader", number, number) for number in range(1, 8)]
    action = town.transfer("plant", (town.lot,), *pieces, town.piece("plant", 8, 10))
    refused = town.refuses(LimitReached, action, by=("plant",))
    assert refused.params["limit"] == 6


def test_half_of_a_holders_outputs_are_for_what_he_asked_for() -> None:
    """Whoever fills a wallet with crumbs fills the half that others may."""
    town = Town(max_outputs=6)
    crumbs = [town.piece("trader", number, number) for number in range(1, 5)]
    rest = town.piece("plant", 5, 10)
    refused = town.refuses(LimitReached, town.transfer("plant", (town.lot,), *crumbs, rest), by=("plant",))
    assert refused.params["limit"] == 3
    *_, lot = town.move("plant", (town.lot,), *crumbs[:3], town.piece("plant", 4, 10))
    piece, rest = town.piece("trader", 4, 4), town.piece("plant", 5, 10)
    town.refuses(LimitReached, town.transfer("plant", (lot,), piece, rest), by=("plant",))
    money = town.credit("trader", 3 * MICRO)  # the bank's money still comes
    town.credit("trader", MICRO)
    asked = Transfer(town.id("plant"), (lot,), (piece, rest), Payment(town.id("trader"), "EUR", 3 * MICRO, (money,)))
    town.do(asked, by=("plant", "trader"))  # and what he pays for
    assert town.in_hand("trader") == (4, MICRO)
    first, second, *_ = town.outputs_of("trader", Bundle)
    assert town.move("trader", (first, second), town.piece("trader", 1, 2))


def test_a_holder_at_his_limit_can_still_give_away_merge_and_retire() -> None:
    town = Town(max_outputs=3)
    first, second, third = town.move(
        "plant", (town.lot,), town.piece("plant", 1, 3), town.piece("plant", 4, 6), town.piece("plant", 7, 10)
    )
    town.refuses(
        LimitReached,
        town.transfer("plant", (third,), town.piece("plant", 7, 7), town.piece("plant", 8, 10)),
        by=("plant",),
    )
    town.do(town.retire_action("plant", third, 7, 10), by=("plant",))
    assert town.move("plant", (first, second), town.piece("plant", 1, 6))


def rows(town: Town) -> int:
    """Entries of the committed state."""
    return sum(1 for _ in town.state.scan(b"\x00", b"\x80"))


def test_the_state_grows_with_bundles_and_not_with_certificates() -> None:
    few, many = Town(), Town()
    few.issue(few.device_id, 1_000_000, day=DAY + 1)
    lot = many.issue(many.device_id, 40_000_000, day=DAY + 1)
    assert lot is not None
    assert rows(few) == rows(many)
    before = rows(many)
    parts = [many.piece("plant", serial, serial) for serial in range(11, 51)]
    singles = many.move("plant", (lot,), *parts)
    assert rows(many) == before + 2 * 39, "an output and its place in the queue of expiry for each bundle more"
    many.move("plant", tuple(singles), many.piece("plant", 11, 50))
    assert rows(many) == before
    whole = many.outputs_of("plant", Bundle)[-1]
    many.do(many.retire_action("plant", whole, 11, 50), by=("plant",))
    assert rows(many) == before - 1, "two less for the bundle, one more for the statement"
