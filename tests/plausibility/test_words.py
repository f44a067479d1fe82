"""Every reason can be said to a plant owner."""

import pytest

from verifier.finding import HOLD, INFO, MODEL, PHYSICS, WINDOWS, WITNESS, Finding
from verifier.words import GENERAL, NUMBERS, explain, explain_finding

CODES = sorted(INFO | HOLD | PHYSICS | MODEL | WITNESS | WINDOWS)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_sentence_and_fits_the_ledger(code: str) -> None:
    assert explain(code).endswith(".")
    assert explain(code) != code
    assert len(code) <= 16


@pytest.mark.parametrize("code", CODES)
def test_sentences_with_numbers_hold_no_open_place(code: str) -> None:
    text = explain_finding(Finding(code, 1_400_000_000, 3_600, 7))
    assert "{" not in text
    assert text.startswith(GENERAL[code])


def test_numbers_are_told_in_the_units_of_owners() -> None:
    night = Finding("night_power", 1_467_356_400, 1_200, 60)
    assert "At 07:00 UTC it claimed 1.2 kW; by night up to 60 W would be let pass." in explain_finding(night)
    assert explain_finding(Finding("power_replay", 0, 17_000)).endswith("It is the power of 2016-07-18.")
    assert "2.5 MWh" in explain_finding(Finding("model_day", 0, 2_500_000, 100_000))


def test_every_numbered_sentence_belongs_to_a_code() -> None:
    assert set(NUMBERS) <= set(GENERAL)


def test_unknown_code_of_a_newer_verifier_is_shown_as_it_is() -> None:
    assert explain("gravity") == "gravity"
