"""`wattest audit device`: a plant's days judged again by somebody who trusts no node, over the real API."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from auditing.test_stored import COMMISSIONING, FIRST_DAY, evidence
from harness.answering_node import AnsweringNode
from harness.finalized import FinalizedWorld
from harness.metering import Plant
from harness.world import FAR, WIND, key_of

from node.readings import ReadingStore
from state.store import MemoryRows
from state.transaction import MeterContent

JUDGED = FIRST_DAY + COMMISSIONING


class Settled(Plant):
    """The same turbine on a ledger that makes blocks, so that a node can answer for it."""

    def __init__(self) -> None:
        self.world = FinalizedWorld()
        self.world.register("owner")
        self.device = self.world.device("owner", 1, WIND, profile=False)
        self.gateway = 0
        self.world.accredit(MeterContent(self.device, key_of("reader"), 0, FAR), by="owner")


@dataclass
class Case:
    plant: Settled
    store: ReadingStore
    nodes: list[AnsweringNode]

    @property
    def urls(self) -> list[str]:
        return [part for node in self.nodes for part in ("--node", node.url)]


@pytest.fixture(scope="module")
def made() -> tuple[Settled, ReadingStore]:
    plant = Settled()
    store, action = asyncio.run(evidence(plant))
    plant.world.do(action)
    return plant, store


@pytest.fixture
def case(made: tuple[Settled, ReadingStore]) -> Iterator[Case]:
    plant, store = made
    nodes = [AnsweringNode(plant.world).start() for _ in range(2)]
    for node in nodes:
        node.readings = store
    yield Case(plant, store, nodes)
    for node in nodes:
        node.stop()


class Without:
    """A node's readings without some days, or with others in their place."""

    def __init__(self, store: ReadingStore, days: set[int], other: Callable[[str], str] | None = None) -> None:
        self._store, self._days, self._other = store, days, other

    def close_of(self, device: int, day: int) -> Any:
        return None if day in self._days and self._other is None else self._store.close_of(device, day)

    def batches_of_day(self, device: int, day: int) -> Any:
        from msgspec.structs import replace

        batches = self._store.batches_of_day(device, day)
        if day not in self._days:
            return batches
        if self._other is None:
            return []
        return [replace(batch, raws=tuple(map(self._other, batch.raws))) for batch in batches]

    def day(self, device: int, day: int) -> list[str]:
        return [] if day in self._days else self._store.day(device, day)


def audit(wattest: Any, case: Case, *more: str) -> Any:
    return wattest("audit", "device", case.plant.device, "--json", *case.urls[:2], *more)


def test_every_day_is_found_equal_by_readings_alone(wattest: Any, case: Case) -> None:
    ran = audit(wattest, case)
    assert ran.code == 0, ran.err
    assert [(row["date"], row["step"], row["equal"]) for row in ran.json["rows"]] == [
        ("2014-01-25", "prompt", "yes"),
        ("2014-01-26", "prompt", "yes"),
        ("2014-01-27", "prompt", "yes"),
    ]
    assert all(row["chain"] == row["recomputed"] for row in ran.json["rows"])
    table = wattest("audit", "device", case.plant.device, *case.urls[:2], "--from", "2014-01-27").out
    assert "2014-01-27" in table
    assert "2014-01-25" not in table
    assert "1 equal, 0 different, 0 unproven, 0 decided" in table


def test_a_day_that_one_node_lacks_comes_from_another(wattest: Any, case: Case) -> None:
    case.nodes[0].readings = Without(case.store, {JUDGED + 1, FIRST_DAY + 3})  # type: ignore[assignment]
    assert audit(wattest, case).json["unproven"] > 0
    ran = audit(wattest, case, *case.urls[2:])
    assert (ran.code, ran.json["yes"]) == (0, 3)


def test_a_day_that_nobody_has_is_unproven_and_so_is_what_leans_on_it(wattest: Any, case: Case) -> None:
    case.nodes[0].readings = Without(case.store, {JUDGED + 1})  # type: ignore[assignment]
    ran = audit(wattest, case)
    assert ran.code == 0
    assert [row["equal"] for row in ran.json["rows"]] == ["yes", "unproven", "unproven"]
    assert "no node has its readings" in ran.json["rows"][1]["why"]


def test_nothing_proven_is_no_success(wattest: Any, case: Case) -> None:
    case.nodes[0].readings = ReadingStore(MemoryRows())
    ran = audit(wattest, case)
    assert ran.code == 6
    assert "nothing could be proven" in ran.err


def test_readings_that_were_changed_are_named_and_the_other_node_is_asked(wattest: Any, case: Case) -> None:
    changed = Without(case.store, {JUDGED}, lambda text: text.replace('"wind_spd":"', '"wind_spd":"1', 1))
    case.nodes[0].readings = changed  # type: ignore[assignment]
    ran = audit(wattest, case, *case.urls[2:])
    assert ran.code == 6
    assert ran.json["yes"] == 3
    (finding,) = ran.json["findings"]
    assert f"day {JUDGED}" in finding
    assert case.nodes[0].url in finding
    assert "not those attested" in finding


def test_a_verdict_that_the_readings_do_not_give_is_found(wattest: Any, tmp_path: Path) -> None:
    """A quorum attests more than the readings say: the ledger takes it, the audit does not."""
    plant = Settled()
    store, action = asyncio.run(evidence(plant, 2))
    world = plant.world
    first = action.days[0].attestation
    fields = {name: getattr(first, name) for name in first.__struct_fields__}
    energy = fields.pop("energy_wh") + 500_000
    for named in ("device", "day", "verdict", "release_wh"):
        fields.pop(named)
    lie = world.attested(plant.device, first.day, energy, first.verdict, release_wh=energy, **fields)
    world.do(world.issue_action(plant.device, (lie, action.days[1]), 201_401))
    node = AnsweringNode(world).start()
    node.readings = store
    try:
        ran = wattest("audit", "device", plant.device, "--node", node.url, "--json")
    finally:
        node.stop()
    assert ran.code == 6
    assert [row["equal"] for row in ran.json["rows"]] == ["no", "yes"]
    assert "energy_wh" in ran.json["findings"][0]
    assert ran.json["rows"][0]["day"] == JUDGED


def test_an_unknown_plant_is_refused_with_its_code(wattest: Any, case: Case) -> None:
    ran = wattest("audit", "device", 99, *case.urls)
    assert ran.code == 1
    assert "unknown" in ran.err


def test_a_file_is_still_audited_without_a_verb(wattest: Any, tmp_path: Path) -> None:
    empty = tmp_path / "empty.chain"
    empty.touch()
    for command in (("audit",), ("audit", "chain")):
        assert "it does not begin like one" in wattest(*command, empty).err


def test_exported_readings_prove_a_day_that_no_node_has_any_more(wattest: Any, case: Case, tmp_path: Path) -> None:
    file = tmp_path / "days.jsonl.gz"
    export = ("reading", "export", file, "--device", case.plant.device, "--node", case.nodes[0].url, "--json")
    ran = wattest(*export, "--from", "2014-01-20", "--to", "2014-01-29")
    assert (ran.code, ran.json["days"], ran.json["missing"], ran.json["readings"]) == (0, 8, 2, 8 * 144)
    assert wattest(*export, "--from", "2014-01-20", "--to", "2014-01-29").code == 2
    case.nodes[0].readings = Without(case.store, {JUDGED + 1})  # type: ignore[assignment]
    assert audit(wattest, case).json["unproven"] == 2
    assert audit(wattest, case, "--archive", str(file)).json["yes"] == 3
