"""What is kept between two runs, whatever became of the file; and the time zone."""

import asyncio
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Input

from tui import zone
from tui.app import Dashboard
from tui.habits import DRAFTS, MAX_BYTES, Habits, habits_at, place
from tui.screens.form import FormScreen
from tui.screens.zone import ZoneScreen
from tui.texts import language, speak
from tui.themes import CONTRAST, THEMES
from tui.widgets.sheet import Sheet
from tui.words import clock, date, date_of, ledger_time, moment

NOON = 1_795_348_800  # 2026-11-22 12:00:00 UTC


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    zone.choose("UTC")
    speak("en")


@pytest.fixture
def node() -> Iterator[AnsweringNode]:
    found = AnsweringNode(market_town()).start()
    yield found
    found.stop()


# --- the file


def test_what_was_chosen_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "wattest" / "dashboard.json"
    kept = Habits(path, "holder", CONTRAST.name, "ru", "Asia/Shanghai", "month")
    kept.tables["Holder.certificates"] = ("wind", 3, True)
    kept.drafts["7d1f:retire:Retire"] = {"count": "3", "beneficiary": 'Hafen "Stahl" 港'}
    kept.keep()
    found = habits_at(path)
    assert {**vars(found), "_written": b""} == {**vars(kept), "_written": b""}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_nothing_is_written_twice_nor_without_a_place(tmp_path: Path) -> None:
    path = tmp_path / "dashboard.json"
    kept = Habits(path)
    kept.keep()
    path.unlink()
    kept.keep()
    assert not path.exists()
    Habits().keep()


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"tables": 5, "drafts": [1], "zone": {}}', b"[" * 100_000,
     b'{"language": "tlh", "cabinet": "\\u001b[2J", "tables": {"a": [1, 2], "b": ["x", true, false], "c": 3}}',
     b'{"drafts": {"a": {"b": 5}, "c": 7}}', b" " * (MAX_BYTES + 1)],
)  # fmt: skip
def test_a_damaged_file_counts_as_empty(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "dashboard.json"
    path.write_bytes(data)
    found = habits_at(path)
    assert (found.cabinet, found.language, found.zone, found.tables) == ("", "", "", {})
    assert all(text == "" for draft in found.drafts.values() for text in draft.values())
    found.cabinet = "market"
    found.keep()
    assert habits_at(path).cabinet == "market"


FIELDS = st.sampled_from(["cabinet", "theme", "language", "zone", "group", "tables", "drafts", "x"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4))


@given(JSON)
def test_no_file_of_any_shape_stops_the_dashboard(value: object) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"habits-{os.getpid()}.json"
    path.write_text(json.dumps(value))
    try:
        habits_at(path)._data()
    finally:
        path.unlink()


def test_a_place_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    kept = habits_at(tmp_path / "file" / "dashboard.json")
    kept.cabinet = "holder"
    kept.keep()


def test_drafts_are_bounded(tmp_path: Path) -> None:
    kept = Habits(tmp_path / "dashboard.json")
    kept.drafts.update({f"{number}": {"a": "b"} for number in range(3 * DRAFTS)})
    kept.keep()
    assert list(habits_at(kept.path or tmp_path).drafts) == [str(number) for number in range(2 * DRAFTS, 3 * DRAFTS)]


def test_the_place_is_the_users_own(tmp_path: Path) -> None:
    assert place({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}) == Path("/x/wattest/dashboard.json")
    assert place({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}) == Path("/h/.config/wattest/dashboard.json")


# --- in the dashboard


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await pilot.pause(0.05)


async def test_a_second_run_begins_where_the_first_one_ended(node: AnsweringNode, tmp_path: Path) -> None:
    """Cabinet, theme, grouping, filter and order of a table, and the draft of a form; no key among it."""
    path = tmp_path / "config" / "dashboard.json"
    home = wallet_of(tmp_path / "wallets", node.chain, "owner")
    app = Dashboard([node.url], as_role="owner", home=home, habits=habits_at(path))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.desk.account is not None and app.desk.account.id > 0)
        await pilot.pause(0.2)  # signing in leads to a cabinet of its own
        await pilot.press("H")
        await until(pilot, lambda: app.current_mode == "holder" and bool(app.screen.query("#certificates")))
        app.theme = CONTRAST.name
        await pilot.press("g")
        sheet = app.screen.query_one("#certificates", Sheet)
        await until(pilot, lambda: bool(sheet.lines))
        sheet.focus_rows()
        await pilot.press("o", "o", "slash", "0", "enter")
        await until(pilot, lambda: bool(sheet.lines) and sheet.arranged == ("0", 0, True))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, FormScreen) and bool(app.screen.query(Input)))
        app.screen.query(Input).last().value = "half a sentence"
        await until(pilot, lambda: "half a sentence" in str(app.desk.drafts))
    assert path.exists()
    assert node.chain.seed("owner").hex() not in path.read_text()
    again = Dashboard([node.url], home=home, habits=habits_at(path))
    async with again.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: again.current_mode == "holder" and bool(again.screen.query("#certificates")))
        await until(pilot, lambda: again.screen.query_one("#certificates", Sheet).arranged == ("0", 0, True))
        assert again.theme == CONTRAST.name
        found = again.screen.query_one("#certificates", Sheet)
        assert found.arranged == ("0", 0, True)
        assert found.query_one(Input).value == "0"
        assert again.desk.habits.group == "source"
        (draft,) = again.desk.drafts.values()
        assert "half a sentence" in draft.values()


