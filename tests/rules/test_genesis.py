"""The genesis: what can start a network, and what is refused before it can."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from harness.world import START_S, World, genesis_json, key_of

from contracts.genesis import chain_id, genesis_state, parse_genesis
from state.errors import GenesisInvalid
from state.records import Participant
from state.store import MemoryStore, encode_entry


def changed(change: Callable[[Any], object]) -> bytes:
    value = json.loads(genesis_json())
    change(value)
    return json.dumps(value).encode()


def test_the_genesis_state_holds_schemes_validators_and_their_organisations() -> None:
    world = World()
    assert len(world.validators) == 4
    people = [entry for _, entry in world.state.scan(b"\x13", b"\x14") if isinstance(entry, Participant)]
    assert [(person.id, person.name) for person in people] == [(n + 1, f"Organisation {n}") for n in range(4)]
    assert world.environment().quorum == 3


def test_every_record_of_the_genesis_state_can_be_read_back() -> None:
    store = MemoryStore()
    changes = genesis_state(parse_genesis(genesis_json()), store).changes
    store.write({key: encode_entry(entry) for key, entry in changes.items() if entry is not None})
    assert {key: store.get(key) for key in changes} == changes


def test_the_chain_id_depends_on_the_content_and_not_on_the_writing() -> None:
    value = json.loads(genesis_json())
    assert chain_id(value) == chain_id(json.loads(json.dumps(value, indent=3)))
    value["timestamp_ms"] += 1
    assert chain_id(value) != chain_id(json.loads(genesis_json()))


@pytest.mark.parametrize(("validators", "quorum"), [(1, 1), (2, 2), (3, 3), (4, 3), (7, 5), (10, 7), (21, 15)])
def test_a_quorum_is_what_more_than_a_third_can_block(validators: int, quorum: int) -> None:
    assert World(validators).environment().quorum == quorum


REFUSED: dict[str, Callable[[Any], object]] = {
    "no validators": lambda g: g["validators"].clear(),
    "a shared vote key": lambda g: g["validators"][1].update(vote_key=g["validators"][0]["vote_key"]),
    "a shared governance key": lambda g: g["validators"][1].update(governance_key=g["validators"][0]["governance_key"]),
    "a key that is none": lambda g: g["validators"][0].update(vote_key="00" * 32),
    "capital hex": lambda g: g["validators"][0].update(node_key=key_of("x").hex().upper()),
    "a name with a control character": lambda g: g["validators"][0].update(name="A\x00"),
    "a name that no record holds": lambda g: g["validators"][0].update(name="a" * 121),
    "a country that is none": lambda g: g["validators"][0].update(country="France"),
    "too many validators": lambda g: g.update(validators=g["validators"] * 26),
    "another format": lambda g: g.update(format=2),
    "an unknown field": lambda g: g.update(extra=1),
    "a missing field": lambda g: g.pop("roles"),
    "a fraction": lambda g: g.update(timestamp_ms=1.5),
    "null": lambda g: g.update(timestamp_ms=None),
    "epochs": lambda g: g["parameters"].update(epoch_length=31),
    "a parameter that no record holds": lambda g: g["parameters"].update(max_outputs=2**32),
    "a limit of half a cent": lambda g: g["parameters"].update(deposit_limit=5_000),
    "a limit beyond all money": lambda g: g["parameters"].update(deposit_limit=2**63),
    "a registry code of two letters": lambda g: g["parameters"].update(registry_code="WA"),
    "an unknown role": lambda g: g.update(roles=["king"]),
    "two schemes of one id": lambda g: g["schemes"][1].update(id=g["schemes"][0]["id"]),
    "a scheme id beyond u32": lambda g: g["schemes"][0].update(id=2**32),
    "a negative scheme id": lambda g: g["schemes"][0].update(id=-1),
    "a scheme name that no record holds": lambda g: g["schemes"][0].update(name="A" * 17),
    "a unit that is not the face value": lambda g: g["schemes"][0].update(face_value_wh=7_000),
    "tonnes without a factor": lambda g: g["schemes"][0].update(unit="tCO2e", face_value_wh=2_500_000),
    "tonnes of another factor": lambda g: g["schemes"][0].update(
        unit="tCO2e", face_value_wh=2_500_001, emission={"g_per_kwh": 400, "source": "a study"}
    ),
    "tonnes that nothing avoids": lambda g: g["schemes"][0].update(
        unit="tCO2e", emission={"g_per_kwh": 0, "source": "a study"}
    ),
    "a face value of nothing": lambda g: g["schemes"][0].update(face_value_wh=0),
    "more energy than a u64 adds up": lambda g: g["schemes"][0].update(face_value_wh=10**9),
    "other serial digits": lambda g: g["schemes"][0].update(serial_digits=10),
    "an unknown basis": lambda g: g["schemes"][0]["expiry"].update(basis="never"),
    "trade beyond retirement": lambda g: g["schemes"][0]["expiry"].update(trade_months=19),
    "no trading at all": lambda g: g["schemes"][0]["expiry"].update(trade_months=0),
    "a term beyond a century": lambda g: g["schemes"][0]["expiry"].update(retire_months=1_201),
    "shares that are not all": lambda g: g["schemes"][0].update(release_shares=[9_999, 0, 0]),
    "a ladder without a first step": lambda g: g["schemes"][0].update(release_shares=[0, 8_000, 2_000]),
    "another issue rule": lambda g: g["schemes"][0].update(issue_rule="trust"),
    "a negative closing time": lambda g: g["schemes"][0].update(close_days=-1),
    "a closing time of millennia": lambda g: g["schemes"][0].update(close_days=10**6),
    "an objection window": lambda g: g["schemes"][0].update(hold_days=14),
    "too many transfers": lambda g: g["schemes"][0].update(max_transfers=2**16),
}


def test_a_genesis_may_have_a_scheme_of_tonnes_avoided() -> None:
    emission = {"g_per_kwh": 421, "source": "a study"}
    text = changed(lambda g: g["schemes"][0].update(unit="tCO2e", face_value_wh=2_375_297, emission=emission))
    assert parse_genesis(text).schemes[0].unit == "tCO2e"


@pytest.mark.parametrize("reason", REFUSED)
def test_refuses_a_genesis_with(reason: str) -> None:
    with pytest.raises(GenesisInvalid):
        parse_genesis(changed(REFUSED[reason]))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"\xff", b'{"format": 1, "format": 1}', b"[" * 100_000, b"[" * 900 + b"]" * 900, b"NaN"]
)
def test_refuses_what_is_not_a_json_object_of_the_genesis(text: bytes) -> None:
    with pytest.raises(GenesisInvalid):
        parse_genesis(text)


def test_refuses_a_genesis_beyond_a_megabyte() -> None:
    with pytest.raises(GenesisInvalid):
        parse_genesis(genesis_json() + b" " * 1024 * 1024)


def test_the_first_block_comes_after_the_genesis_time() -> None:
    assert World().environment().time_ms == (START_S + 1) * 1000
