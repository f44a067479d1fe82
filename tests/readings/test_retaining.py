"""Readings go when nothing needs them any more, and stand in the archive before they do."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from harness.metering import DAY, Meter, Plant, give
from msgspec.structs import replace

from node.archive import Archive, keep_day, read_archive
from node.intake import Intake
from node.retaining import Retaining, droppable
from node.wire import Readings
from state.attestation import ACCEPT, D90
from state.crypto import H
from state.errors import DecodeError, StoreError
from state.keyspace import appeal_key, device_key, release_key
from state.overlay import Overlay
from state.records import Appeal, Device, Release
from state.transaction import ProfileContent
from state.units import DAY_S
from verifier.reading import readings_root
from verifier.review import span
from verifier.verdict import HISTORY_DAYS

WINDOW = 30  # days of commissioning
DAYS = 420
LAST = DAY + DAYS - 1


def released(device: int, day: int) -> Release:
    return Release(device, day, 0, 0, ACCEPT, (), 1_000, 1_000, bytes(32), bytes(32))


class Held:
    """A device of one reading a day, every day at the end of its release."""

    def __init__(self) -> None:
        self.plant = Plant()
        self.device = self.plant.device
        profile = ProfileContent(self.device, H("test/profile", (1,)), DAY * DAY_S, (DAY + WINDOW) * DAY_S)
        self.plant.world.accredit(profile, by="owner")
        self.intake: Intake = self.plant.intake()
        self.meter: Meter = self.plant.meter()
        self.batches: dict[int, Readings] = {}
        self.state = Overlay(self.plant.world.state)

    async def fill(self, days: int = DAYS) -> None:
        for day in range(DAY, DAY + days):
            self.batches[day] = self.meter.batch([self.meter.text(day * DAY_S + 43_200)])
            await give(self.intake, self.batches[day], self.meter.close(day))
            if day > DAY + WINDOW:
                self.state.put(release_key(self.device, day, 0, 0), released(self.device, day))
        self.state.put(release_key(self.device, DAY + WINDOW, 0, 0), released(self.device, DAY + WINDOW))

    def droppable(self, before: int = LAST + 1) -> list[int]:
        return droppable(self.intake.store, self.state, self.device, before)

    async def let_go(self, folder: Path, before: int = LAST + 1) -> list[int]:
        days = self.droppable(before)
        await self.intake.let_go(
            self.device, days, lambda device, day: keep_day(self.intake.store, folder, device, day)
        )
        return days


@pytest.fixture(scope="module")
def full() -> Held:
    made = Held()
    asyncio.run(made.fill())
    return made


def test_what_is_old_and_at_its_end_may_go_and_the_commissioning_window_stays(full: Held) -> None:
    days = full.droppable()
    assert days[0] == DAY + WINDOW + 1
    assert days[-1] == span(LAST, D90)[0] - HISTORY_DAYS - 1
    assert days == list(range(days[0], days[-1] + 1))


def test_the_operators_bound_comes_first(full: Held) -> None:
    assert full.droppable(DAY + WINDOW + 5) == [DAY + WINDOW + each for each in (1, 2, 3, 4)]


def test_an_open_day_keeps_all_that_its_windows_look_back_on(full: Held) -> None:
    state, open_day = full.state, DAY + 300
    full.state = Overlay(state)
    full.state.delete(release_key(full.device, open_day, 0, 0))
    days = full.droppable()
    full.state = state
    assert days[-1] == span(open_day, D90)[0] - HISTORY_DAYS - 1


def test_a_plant_that_hears_it_and_has_not_come_so_far_keeps_it(full: Held) -> None:
    record, state = full.state.get(device_key(full.device)), Overlay(full.state)
    assert isinstance(record, Device)
    state.put(device_key(2), replace(record, id=2, neighbours=(full.device,)))
    assert full.droppable() != []
    assert droppable(full.intake.store, state, full.device, LAST + 1) == []


def test_a_day_under_an_open_objection_stays(full: Held) -> None:
    state, day = full.state, DAY + 50
    fields = ("", "", bytes(32), 0, 0, bytes(32), "open", 0, "", b"", 0, False, b"")
    full.state = Overlay(state)
    full.state.put(appeal_key(full.device, day, 0, 0), Appeal(full.device, day, 0, 0, 1, *fields[1:]))  # type: ignore[arg-type]
    days = full.droppable()
    full.state = state
    assert day not in days
    assert day + 1 in days


def test_a_plant_without_a_profile_keeps_everything(full: Held) -> None:
    plain = Plant()
    assert droppable(full.intake.store, plain.world.state, plain.device, LAST + 1) == []


async def test_the_archive_proves_what_went_and_the_store_stays_sound(tmp_path: Path) -> None:
    held = Held()
    await held.fill(300)
    store, device = held.intake.store, held.device
    roots = {day: close.close.readings_root for day in held.batches if (close := store.close_of(device, day))}
    gone = await held.let_go(tmp_path)
    assert len(gone) > 20
    assert held.droppable() == []
    store.check()
    assert store.dropped_days(device) == len(gone)
    archived = {day["day"]: day for path in (tmp_path / f"device-{device}").iterdir() for day in read_archive(path)}
    assert sorted(archived) == gone
    for day in gone:
        assert store.day(device, day) == []
        texts = [text.encode() for batch in archived[day]["batches"] for text in batch["readings"]]
        assert readings_root(texts) == roots[day]
    again = await held.intake.accept_batch(held.batches[gone[0]].raws, held.meter.key, held.batches[gone[0]].signature)
    assert (again.accepted, again.duplicates) == (0, 1)
    assert store.day(device, gone[0]) == []


async def test_the_disk_is_bounded_however_long_it_runs(tmp_path: Path) -> None:
    held = Held()
    await held.fill(320)
    await held.let_go(tmp_path)
    kept = sum(bool(held.intake.store.day(held.device, day)) for day in held.batches)
    assert kept <= WINDOW + 1 + (LAST - span(LAST, D90)[0]) + HISTORY_DAYS + 1


async def test_a_batch_of_two_days_goes_with_the_second(tmp_path: Path) -> None:
    held = Held()
    meter, store = held.meter, held.intake.store
    both = [meter.text((DAY + each) * DAY_S + 43_200) for each in (0, 1)]
    await give(held.intake, meter.batch(both))
    store.drop_day(held.device, DAY)
    assert store.day(held.device, DAY + 1) == [both[1]]
    store.check()
    store.drop_day(held.device, DAY + 1)
    assert store.raw(held.device, 1) is None
    store.check()


async def test_nothing_goes_where_the_archive_cannot_be_written(tmp_path: Path) -> None:
    held = Held()
    await held.fill(300)
    (tmp_path / f"device-{held.device}").write_text("in the way")
    with pytest.raises(StoreError):
        await held.let_go(tmp_path)
    assert held.intake.store.dropped_days(held.device) == 0


async def test_a_line_that_a_crash_tore_is_cut_and_a_day_may_stand_twice(tmp_path: Path) -> None:
    held = Held()
    await held.fill(3)
    for _ in range(2):
        keep_day(held.intake.store, tmp_path, held.device, DAY)
    (path,) = (tmp_path / f"device-{held.device}").iterdir()
    with path.open("a") as file:
        file.write('{"schema": "evid')
    keep_day(held.intake.store, tmp_path, held.device, DAY + 1)
    assert [day["day"] for day in read_archive(path)] == [DAY, DAY, DAY + 1]
    assert Archive((path,)).evidence(held.device, DAY)["close"] is not None


@pytest.mark.parametrize("text", ["x\n", "{}\n", json.dumps({"schema": "evidence/2"}) + "\n"])
def test_refuses_an_archive_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "days.jsonl"
    path.write_text(text)
    with pytest.raises(DecodeError, match="line 1"):
        list(read_archive(path))


async def test_a_node_lets_go_by_its_settings_and_tells_when_it_cannot_write(tmp_path: Path) -> None:
    held = Held()
    await held.fill(320)
    said: list[str] = []
    tip = SimpleNamespace(header=SimpleNamespace(timestamp_ms=(DAY + 320) * DAY_S * 1_000))
    config = SimpleNamespace(home=tmp_path, number=lambda key: 280, text=lambda key: "")
    log = SimpleNamespace(info=lambda name, **_: said.append(name), error=lambda name, **_: said.append(name))
    node: Any = SimpleNamespace(
        config=config,
        log=log,
        ledger=SimpleNamespace(store=held.state, tip=tip),
        runtime=SimpleNamespace(fail=said.append),
    )
    (tmp_path / "archive").write_text("in the way")
    part = Retaining(node, held.intake)
    await part.start()
    for _ in range(500):
        if said:
            break
        await asyncio.sleep(0.01)
    await part.stop()
    assert said == ["readings_not_archived"]
    (tmp_path / "archive").unlink()
    await part.look()
    assert said[-1] == "readings_let_go"
    assert held.intake.store.dropped_days(held.device) == 320 - 280 - WINDOW - 1
    assert (tmp_path / "archive" / f"device-{held.device}").is_dir()
