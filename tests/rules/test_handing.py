"""handing: a transfer that waits for its receiver."""

import pytest
from harness.town import Town
from harness.world import genesis_json

from contracts.events import HandoverAnswered
from state.errors import (
    BadField,
    BadRange,
    CertificateExpired,
    HandoverOver,
    Locked,
    MissingSignature,
    NotTradable,
    NotYours,
    Unknown,
)
from state.outputs import Pending
from state.transaction import AnswerHandover, HandOver
from state.units import Outpoint

YEAR_S = 366 * 86_400


@pytest.fixture
def town() -> Town:
    return Town()


def handed(town: Town, start: int = 4, end: int = 6, to: int = 0, seconds: int = 600, **changes: object) -> HandOver:
    until = town.time_ms // 1000 + seconds
    fields: dict[str, object] = {"outpoint": town.lot, "note": ""}
    given = {**fields, **changes}
    return HandOver(town.id("plant"), given["outpoint"], start, end, to or town.id("trader"), until, given["note"])  # type: ignore[arg-type]


def waiting(town: Town) -> Outpoint:
    town.do(handed(town), by=("plant",))
    return town.outputs_of("plant", Pending)[0]


def test_what_is_handed_over_is_locked_and_the_rest_stays_free(town: Town) -> None:
    point = waiting(town)
    lot = town.live()[point]
    assert isinstance(lot, Pending)
    assert (lot.lot.start, lot.lot.end, lot.lot.holder) == (4, 6, town.id("plant"))
    assert town.certificates("plant") == 7
    assert town.certificates("trader") == 0


def test_the_receiver_accepts(town: Town) -> None:
    events = town.do(AnswerHandover(town.id("trader"), waiting(town), True), by=("trader",))
    assert events == [HandoverAnswered(town.id("plant"), town.id("trader"), 1, 1, 4, 6, "accepted")]
    assert (town.certificates("plant"), town.certificates("trader")) == (7, 3)


@pytest.mark.parametrize(("who", "how"), [("trader", "declined"), ("plant", "taken_back")])
def test_the_receiver_declines_or_the_sender_takes_back(town: Town, who: str, how: str) -> None:
    (event,) = town.do(AnswerHandover(town.id(who), waiting(town), False), by=(who,))
    assert isinstance(event, HandoverAnswered)
    assert event.how == how
    assert town.certificates("plant") == 10


def test_an_accepted_handover_counts_as_one_transfer() -> None:
    town = Town(genesis_json(scheme={"max_transfers": 1}))
    town.do(AnswerHandover(town.id("trader"), waiting(town), True), by=("trader",))
    point = next(p for p in town.live() if getattr(town.live()[p], "holder", 0) == town.id("trader"))
    town.refuses(NotTradable, town.transfer("trader", (point,), town.piece("consumer", 4, 6)), by=("trader",))


def test_refuses_to_accept_what_ran_out_but_not_to_take_it_back(town: Town) -> None:
    point = waiting(town)
    town.refuses(HandoverOver, AnswerHandover(town.id("trader"), point, True), by=("trader",), seconds=600)
    town.do(AnswerHandover(town.id("plant"), point, False), by=("plant",), seconds=600)
    assert town.certificates("plant") == 10


def test_handed_over_certificates_expire_like_all_others(town: Town) -> None:
    point = waiting(town)
    town.block(seconds=2 * YEAR_S)
    assert point not in town.live()


def test_refuses_an_answer_of_a_third(town: Town) -> None:
    town.refuses(NotYours, AnswerHandover(town.id("consumer"), waiting(town), False), by=("consumer",))


def test_refuses_the_sender_to_accept(town: Town) -> None:
    town.refuses(NotYours, AnswerHandover(town.id("plant"), waiting(town), True), by=("plant",))


def test_refuses_an_answer_that_was_not_signed(town: Town) -> None:
    town.refuses(MissingSignature, AnswerHandover(town.id("trader"), waiting(town), True), by=("plant",))


def test_refuses_to_move_what_is_handed_over(town: Town) -> None:
    point = waiting(town)
    town.refuses(Locked, town.transfer("plant", (point,), town.piece("consumer", 4, 6)), by=("plant",))


def test_refuses_to_answer_what_was_not_handed_over(town: Town) -> None:
    town.refuses(Locked, AnswerHandover(town.id("plant"), town.lot, False), by=("plant",))


def test_refuses_a_range_outside_and_a_receiver_who_is_none(town: Town) -> None:
    town.refuses(BadRange, handed(town, 9, 11), by=("plant",))
    town.refuses(Unknown, handed(town, to=99), by=("plant",))
    town.refuses(BadField, handed(town, to=town.id("plant")), by=("plant",))


def test_refuses_a_term_that_is_over_and_a_trade_that_is(town: Town) -> None:
    town.refuses(HandoverOver, handed(town, seconds=0), by=("plant",))
    town.refuses(CertificateExpired, handed(town, seconds=2 * YEAR_S), by=("plant",), seconds=YEAR_S + 1)


def test_refuses_a_note_that_is_not_one_line(town: Town) -> None:
    town.refuses(BadField, handed(town, note="a\nb"), by=("plant",))
