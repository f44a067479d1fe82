"""What intake takes, what it refuses, and that nothing acknowledged is lost."""

import json
import time
from pathlib import Path

import pytest
from harness.metering import DAY, NOW_S, Meter, Plant, give
from harness.world import FAR, key_of, seed_of

from node.chaining import MAX_BATCH_READINGS
from node.intake import Intake, closed_by, credential_of
from node.readings import ReadingStore
from node.wire import DayClose, Readings
from state.crypto import sign
from state.errors import (
    BatchRefused,
    ChainBreak,
    CloseConflict,
    CloseDiffers,
    CredentialOver,
    DecodeError,
    FutureReading,
    IntakeBusy,
    LateReading,
    NoCredential,
    OutOfOrder,
    ReadingConflict,
    ReadingRefusal,
    ReadingSignature,
    RegisterFell,
    WattestError,
    WrongCredential,
)
from state.keyspace import device_key
from state.store import LevelRows, MemoryRows
from state.transaction import RenewContent
from state.units import DAY_S
from verifier.reading import readings_root


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture
def meter(plant: Plant) -> Meter:
    return plant.meter()


@pytest.fixture
def intake(plant: Plant) -> Intake:
    return plant.intake()


# --- what is taken


async def test_readings_come_back_verbatim_in_the_order_of_the_root(intake: Intake, meter: Meter) -> None:
    texts = meter.texts_of(DAY)
    await give(intake, meter.batch(texts[:1]), meter.batch(texts[1:100]), meter.batch(texts[100:]), meter.close(DAY))
    held = intake.store.day(meter.device, DAY)
    assert held == texts
    close = intake.store.close_of(meter.device, DAY)
    assert close is not None
    assert close.close.readings_root == readings_root(text.encode() for text in held)
    assert intake.store.head(meter.device).held_seq == 144


async def test_gateways_readings_name_it_as_their_origin() -> None:
    plant = Plant(gateway=True)
    meter = plant.meter()
    accepted = await plant.intake().accept_batch(*_parts(meter.batch([meter.text(DAY * DAY_S)])))
    assert accepted.accepted == 1
    assert accepted.last is not None
    assert accepted.last.origin == plant.gateway > 0


async def test_resending_is_idempotent_and_told_to_peers_once(intake: Intake, meter: Meter) -> None:
    told: list[Readings | DayClose] = []
    intake.listeners.gossip = told.append
    batch = meter.batch(meter.texts_of(DAY))
    first = await intake.accept_batch(*_parts(batch))
    again = await intake.accept_batch(*_parts(batch))
    assert (first.accepted, first.duplicates) == (144, 0)
    assert (again.accepted, again.duplicates) == (0, 144)
    close = meter.close(DAY)
    assert await intake.accept_close(*_close_parts(close)) is True
    assert await intake.accept_close(*_close_parts(close)) is False
    assert told == [batch, close]


async def test_a_batch_may_repeat_what_is_held_and_go_on(intake: Intake, meter: Meter) -> None:
    texts = meter.texts_of(DAY, 10)
    await give(intake, meter.batch(texts[:6]))
    accepted = await intake.accept_batch(*_parts(meter.batch(texts[2:])))
    assert (accepted.accepted, accepted.duplicates) == (4, 4)
    assert intake.store.day(meter.device, DAY) == texts
    assert [intake.store.raw(meter.device, seq) for seq in range(1, 12)] == [*texts, None]


async def test_equal_times_are_two_readings_for_the_verifier_to_weigh(intake: Intake, meter: Meter) -> None:
    texts = [meter.text(DAY * DAY_S, 5), meter.text(DAY * DAY_S, 4), meter.text(DAY * DAY_S + 600, 3)]
    await give(intake, meter.batch(texts), meter.close(DAY))
    assert intake.store.head(meter.device).held_days == 1


async def test_day_is_held_whichever_of_close_and_readings_came_first(plant: Plant, meter: Meter) -> None:
    batch, close = meter.batch(meter.texts_of(DAY)), meter.close(DAY)
    for frames in ((batch, close), (close, batch)):
        intake, days = plant.intake(), []
        intake.listeners.day_held = lambda device, day, days=days: days.append((device, day))
        await give(intake, *frames)
        assert days == [(meter.device, DAY)]


