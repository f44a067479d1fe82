"""register: a key becomes a participant by itself; the requirements are its own."""

import pytest
from harness.world import World, key_of

from contracts.events import Registered
from state.errors import AlreadyExists, BadField, MissingSignature
from state.keyspace import key_owner_key, participant_key
from state.records import KeyOwner, Participant
from state.transaction import Register


@pytest.fixture
def world() -> World:
    return World()


def test_a_key_with_a_name_and_a_country_becomes_the_next_participant(world: World) -> None:
    key = key_of("Zoé")
    events = world.do(Register(key, "Zoé Dupont", "FR", b""), by=("Zoé",))
    assert events == [Registered(5, "Zoé Dupont", "FR", key)]  # 1..4 are the organisations of the validators
    person = world.state.get(participant_key(5))
    assert isinstance(person, Participant)
    assert (person.name, person.country, person.key) == ("Zoé Dupont", "FR", key)
    assert world.state.get(key_owner_key(key)) == KeyOwner(5)


def test_numbers_of_participants_are_gap_free(world: World) -> None:
    world.refuses(BadField, Register(key_of("nobody"), "", "FR", b""), by=("nobody",))
    assert [world.register(name) for name in ("a", "b", "c")] == [5, 6, 7]


def test_a_recovery_key_may_be_named(world: World) -> None:
    world.do(Register(key_of("a"), "a", "FR", key_of("safe")), by=("a",))
    person = world.state.get(participant_key(5))
    assert isinstance(person, Participant)
    assert person.recovery_key == key_of("safe")


def test_several_keys_register_in_one_transaction(world: World) -> None:
    actions = tuple(Register(key_of(name), name, "FR", b"") for name in ("a", "b"))
    assert len(world.do(*actions, by=("a", "b"))) == 2


def test_refuses_a_key_that_did_not_sign(world: World) -> None:
    world.register("a")
    world.refuses(MissingSignature, Register(key_of("b"), "b", "FR", b""), by=("a",))


def test_refuses_a_key_that_is_registered(world: World) -> None:
    world.register("a")
    world.refuses(AlreadyExists, Register(key_of("a"), "again", "FR", b""), by=("a",))


def test_refuses_the_governance_key_of_a_validator(world: World) -> None:
    world.refuses(AlreadyExists, Register(world.key("Organisation 0"), "me", "FR", b""), by=("Organisation 0",))


@pytest.mark.parametrize(
    "name",
    ["", " ", " a", "a ", "a\n", "a\x00b", "a\u202eb", "a\u200bb", "a\u00a0b", "\ufeffa", "a\u0378", "\U0001f600"],
)
def test_refuses_a_name_that_is_not_one_printable_line(world: World, name: str) -> None:
    refused = world.refuses(BadField, Register(key_of("a"), name, "FR", b""), by=("a",))
    assert refused.params["field"] == "name"


@pytest.mark.parametrize("country", ["", "F", "FRA", "fr", "F1", "ФР", "ZZ", "UK", "EU", "XX"])
def test_refuses_what_is_no_country_of_iso_3166(world: World, country: str) -> None:
    assert world.refuses(BadField, Register(key_of("a"), "a", country, b""), by=("a",)).params["field"] == "country"


@pytest.mark.parametrize("recovery", [bytes(32), b"\x01" + bytes(31), b"short", b"\xff" * 32])
def test_refuses_a_recovery_key_that_is_no_key(world: World, recovery: bytes) -> None:
    refused = world.refuses(BadField, Register(key_of("a"), "a", "FR", recovery), by=("a",))
    assert refused.params["field"] == "recovery_key"
