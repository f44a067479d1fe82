"""Exports speak the names of others: EnergyTag's fields and statuses, I-REC's and M-RETS's codes."""

import json
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient
from harness.finalized import FinalizedWorld, lively_world

from node.queries.certificates import certificate_dict
from node.queries.energytag import FIELDS, STATUSES, energytag_dict, iso
from node.queries.foreign_codes import codes_dict, energy_source, foreign
from state.history import STATUS_DEAD, STATUS_LIVE
from state.numbering import CertificateNumber, format_number

GENESIS = Path(__file__).resolve().parents[2] / "genesis.json"


@pytest.fixture(scope="module")
def world() -> FinalizedWorld:
    return lively_world()


def answer(world: FinalizedWorld, serial: int) -> dict[str, object]:
    number = format_number(CertificateNumber("WAT", "FR", 1, 201404, serial, serial, 9))
    return certificate_dict(world.store, number)


def test_every_status_of_the_ledger_has_one_of_energytag() -> None:
    assert set(STATUSES) == {*STATUS_LIVE.values(), *STATUS_DEAD.values()}


@pytest.mark.parametrize(
    ("serial", "status", "who"), [(1, "Locked", None), (2, "Claimed", "Bakery Dupont"), (3, "Active", None)]
)
def test_status_and_beneficiary_are_energytags(
    world: FinalizedWorld, serial: int, status: str, who: str | None
) -> None:
    shown = answer(world, serial)["energytag"]
    assert isinstance(shown, dict)
    assert (shown["certificate_bundle_status"], shown["beneficiary"]) == (status, who)


def test_retired_for_nobody_is_cancelled(world: FinalizedWorld) -> None:
    shown = answer(world, 2)
    assert energytag_dict({**shown, "beneficiary": ""})["certificate_bundle_status"] == "Cancelled"


def test_quantities_times_and_places_are_written_as_the_standard_has_them(world: FinalizedWorld) -> None:
    shown = answer(world, 3)["energytag"]
    assert isinstance(shown, dict)
    assert list(shown) == [field.name for field in FIELDS]
    assert len(set(shown)) == len(FIELDS)
    expected = {
        "certificate_bundle_id_range_start": "3",
        "certificate_bundle_id_range_end": "3",
        "bundle_quantity": "1",
        "face_value": "1000000",
        "energy_source": "wind",
        "device_technology_type": "T020001",
        "production_starting_interval": "2014-04-02T00:00:00Z",
        "production_ending_interval": "2014-04-03T00:00:00Z",
        "device_location": "48.456900, 5.584700",
        "emissions_factor_production_device": None,
    }
    assert {name: shown[name] for name in expected} == expected
    json.dumps(shown)


def test_a_deadline_that_never_comes_is_null() -> None:
    assert iso(2**64 - 1) is None
    assert iso(0) == "1970-01-01T00:00:00Z"


CODES = [
    ("T010101", "F01040100", "ES100", "", "SO1"),
    ("T020001", "F01050100", "ES200", "TC210", "WND"),
    ("T020002", "F01050100", "ES200", "TC220", "WND"),
    ("T020000", "F01050100", "ES200", "", "WND"),
    ("T030000", "F01050200", "ES300", "", "H2O"),
    ("T060000", "F03010100", "", "", ""),
]


@pytest.mark.parametrize(("technology", "fuel", "irec_fuel", "irec_technology", "mrets"), CODES)
def test_codes_of_other_registries_say_no_more_than_is_certain(
    technology: str, fuel: str, irec_fuel: str, irec_technology: str, mrets: str
) -> None:
    shown = codes_dict(technology, fuel)
    assert (shown["irec_fuel"], shown["irec_technology"], shown["mrets"]) == (irec_fuel, irec_technology, mrets)


def test_every_technology_of_the_genesis_has_words_and_a_source() -> None:
    codes = json.loads(GENESIS.read_text())["energy_codes"]
    for entry in codes["technologies"]:
        row = foreign(entry["code"])
        assert row.technology != "T" or entry["code"].startswith("T07"), entry
        assert energy_source(entry["code"], "F01010000") in {"solar", "wind", "hydro", "biomass", "nuclear", "other"}


async def test_statements_carry_the_codes_of_each_bundle(client: TestClient) -> None:
    identity = (await (await client.get("/v1/statements")).json())["statements"][0]["id"]
    found = await (await client.get(f"/v1/statements/{identity}")).json()
    assert found["facts"]["bundles"][0]["codes"]["irec_fuel"] == "ES200"
