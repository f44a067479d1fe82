"""What is certifiable at once, later, and never."""

import pytest

from verifier.finding import Finding
from verifier.ladder import HOLD_DAYS, FinalVerdict, climb
from verifier.verdict import DayVerdict, Outcome
from verifier.windows import RAMP, RAMP_DAYS, Flag

DAY, LAST = 1_000, 1_000 + 400
ENERGY_WH = 10_007


def verdict(outcome: Outcome = "accept", energy_wh: int = ENERGY_WH, *found: Finding) -> DayVerdict:
    return DayVerdict(
        verdict=outcome,
        reasons=tuple(finding.code for finding in found),
        energy_wh=energy_wh,
        accepted_wh=energy_wh if outcome == "accept" else 0,
        expected_wh=0,
        expected_w=(),
        allowed_w=(),
        findings=found,
    )


def flag(end: int, length: int, code: str = "") -> Flag:
    return Flag(end, length, Finding(code or f"window_{length}", 0, 12, 7))


def parts(final: FinalVerdict) -> tuple[str, int, int, int, int]:
    assert final.accepted_wh + final.withheld_wh + final.refused_wh == final.energy_wh
    assert final.prompt_wh <= final.accepted_wh
    return final.verdict, final.prompt_wh, final.accepted_wh, final.withheld_wh, final.refused_wh


def test_nine_tenths_of_a_clean_day_are_prompt_and_the_rest_follows() -> None:
    assert parts(climb(DAY, verdict(), [], LAST)) == ("accept", 9_006, ENERGY_WH, 0, 0)


def test_windows_that_do_not_cover_the_day_change_nothing() -> None:
    beside = [flag(DAY - 1, 7), flag(DAY + 7, 7), flag(DAY + 90, 90)]
    assert parts(climb(DAY, verdict(), beside, LAST)) == ("accept", 9_006, ENERGY_WH, 0, 0)


@pytest.mark.parametrize("early", [flag(DAY, 7), flag(DAY + 6, 7), flag(DAY + 7, 30), flag(DAY + 7, 90)], ids=str)
def test_a_flagged_window_that_ends_within_a_week_refuses_all(early: Flag) -> None:
    final = climb(DAY, verdict(), [early], LAST)
    assert parts(final) == ("reject", 0, 0, 0, ENERGY_WH)
    assert final.reasons == (early.finding.code,)


@pytest.mark.parametrize("late", [flag(DAY + 8, 30), flag(DAY + 89, 90)], ids=str)
def test_a_flagged_window_that_ends_later_refuses_only_what_is_withheld(late: Flag) -> None:
    final = climb(DAY, verdict(), [late], LAST)
    assert parts(final) == ("reject", 9_006, 9_006, 0, 1_001)
    assert final.reasons == (late.finding.code,)


def test_a_ramp_holds_and_is_refused_when_no_event_came_on_record() -> None:
    late = flag(DAY + 30, RAMP_DAYS, RAMP)
    assert parts(climb(DAY, verdict(), [late], DAY + HOLD_DAYS - 1)) == ("hold", 9_006, 9_006, 1_001, 0)
    assert parts(climb(DAY, verdict(), [late], DAY + HOLD_DAYS)) == ("reject", 9_006, 9_006, 0, 1_001)


def test_held_and_rejected_days_stay_what_they_were() -> None:
    held, refused = verdict("hold"), verdict("reject")
    assert parts(climb(DAY, held, [flag(DAY, 7)], LAST)) == ("hold", 0, 0, ENERGY_WH, 0)
    assert parts(climb(DAY, refused, [], LAST)) == ("reject", 0, 0, 0, ENERGY_WH)


def test_the_day_says_until_when_its_last_window_is_open() -> None:
    assert climb(DAY, verdict(), [], DAY + 10).open_until == DAY + 89
    assert climb(DAY, verdict(), [], DAY + 89).open_until == 0