async def test_the_palette_changes_the_zone_of_every_time(node: AnsweringNode) -> None:
    app = Dashboard([node.url])
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(100):
            await pilot.pause(0.05)
            if app.model.chain.height == node.chain.height:
                break
        app.action_zone()
        await pilot.pause(0.1)
        assert isinstance(app.screen, ZoneScreen)
        for nonsense in ("nowhere", "\x00../../etc", "х" * 500):
            app.screen.query_one(Input).value = nonsense
            await pilot.press("enter")
            assert isinstance(app.screen, ZoneScreen)
        app.screen.query_one(Input).value = "calcutta"
        await pilot.pause(0.05)
        await pilot.press("enter")
        for _ in range(100):
            await pilot.pause(0.05)
            if zone.chosen() == "Asia/Calcutta" and app.current_mode == "network":
                break
        assert ledger_time(app.model.chain.time_ms).endswith("UTC+5:30")


# --- the zone


def test_instants_obey_the_zone_and_days_of_production_do_not() -> None:
    before = (moment(NOON), clock(NOON * 1_000), ledger_time(NOON * 1_000), date_of(NOON + 43_000))
    assert before == ("2026-11-22 12:00", "12:00:00", "2026-11-22 12:00:00 UTC", "2026-11-22")
    zone.choose("Asia/Shanghai")
    after = (moment(NOON), clock(NOON * 1_000), ledger_time(NOON * 1_000), date_of(NOON + 43_000))
    assert after == ("2026-11-22 20:00", "20:00:00", "2026-11-22 20:00:00 UTC+8", "2026-11-23")
    assert date(NOON // 86_400) == "2026-11-22"


def test_summer_and_winter_have_their_own_offset() -> None:
    zone.choose("Europe/Berlin")
    assert ledger_time(NOON * 1_000).endswith("UTC+1")
    assert ledger_time((NOON - 150 * 86_400) * 1_000).endswith("UTC+2")


@pytest.mark.parametrize("name", ["UTC", "local", "Europe/Moscow", "America/St_Johns", "Asia/Kolkata"])
def test_a_time_that_is_shown_is_found_again_when_typed(name: str) -> None:
    zone.choose(name)
    assert zone.instant(moment(NOON)) == NOON
    assert zone.instant(ledger_time(NOON * 1_000)[:19]) == NOON


@pytest.mark.parametrize("name", ["", "Mars", "../../etc/passwd", "/etc/localtime", "Europe", "\x00", "x" * 5_000])
def test_refuses_a_zone_that_there_is_not(name: str) -> None:
    zone.choose("Europe/Moscow")
    with pytest.raises(zone.UnknownZone):
        zone.choose(name)
    assert zone.chosen() == "Europe/Moscow"


def test_an_instant_beyond_the_calendar_is_no_traceback() -> None:
    for name in ("UTC", "local", "Asia/Shanghai"):
        zone.choose(name)
        for seconds in (0, 2**33, 2**40, 2**62, 2**64 - 1):
            moment(seconds)


# --- contrast


def test_high_contrast_is_seven_to_one() -> None:
    for theme in THEMES:
        least = 7.0 if theme is CONTRAST else 4.5
        for name in ("foreground", "primary", "accent", "success", "warning", "error"):
            for ground in ("background", "surface"):
                assert _ratio(getattr(theme, name), getattr(theme, ground)) >= least, (theme.name, name, ground)


def _ratio(first: str, second: str) -> float:
    """Of two colours' luminance, as WCAG 2.2 defines it."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_language_is_kept_too(tmp_path: Path) -> None:
    speak("zh")
    kept = Habits(tmp_path / "dashboard.json", language=language())
    kept.keep()
    assert habits_at(tmp_path / "dashboard.json").language == "zh"