async def test_days_become_complete_in_the_order_of_the_chain(plant: Plant, meter: Meter) -> None:
    frames: list[Readings | DayClose] = []
    for day in range(DAY, DAY + 4):
        frames += [meter.batch(meter.texts_of(day, 20)), meter.close(day)]
    intake, days = plant.intake(), []
    intake.listeners.day_held = lambda _, day: days.append(day)
    closes = [frame for frame in frames if isinstance(frame, DayClose)]
    batches = [frame for frame in frames if isinstance(frame, Readings)]
    for frame in (closes[3], closes[0], closes[2], batches[0], *batches[1:]):
        await give(intake, frame)
    assert days == [DAY]
    await give(intake, closes[1])
    assert days == [DAY, DAY + 1, DAY + 2, DAY + 3]


async def test_commissioning_window_is_taken_in_batches_within_two_seconds(plant: Plant, tmp_path: Path) -> None:
    meter, intake = plant.meter(), plant.intake(LevelRows(tmp_path))
    frames: list[Readings] = []
    texts = [meter.text((DAY + index // 144) * DAY_S + index % 144 * 600) for index in range(13_000)]
    frames = [meter.batch(texts[start : start + 1_440]) for start in range(0, 13_000, 1_440)]
    start = time.perf_counter()
    await give(intake, *frames)
    seconds = time.perf_counter() - start
    print(f"13,000 readings through intake in {seconds:.2f} s")
    assert intake.store.head(meter.device).last_seq == 13_000
    assert seconds < 6  # 2 s on an idle machine; the suite shares its cores


# --- nothing is lost


class Crash(Exception):
    """The process dies here."""


class DyingRows(MemoryRows):
    """Memory that outlives its process; it dies before or after the write that follows `arm`."""

    when = ""

    def write(self, batch: dict[bytes, bytes | None], sync: bool = True) -> None:  # type: ignore[override]
        assert sync, "what is acknowledged must be synced"
        when, self.when = self.when, ""
        if when == "before":
            raise Crash
        super().write(batch, sync)
        if when == "after":
            raise Crash


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("closing", [False, True])
async def test_crash_around_the_write_loses_nothing_and_doubles_nothing(
    plant: Plant, meter: Meter, when: str, closing: bool
) -> None:
    rows = DyingRows()
    batch = meter.batch(meter.texts_of(DAY))
    close = meter.close(DAY)
    intake = plant.intake(rows)
    await give(intake, *([batch] if closing else []))
    rows.when = when
    with pytest.raises(Crash):
        await give(intake, close if closing else batch)
    restarted = plant.intake(rows)
    await restarted.start()
    accepted = await restarted.accept_batch(*_parts(batch))
    stored = closing or when == "after"
    assert (accepted.accepted, accepted.duplicates) == ((0, 144) if stored else (144, 0))
    await give(restarted, close)
    assert restarted.store.day(meter.device, DAY) == list(batch.raws)
    assert restarted.store.head(meter.device).held_days == 1


async def test_a_close_whose_readings_are_there_is_completed_at_the_start(plant: Plant, meter: Meter) -> None:
    rows = DyingRows()
    batch, close = meter.batch(meter.texts_of(DAY)), meter.close(DAY)
    intake = plant.intake(rows)
    await give(intake, close)
    store = intake.store
    put_head, store.put_head = store.put_head, _die  # type: ignore[method-assign, assignment]
    with pytest.raises(Crash):
        await give(intake, batch)
    assert put_head is not None
    restarted, days = plant.intake(rows), []
    restarted.listeners.day_held = lambda _, day: days.append(day)
    await restarted.start()
    assert days == [DAY]


def _die(*_: object) -> None:
    raise Crash


async def test_readings_survive_on_disk(plant: Plant, meter: Meter, tmp_path: Path) -> None:
    rows = LevelRows(tmp_path)
    intake = plant.intake(rows)
    await give(intake, meter.batch(meter.texts_of(DAY)), meter.close(DAY))
    before = intake.store.head(meter.device)
    await intake.stop()
    rows.close()
    again = ReadingStore(LevelRows(tmp_path))
    assert again.head(meter.device) == before
    assert len(again.day(meter.device, DAY)) == 144


# --- from peers, in any order


async def test_batches_ahead_of_a_gap_wait_for_it(plant: Plant, meter: Meter) -> None:
    texts = meter.texts_of(DAY)
    first, second, third = (meter.batch(texts[start : start + 48]) for start in (0, 48, 96))
    intake, gaps = plant.intake(), []
    intake.listeners.gap = gaps.append
    for frame in (third, second, second):
        await intake.on_readings(frame)
    assert intake.store.head(meter.device).last_seq == 0
    assert set(gaps) == {meter.device}
    await intake.on_readings(first)
    assert intake.store.day(meter.device, DAY) == texts


# --- what is refused, and that nothing of it is kept


async def _refused(intake: Intake, frame: Readings | DayClose, kind: type[WattestError]) -> WattestError:
    device = frame.device if isinstance(frame, Readings) else frame.close.device
    before = intake.store.head(device)
    with pytest.raises(kind) as caught:
        await give(intake, frame)
    assert intake.store.head(device) == before
    return caught.value


async def test_refuses_an_empty_batch(intake: Intake, meter: Meter) -> None:
    with pytest.raises(BatchRefused):
        await intake.accept_batch([], meter.key, bytes(64))


async def test_refuses_more_than_1440_readings(intake: Intake, meter: Meter) -> None:
    texts = [meter.text(DAY * DAY_S) for _ in range(MAX_BATCH_READINGS + 1)]
    await _refused(intake, meter.batch(texts), BatchRefused)


async def test_refuses_two_devices_in_a_batch(intake: Intake, meter: Meter) -> None:
    texts = [meter.text(DAY * DAY_S), meter.text(DAY * DAY_S, device=meter.device + 1)]
    await _refused(intake, meter.batch(texts), BatchRefused)


async def test_refuses_readings_of_another_device_than_the_frame_names(intake: Intake, meter: Meter) -> None:
    batch = meter.batch([meter.text(DAY * DAY_S, device=77)])
    with pytest.raises(BatchRefused):
        await intake.on_readings(batch)


@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"pwr_avg": "1e3"}, {"pwr_avg": " 5"}, {"seq": -1}, {"timestamp": "0"}, {"prev": "00"}, {"more": 1}],
)
async def test_refuses_a_reading_out_of_its_form(intake: Intake, meter: Meter, changes: dict[str, object]) -> None:
    good, bad = meter.text(DAY * DAY_S), meter.text(DAY * DAY_S + 600, **changes)
    await _refused(intake, meter.batch([good, bad]), ReadingRefusal)
    assert intake.store.day(meter.device, DAY) == []


