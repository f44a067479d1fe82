"""Numbers as people read them, and lines that fit."""

import pytest

from tui.widgets.columns import cut, folded
from tui.widgets.statement import qr_lines
from tui.words import energy, money, power, remaining, short


@pytest.mark.parametrize(
    ("watts", "text"),
    [(0, "0 W"), (-3, "-3 W"), (999, "999 W"), (1_420_000, "1.42 MW"), (740_600, "740.6 kW"), (-12_000, "-12.0 kW")],
)
def test_power_has_the_prefix_that_it_needs(watts: int, text: str) -> None:
    assert power(watts) == text


def test_missing_power_is_not_zero() -> None:
    assert power(None) == "no value"


def test_energy_and_money() -> None:
    assert energy(14_200_000) == "14.2 MWh"
    assert money(3_100_000, "EUR") == "3.10 EUR"
    assert money(1_234_567_500_000, "EUR") == "1,234,567.50 EUR"
    assert money(125, "EUR") == "0.000125 EUR"


def test_remaining_time() -> None:
    assert [remaining(seconds) for seconds in (-2, 59, 61, 3_660)] == ["0 s", "59 s", "1 min 01 s", "1 h 01 min"]


def test_hash_is_shortened_to_both_ends() -> None:
    assert short("ab" * 32) == "abab…abab"


def test_text_is_cut_with_a_mark() -> None:
    assert cut("La Haute Borne", 8) == "La Haut…"
    assert cut("short", 8) == "short"


def test_sentence_is_folded_and_says_where_it_was_cut() -> None:
    lines = folded("one two three four five six", 9, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")


def test_qr_code_is_twice_as_wide_as_high_and_has_its_quiet_zone() -> None:
    lines = qr_lines("https://wattest.example/statement/" + "c4" * 16 + "?c=7d1f0c2a", 2)
    assert {len(line) for line in lines} == {37}
    assert len(lines) == 19
    assert set(lines[0]) == {" "}
