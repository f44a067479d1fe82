"""A node's own data against the chain: rows that were changed behind its back, and readings that say otherwise."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.busy import BusyTown
from harness.metering import Plant, give, record_of
from msgspec.structs import replace

from node.auditing.chain_file import chain_records
from node.auditing.findings import Findings
from node.auditing.replay import Replay
from node.auditing.stored import Evidence, compare
from node.baselines import Baselines
from node.readings import ReadingStore
from node.verdicts import Verdicts, attestation_of
from state.keyspace import Space, device_key, scheme_key, space_end
from state.outputs import Bundle
from state.records import Device, Scheme
from state.store import Store, decode_entry, encode_entry
from state.transaction import Issue, ProfileContent
from state.units import DAY_S
from verifier.reading import parse_seed, reading_hash

# --- rows


@pytest.fixture(scope="module")
def town() -> BusyTown:
    made = BusyTown(8)
    made.live_on(30)
    return made


def first_row(store: Store, space: Space, fits: Callable[[Any], bool] = lambda entry: True) -> tuple[bytes, bytes]:
    prefix = bytes((space,))
    for key, value in store.scan_raw(prefix, space_end(prefix)):
        if space >= 0x80 or fits(decode_entry(key, value)):
            return key, value
    raise AssertionError(f"no such row of {space.name}")


def larger(store: Store) -> dict[bytes, bytes | None]:
    key, value = first_row(store, Space.OUTPUT, lambda entry: isinstance(entry, Bundle))
    lot = decode_entry(key, value)
    assert isinstance(lot, Bundle)
    return {key: encode_entry(replace(lot, end=lot.end + 1))}


def gone(space: Space) -> Callable[[Store], dict[bytes, bytes | None]]:
    return lambda store: {first_row(store, space)[0]: None}


DAMAGE: dict[str, tuple[Callable[[Store], dict[bytes, bytes | None]], str]] = {
    "a bundle that grew": (larger, "state_differs"),
    "an output that vanished": (gone(Space.OUTPUT), "state_differs"),
    "a statement that vanished": (gone(Space.STATEMENT), "retirement_lost"),
    "an account that vanished": (gone(Space.MONTH_ENERGY), "state_differs"),
    "a holder that nobody finds": (gone(Space.NUMBER), "index_differs"),
    "a step that no history shows": (gone(Space.SPENT), "index_differs"),
    "a row from nowhere": (
        lambda store: {bytes((Space.OUTPUT,)) + bytes(34): first_row(store, Space.OUTPUT)[1]},
        "state_differs",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_names_a_stored_row_that_the_chain_does_not_lead_to(name: str, town: BusyTown, tmp_path: Path) -> None:
    replay = Replay(tmp_path / "state")
    replay.run(chain_records(town.store, town.genesis_text, town.height))
    found = Findings()
    assert compare(replay.ledger.store, town.store, found) > 100
    assert found.listed == []
    damage, kind = DAMAGE[name]
    rows = damage(town.store)
    before = {key: town.store.get_raw(key) for key in rows}
    town.store.write(rows)
    compare(replay.ledger.store, town.store, found)
    town.store.write(before)
    replay.close()
    assert [finding.kind for finding in found.listed] == [kind]


def test_many_differing_rows_are_counted_and_not_all_told(town: BusyTown, tmp_path: Path) -> None:
    replay = Replay(tmp_path / "state")
    replay.run(chain_records(town.store, town.genesis_text, town.height))
    found = Findings()
    other = BusyTown(9)
    compare(replay.ledger.store, other.store, found)
    replay.close()
    assert any("more rows differ" in finding.what for finding in found.listed)


# --- readings

FIRST_DAY = 16_071  # 2014-01-01
COMMISSIONING = 24
FROM_S, TO_S = FIRST_DAY * DAY_S, (FIRST_DAY + COMMISSIONING) * DAY_S


def frames(plant: Plant, days: int) -> list[Any]:
    """The record of a real turbine, signed: for each day its batch and its close."""
    meter = plant.meter()
    found: list[Any] = []
    rows = record_of("unit3_wind_lhb_2014", days * 144)
    by_day: dict[int, list[str]] = {}
    for row in rows:
        reading = parse_seed(json.dumps(row).encode()).reading
        measured = {name: row[name] for name in ("wind_spd", "t", "insolation")}
        text = meter.text(reading.timestamp, reading.power_w, **measured)
        by_day.setdefault(reading.timestamp // DAY_S, []).append(text)
    seq = 0
    for day, texts in by_day.items():
        seq += len(texts)
        meter.seq, meter.prev = seq, reading_hash(texts[-1].encode())
        found += [meter.batch(texts), meter.close(day)]
    return found


async def evidence(plant: Plant, days: int = 3) -> tuple[ReadingStore, Issue]:
    """What a node holds of a turbine, and the issue that honest validators make of its days."""
    intake = plant.intake()
    await give(intake, *frames(plant, COMMISSIONING + days))
    store, world = intake.store, plant.world
    record = world.state.get(device_key(plant.device))
    assert isinstance(record, Device)
    described = Baselines(store).describe(record, FROM_S, TO_S)
    content = ProfileContent(plant.device, bytes.fromhex(described["profile_hash"]), FROM_S, TO_S)
    world.accredit(content, by="owner")
    record, scheme = world.state.get(device_key(plant.device)), world.state.get(scheme_key(1))
    assert isinstance(record, Device)
    assert isinstance(scheme, Scheme)
    attested = []
    for day in range(FIRST_DAY + COMMISSIONING, FIRST_DAY + COMMISSIONING + days):
        signed = store.close_of(plant.device, day)
        assert signed is not None
        verdicts = Verdicts(store, Baselines(store))
        verdict, hours = verdicts.judge(record, signed), verdicts.hours(record, signed)
        judged = attestation_of(record, scheme, signed.close, verdict, hours, 0)
        fields = {name: getattr(judged, name) for name in judged.__struct_fields__}
        for named in ("device", "day", "energy_wh", "verdict"):
            fields.pop(named)
        attested.append(world.attested(plant.device, day, judged.energy_wh, judged.verdict, **fields))
    return store, world.issue_action(plant.device, tuple(attested), 201_401)


def checked(plant: Plant, store: ReadingStore, issue: Issue) -> tuple[Evidence, list[str]]:
    found = Findings()
    evidence = Evidence(store, found)
    evidence.check("block 1", plant.world.state, issue)
    return evidence, [finding.kind for finding in found.listed]


@pytest.fixture(scope="module")
def made() -> tuple[Plant, ReadingStore, Issue]:
    plant = Plant()
    return plant, *asyncio.run(evidence(plant))


Made = tuple[Plant, ReadingStore, Issue]


def test_readings_that_were_attested_give_the_same_verdict_again(made: Made) -> None:
    compared, kinds = checked(*made)
    assert kinds == []
    assert (compared.compared.days, compared.compared.without) == (3, 0)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"energy_wh": 10**9}, "verdict_differs"),
        ({"verdict": 2, "release_wh": 0}, "verdict_differs"),
        ({"reasons": ("made_up",)}, "verdict_differs"),
        ({"readings_root": bytes(32)}, "readings_differ"),
    ],
)
def test_names_what_the_readings_do_not_give(made: Made, change: dict[str, Any], kind: str) -> None:
    plant, store, issue = made
    day = replace(issue.days[0], attestation=replace(issue.days[0].attestation, **change))
    assert set(checked(plant, store, replace(issue, days=(day,)))[1]) == {kind}


def test_days_without_readings_are_counted_and_not_found_wrong(made: Made) -> None:
    plant, _, issue = made
    compared, kinds = checked(plant, Plant().intake().store, issue)
    assert (kinds, compared.compared.without) == ([], 3)