async def test_refuses_text_that_is_not_json(intake: Intake, meter: Meter) -> None:
    for raw in ("", "[", "{" * 30, "\ud800", '{"v":1,"v":1}', '{"v":NaN}'):
        with pytest.raises((DecodeError, ReadingRefusal)):
            await intake.accept_batch([raw], meter.key, bytes(64))


async def test_refuses_an_unknown_device(intake: Intake, meter: Meter) -> None:
    meter.device += 1
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S)]), NoCredential)
    await _refused(intake, meter.close(DAY), NoCredential)


async def test_refuses_a_device_without_a_meter(plant: Plant) -> None:
    meter, intake = plant.meter(), plant.intake()
    meter.device = plant.world.device("owner", profile=False)
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S)]), NoCredential)


async def test_refuses_another_key(intake: Intake, meter: Meter) -> None:
    meter.seed, meter.key = seed_of("stranger"), key_of("stranger")
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S)]), WrongCredential)
    await _refused(intake, meter.close(DAY), WrongCredential)


async def test_refuses_another_origin(intake: Intake, meter: Meter) -> None:
    meter.origin = 5
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S)]), WrongCredential)


async def test_refuses_a_wrong_signature(intake: Intake, meter: Meter) -> None:
    batch = meter.batch([meter.text(DAY * DAY_S)])
    other = sign(meter.seed, b"something else")
    await _refused(intake, Readings(batch.device, batch.raws, batch.key, other), ReadingSignature)
    close = meter.close(DAY)
    await _refused(intake, DayClose(close.close, close.key, other), ReadingSignature)


