"""appeal: a held or refused day is objected to once, answered once, and both stay."""

import pytest
from harness.town import Town
from harness.world import DAY, FAR

from contracts.appeal import appeals_of, overdue
from contracts.events import AppealAnswered, Appealed
from state.attestation import ACCEPT, HOLD, REJECT
from state.errors import AlreadyExists, BadField, MissingSignature, NotHeld, RoleNeeded, Unknown
from state.transaction import AnswerAppeal, FileAppeal, RoleContent

TERM_S = 2_592_000
EVIDENCE = bytes(range(32))


@pytest.fixture
def town() -> Town:
    town = Town()
    town.register("authority")
    town.accredit(RoleContent(town.id("authority"), "authority", FAR), by="authority")
    judged(town, DAY + 5, HOLD)
    return town


def judged(town: Town, day: int, verdict: int) -> None:
    town.do(town.issue_action(town.device_id, (town.attested(town.device_id, day, 5_000, verdict=verdict),)))


def objection(town: Town, owner: str = "plant", day: int = DAY + 5, **changes: object) -> FileAppeal:
    fields: dict[str, object] = {"step": 0, "revision": 0, "reason": "ice on the blades", "evidence_hash": EVIDENCE}
    return FileAppeal(town.id(owner), town.device_id, day, **{**fields, **changes})  # type: ignore[arg-type]


def answer(town: Town, upheld: bool = True, by: str = "authority", text: str = "photographs seen") -> AnswerAppeal:
    return AnswerAppeal(town.id(by), town.device_id, DAY + 5, 0, 0, upheld, text, b"")


@pytest.mark.parametrize("verdict", [HOLD, REJECT])
def test_an_objection_stays_on_record_with_its_term(town: Town, verdict: int) -> None:
    judged(town, DAY + 6, verdict)
    events = town.do(objection(town, day=DAY + 6), by=("plant",))
    now = town.time_ms // 1000
    assert events == [Appealed(town.device_id, DAY + 6, town.id("plant"), now + TERM_S)]
    (filed,) = appeals_of(town.state, town.device_id)
    assert (filed.status, filed.reason, filed.evidence_hash) == ("open", "ice on the blades", EVIDENCE)


@pytest.mark.parametrize(("upheld", "status"), [(True, "upheld"), (False, "dismissed")])
def test_the_answer_stands_beside_the_objection(town: Town, upheld: bool, status: str) -> None:
    town.do(objection(town), by=("plant",))
    town.do(answer(town, upheld), by=("authority",))
    (found,) = appeals_of(town.state, town.device_id)
    assert (found.status, found.reason, found.answer) == (status, "ice on the blades", "photographs seen")
    assert found.authority == town.id("authority")
    assert not found.late


def test_silence_shows_and_a_late_answer_is_kept_as_late(town: Town) -> None:
    town.do(objection(town), by=("plant",))
    town.block(seconds=TERM_S)
    (found,) = appeals_of(town.state, town.device_id)
    assert overdue(found, town.time_ms // 1000)
    events = town.do(answer(town), by=("authority",))
    assert events == [AppealAnswered(town.device_id, DAY + 5, town.id("authority"), "upheld", True)]
    (found,) = appeals_of(town.state, town.device_id)
    assert found.late
    assert not overdue(found, town.time_ms // 1000)


def test_refuses_an_objection_to_an_accepted_day(town: Town) -> None:
    judged(town, DAY + 7, ACCEPT)
    town.refuses(NotHeld, objection(town, day=DAY + 7), by=("plant",))


def test_refuses_an_objection_to_a_day_without_verdict(town: Town) -> None:
    town.refuses(Unknown, objection(town, day=DAY + 9), by=("plant",))


def test_refuses_an_objection_of_somebody_else(town: Town) -> None:
    town.refuses(RoleNeeded, objection(town, owner="trader"), by=("trader",))


def test_refuses_an_objection_that_the_owner_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, objection(town), by=("trader",))


def test_refuses_a_second_objection(town: Town) -> None:
    town.do(objection(town), by=("plant",))
    town.refuses(AlreadyExists, objection(town, reason="again"), by=("plant",))


@pytest.mark.parametrize("changes", [{"reason": ""}, {"evidence_hash": b"short"}])
def test_refuses_an_objection_without_reason_or_with_half_a_hash(town: Town, changes: dict[str, object]) -> None:
    town.refuses(BadField, objection(town, **changes), by=("plant",))


def test_refuses_an_answer_without_the_role(town: Town) -> None:
    town.do(objection(town), by=("plant",))
    town.refuses(RoleNeeded, answer(town, by="trader"), by=("trader",))


def test_refuses_an_answer_to_nothing(town: Town) -> None:
    town.refuses(Unknown, answer(town), by=("authority",))


def test_refuses_a_second_answer(town: Town) -> None:
    town.do(objection(town), by=("plant",))
    town.do(answer(town), by=("authority",))
    town.refuses(AlreadyExists, answer(town, upheld=False), by=("authority",))


def test_refuses_an_answer_without_words(town: Town) -> None:
    town.do(objection(town), by=("plant",))
    town.refuses(BadField, answer(town, text=""), by=("authority",))
