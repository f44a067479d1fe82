"""Which validator an index meant, in whatever epoch."""

from harness.world import genesis_json, key_of

from contracts.events import EpochBegan, EventRecord
from contracts.genesis import genesis_state, parse_genesis
from node.queries.seats import names_in
from state.codec import encode
from state.keyspace import META_KEY, epoch_set_key, events_key, participant_key, validator_key
from state.records import EpochMember, EpochSet, Participant, Validator
from state.store import FORMAT, MemoryStore, Meta

LENGTH = 32


def store_at(epoch: int, *changes: EpochBegan) -> MemoryStore:
    """A chain of four that stands in `epoch`; `changes` are what the ends of its epochs announced."""
    store = MemoryStore()
    overlay = genesis_state(parse_genesis(genesis_json(4, epoch_length=LENGTH)), MemoryStore())
    rows: dict[bytes, bytes | None] = {key: encode(entry) for key, entry in overlay.changes.items() if entry}
    for number, began in enumerate(changes):
        rows[events_key((number + 1) * LENGTH)] = encode((EventRecord(bytes(32), 0, began),))
    for name, number in (("Fifth", 5), ("Sixth", 6)):
        person = Participant(number, key_of(name), name, "FR", b"", 0)
        rows[participant_key(number)] = encode(person)
    height = epoch * LENGTH + 1
    rows[META_KEY] = encode(Meta(FORMAT, bytes(32), epoch, height, bytes(32), 1, bytes(32), bytes(2048), 0))
    store.write(rows)
    return store


def began(epoch: int, validators: int, joined: tuple[int, ...] = (), left: tuple[int, ...] = ()) -> EpochBegan:
    return EpochBegan(epoch, validators, joined, left, ())


CHANGES = (began(1, 5, joined=(5,)), began(2, 4, left=(2,)), began(3, 4), began(4, 4, (6,), (1,)), began(5, 4))


def test_an_index_means_who_had_it_in_that_epoch() -> None:
    store = store_at(5, *CHANGES)
    assert names_in(store, 0) == [f"Organisation {index}" for index in range(4)]
    assert names_in(store, 1)[4] == "Fifth"
    assert names_in(store, 2) == ["Organisation 0", "Organisation 2", "Organisation 3", "Fifth"]
    assert names_in(store, 4) == ["Organisation 2", "Organisation 3", "Fifth", "Sixth"]


def test_the_state_s_own_record_of_an_epoch_is_believed() -> None:
    store = store_at(5, *CHANGES)
    members = tuple(EpochMember(participant, bytes(32)) for participant in (6, 3))
    store.write({epoch_set_key(4): encode(EpochSet(4, members))})
    assert names_in(store, 4) == ["Sixth", "Organisation 2"]


def test_the_epoch_of_today_is_the_state_s_set_with_its_own_names() -> None:
    store = store_at(5, *CHANGES)
    today = store.get(validator_key(0))
    assert isinstance(today, Validator)
    assert names_in(store, 5)[0] == today.name
    assert names_in(store, 99) == names_in(store, 5)


def test_where_old_blocks_are_not_held_the_set_of_today_answers() -> None:
    store = store_at(5)
    assert names_in(store, 1) == [f"Organisation {index}" for index in range(4)]