async def test_refuses_a_signature_of_another_network(plant: Plant, intake: Intake, meter: Meter) -> None:
    meter.chain = bytes(32)
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S)]), ReadingSignature)


@pytest.mark.parametrize("kind", ["device", "meter"])
async def test_refuses_a_credential_whose_term_is_over(plant: Plant, kind: str) -> None:
    meter, intake = plant.meter(), plant.intake()
    plant.world.accredit(RenewContent(kind, plant.device, plant.world.time_ms // 1000 + 30), by="owner")
    plant.world.block(seconds=60)
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S)]), CredentialOver)
    plant.world.accredit(RenewContent(kind, plant.device, FAR), by="owner")
    meter = plant.meter()
    await give(intake, meter.batch([meter.text(DAY * DAY_S)]))


async def test_refuses_a_gateway_whose_term_is_over() -> None:
    plant = Plant(gateway=True)
    plant.world.accredit(RenewContent("gateway", plant.gateway, 0), by="owner")
    meter = plant.meter()
    await _refused(plant.intake(), meter.batch([meter.text(DAY * DAY_S)]), CredentialOver)


async def test_refuses_a_gap_in_the_sequence(intake: Intake, meter: Meter) -> None:
    texts = meter.texts_of(DAY, 6)
    await give(intake, meter.batch(texts[:2]))
    refusal = await _refused(intake, meter.batch(texts[3:]), OutOfOrder)
    assert refusal.params["last_seq"] == 2
    await _refused(intake, meter.batch([texts[2], texts[4]]), OutOfOrder)


async def test_refuses_a_reading_that_names_another_predecessor(intake: Intake, meter: Meter) -> None:
    await give(intake, meter.batch([meter.text(DAY * DAY_S)]))
    meter.prev = bytes(32)
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S + 600)]), ChainBreak)


async def test_refuses_another_text_under_a_held_number(intake: Intake, meter: Meter) -> None:
    await give(intake, meter.batch([meter.text(DAY * DAY_S, 100_000)]))
    meter.seq, meter.prev = 0, bytes(32)
    refusal = await _refused(intake, meter.batch([meter.text(DAY * DAY_S, 900_000)]), ReadingConflict)
    assert refusal.params["last_seq"] == 1


async def test_refuses_a_register_that_falls(intake: Intake, meter: Meter) -> None:
    await give(intake, meter.batch([meter.text(DAY * DAY_S)]))
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S + 600, register_wh=1)]), RegisterFell)


async def test_a_register_may_be_absent(intake: Intake, meter: Meter) -> None:
    texts = [meter.text(DAY * DAY_S), meter.text(DAY * DAY_S + 600, register_wh=None), meter.text(DAY * DAY_S + 1200)]
    await give(intake, meter.batch(texts))
    assert intake.store.head(meter.device).register_wh == meter.register_wh


async def test_refuses_readings_behind_the_close_of_their_day(intake: Intake, meter: Meter) -> None:
    await give(intake, meter.batch(meter.texts_of(DAY, 100)), meter.close(DAY))
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S + 80_000)]), LateReading)


async def test_refuses_readings_behind_a_close_that_came_before_them(intake: Intake, meter: Meter) -> None:
    texts = meter.texts_of(DAY, 100)
    close = meter.close(DAY)
    texts.append(meter.text(DAY * DAY_S + 80_000))
    await give(intake, close)
    await _refused(intake, meter.batch(texts), LateReading)
    await give(intake, meter.batch(texts[:100]))
    assert intake.store.head(meter.device).held_days == 1


async def test_refuses_a_day_before_the_last_one(intake: Intake, meter: Meter) -> None:
    await give(intake, meter.batch([meter.text(DAY * DAY_S)]))
    await _refused(intake, meter.batch([meter.text(DAY * DAY_S - 600)]), LateReading)


async def test_refuses_the_future(intake: Intake, meter: Meter) -> None:
    await _refused(intake, meter.batch([meter.text(NOW_S + 301)]), FutureReading)
    await _refused(intake, meter.close(NOW_S // DAY_S + 1, count=1), FutureReading)


async def test_refuses_a_second_close_of_a_day(intake: Intake, meter: Meter) -> None:
    await give(intake, meter.batch(meter.texts_of(DAY)), meter.close(DAY))
    await _refused(intake, meter.close(DAY, readings_root=bytes(32)), CloseConflict)


@pytest.mark.parametrize("changes", [{"readings_root": bytes(32)}, {"head_hash": bytes(32)}, {"count": 143}])
async def test_refuses_a_close_that_does_not_fit(plant: Plant, meter: Meter, changes: dict[str, object]) -> None:
    intake = plant.intake()
    batch = meter.batch(meter.texts_of(DAY))
    good = meter.close(DAY)
    await give(intake, batch)
    await _refused(intake, meter.close(DAY, **changes), CloseDiffers)
    await give(intake, good)
    assert intake.store.head(meter.device).held_days == 1


async def test_a_close_before_its_readings_that_does_not_fit_is_dropped(intake: Intake, meter: Meter) -> None:
    batch = meter.batch(meter.texts_of(DAY))
    await give(intake, meter.close(DAY, readings_root=bytes(32)), batch)
    assert intake.store.close_of(meter.device, DAY) is None
    await give(intake, meter.close(DAY))
    assert intake.store.head(meter.device).held_days == 1


async def test_refuses_a_close_that_ends_within_its_day(intake: Intake, meter: Meter) -> None:
    await give(intake, meter.batch(meter.texts_of(DAY, 10)))
    middle = meter.close(DAY)
    await give(intake, meter.batch([meter.text(DAY * DAY_S + 50_000)]))
    await _refused(intake, middle, CloseDiffers)


async def test_refuses_closes_that_contradict_their_neighbours(intake: Intake, meter: Meter) -> None:
    await give(intake, meter.batch(meter.texts_of(DAY, 10)), meter.close(DAY))
    await _refused(intake, meter.close(DAY - 1), CloseDiffers)
    await _refused(intake, meter.close(DAY + 1, last_seq=10, count=1), CloseDiffers)
    await _refused(intake, meter.close(DAY + 1, count=0), CloseDiffers)
    await _refused(intake, meter.close(DAY - 1, last_seq=20, count=3), CloseDiffers)


async def test_refuses_when_too_much_waits(intake: Intake, meter: Meter) -> None:
    batch = meter.batch([meter.text(DAY * DAY_S)])
    intake._waiting = 64
    await _refused(intake, batch, IntakeBusy)
    intake._waiting = 0
    await give(intake, batch)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [1, 2, 3, 4, "00" * 32],
        [1, 2, 3, 4, "00" * 32, "00" * 31],
        [1, 2, 3, 4, "zz" * 32, "00" * 32],
        [True, 2, 3, 4, "00" * 32, "00" * 32],
        [2**32, 2, 3, 4, "00" * 32, "00" * 32],
        [1, 2, -3, 4, "00" * 32, "00" * 32],
        [1, 2, "3", 4, "00" * 32, "00" * 32],
    ],
)
def test_refuses_a_close_that_is_not_one(values: list[object]) -> None:
    with pytest.raises(DecodeError):
        closed_by(values)


def test_a_posted_close_is_read() -> None:
    close = closed_by([1, DAY, 144, 144, "01" * 32, "02" * 32])
    assert (close.day, close.head_hash) == (DAY, b"\x01" * 32)


def test_credential_is_the_ledgers(plant: Plant) -> None:
    world = plant.world
    assert credential_of(world.state, world.time_ms, plant.device).key == key_of("reader")
    assert world.state.get(device_key(plant.device)) is not None


def test_every_code_of_a_refusal_is_in_a_refusal_message() -> None:
    refusal = OutOfOrder(seq=5, device=1, last_seq=3)
    assert "[out_of_order]" in str(refusal)
    assert json.dumps(refusal.params)


def _parts(batch: Readings) -> tuple[tuple[str, ...], bytes, bytes]:
    return batch.raws, batch.key, batch.signature


def _close_parts(signed: DayClose) -> tuple[object, bytes, bytes]:
    return signed.close, signed.key, signed.signature
