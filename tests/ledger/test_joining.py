"""Beginning from a snapshot: what of a peer is believed, what is thrown away, and what the node has then."""

from pathlib import Path

import pytest
from harness.finalized import FinalizedWorld, lively_world
from harness.joining import Offerer, Town, join, ledger_of, observer_home
from harness.villains.snapshot_liars import FAILURES, LIES, Lie
from harness.world import DAY

from cli.verify_statement import verify_proof
from node.ledger import Ledger
from node.proof import build_proof
from node.queries.certificates import certificate_dict, certificates_page, number_text
from node.queries.chain import block_at, events_of, find_transaction, header_at
from node.queries.statements import statement_dict
from node.queries.supply import Supply
from node.queries.trace import trace_dict
from node.wire import Entries, Frame
from state.errors import NotHeld, Unknown
from state.history import holdings, where
from state.keyspace import Space, space_end
from state.outputs import Bid, Bundle, Funds, Offer, Pending, Security
from state.records import Statement
from state.store import Store
from state.transaction import HandOver, Piece, Pledge, Transfer
from state.units import MICRO

LENGTH = 32  # of an epoch, the shortest with four validators


@pytest.fixture(scope="module")
def world() -> FinalizedWorld:
    """In its third epoch; it had bundles, offers, bids and a retirement."""
    world = lively_world(epoch_length=LENGTH)
    while world.height < 2 * LENGTH + 5:
        world.block()
    return world


@pytest.fixture
def home(tmp_path: Path, world: FinalizedWorld) -> Path:
    return observer_home(tmp_path / "observer", world.genesis_text)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.offering.CHUNK_BYTES", 1_024)
    monkeypatch.setattr("node.attempt.Attempt.least_bytes", 512)
    monkeypatch.setattr("node.joining.ANSWER_S", 0.3)
    monkeypatch.setattr("node.joining.AGAIN_S", 0.05)


def rows_of(store: Store, *spaces: Space) -> dict[bytes, bytes]:
    """Of these spaces, or the whole committed state."""
    bounds = [(bytes((space,)), space_end(bytes((space,)))) for space in spaces] or [(b"\x00", b"\x80")]
    return {key: value for low, high in bounds for key, value in store.scan_raw(low, high)}


def unlike(world: FinalizedWorld) -> FinalizedWorld:
    """The same people on a network of another genesis."""
    return lively_world(epoch_length=LENGTH, max_outputs=100)


# --- the state of an honest peer


async def test_the_state_of_a_peer_becomes_this_nodes_own(home: Path, world: FinalizedWorld) -> None:
    assert await join(home, Town([Offerer(0, world)]))
    ledger = ledger_of(home, world)
    assert ledger.tip == world.ledger.tip
    assert rows_of(ledger.store) == rows_of(world.store)
    assert rows_of(ledger.store, Space.HOLDING, Space.VOTE_KEYS) == rows_of(world.store, Space.HOLDING, Space.VOTE_KEYS)
    ledger.audit()
    ledger.close()


async def test_it_goes_on_with_the_blocks_above_and_finds_the_same_state(tmp_path: Path) -> None:
    world = lively_world(epoch_length=LENGTH)
    home = observer_home(tmp_path / "observer", world.genesis_text)
    while world.height < LENGTH - 2:
        world.block()
    assert await join(home, Town([Offerer(0, world)]))
    ledger = ledger_of(home, world)
    first = ledger.tip.height + 1
    bundle = world.outputs_of("owner", Bundle)[-1]
    start = world.live()[bundle].start  # type: ignore[union-attr]
    world.do(
        Transfer(world.people["owner"], (bundle,), (Piece(world.people["trader"], start, start),), None), by=("owner",)
    )
    while world.height < LENGTH + 3:
        world.block()
    follow(ledger, world, first)
    assert rows_of(ledger.store) == rows_of(world.store)
    assert ledger.validators == world.ledger.validators
    history = certificate_dict(ledger.store, number(world, start))["history"]
    assert [step["event"] for step in history] == ["transfer"]  # what came before it is not known here
    ledger.close()
    ledger_of(home, world).close()  # and it opens again


def follow(ledger: Ledger, world: FinalizedWorld, first: int) -> None:
    for height in range(first, world.height + 1):
        block, finalization = world.ledger.block_at(height), world.ledger.finalization_at(height)
        assert block is not None
        assert finalization is not None
        ledger.commit(block, finalization, height)


async def test_a_snapshot_at_the_end_of_an_epoch_begins_the_next_one(tmp_path: Path) -> None:
    world = FinalizedWorld(epoch_length=LENGTH)
    while world.height < LENGTH:
        world.block()
    home = observer_home(tmp_path / "observer", world.genesis_text)
    assert await join(home, Town([Offerer(0, world)]))
    ledger = ledger_of(home, world)
    assert (ledger.tip.height, ledger.epoch) == (LENGTH, 1)
    world.block()
    follow(ledger, world, LENGTH + 1)
    assert rows_of(ledger.store, Space.VOTE_KEYS) == rows_of(world.store, Space.VOTE_KEYS)
    ledger.close()


async def test_every_kind_of_output_travels(tmp_path: Path) -> None:
    world = lively_world(epoch_length=LENGTH)
    lot, owner, until = world.issue(1, 2_000_000, day=DAY + 2), world.people["owner"], world.time_ms // 1000 + 9_000
    assert lot is not None
    held = world.live()[lot]
    assert isinstance(held, Bundle)
    world.do(HandOver(owner, lot, held.start, held.start, world.people["trader"], until, ""), by=("owner",))
    world.do(Pledge(owner, 1, "EUR", MICRO, (world.fund("owner", 5),)), by=("owner",))
    travelled = {type(output) for output in world.live().values()}
    assert travelled >= {Bundle, Funds, Offer, Bid, Pending, Security}
    home = observer_home(tmp_path / "observer", world.genesis_text)
    town = Town([Offerer(0, world)])
    assert await join(home, town)
    assert not town.banned
    ledger = ledger_of(home, world)
    assert rows_of(ledger.store) == rows_of(world.store)
    assert rows_of(ledger.store, Space.HOLDING) == rows_of(world.store, Space.HOLDING)
    ledger.close()


async def test_nothing_newer_than_what_is_there_leaves_it_alone(home: Path, world: FinalizedWorld) -> None:
    assert await join(home, Town([Offerer(0, world)]))
    (home / "data" / "state" / "mark").touch()
    assert not await join(home, Town([Offerer(index, world) for index in range(3)]))
    assert (home / "data" / "state" / "mark").exists()


async def test_a_network_that_has_only_begun_offers_nothing(tmp_path: Path) -> None:
    world = FinalizedWorld()
    home = observer_home(tmp_path / "observer", world.genesis_text)
    assert not await join(home, Town([Offerer(index, world) for index in range(3)]))
    assert not (home / "data" / "state").exists()


# --- what it answers


def number(world: FinalizedWorld, serial: int) -> str:
    """Of a live certificate of the world's only device."""
    page, _ = certificates_page(world.store, None, None, None, 100)
    (found,) = (each for each in page if int(each["start"]) <= serial <= int(each["end"]))
    return number_text(world.store, int(found["issuance"]), serial, serial)


async def test_balances_holders_and_light_proofs_are_those_of_everybody(tmp_path: Path) -> None:
    world = lively_world(epoch_length=LENGTH)
    while world.height < 2 * LENGTH + 5:
        world.block()
    home = observer_home(tmp_path / "observer", world.genesis_text)
    assert await join(home, Town([Offerer(0, world)]))
    ledger = ledger_of(home, world)
    for person in world.people.values():
        assert holdings(ledger.store, person) == holdings(world.store, person)
    for serial in (1, 3):
        assert where(ledger.store, 1, serial) == where(world.store, 1, serial)
    shown = certificate_dict(ledger.store, number(world, 3))
    whole = certificate_dict(world.store, number(world, 3))
    assert (shown["history_from"], shown["history"]) == (ledger.tip.height + 1, [])
    assert {**shown, "history": 0, "history_from": 0, "energytag": 0} == {
        **whole,
        "history": 0,
        "history_from": 0,
        "energytag": 0,
    }
    bundle = world.outputs_of("owner", Bundle)[-1]
    first = ledger.tip.height + 1
    start = world.live()[bundle].start  # type: ignore[union-attr]
    world.do(world.retire_action("owner", bundle, start, start), by=("owner",))
    follow(ledger, world, first)
    retired = where(ledger.store, 1, start)
    assert retired is not None
    assert retired.status == "retired"
    for epoch in range(2):
        assert ledger.boundary(epoch) == world.ledger.boundary(epoch)
    ledger.close()


async def test_what_it_does_not_hold_it_says_and_never_denies(home: Path, world: FinalizedWorld) -> None:
    assert await join(home, Town([Offerer(0, world)]))
    ledger = ledger_of(home, world)
    store = ledger.store
    statement = next(row for _, row in world.store.scan(b"\x20", b"\x21") if isinstance(row, Statement))
    for question in (
        lambda: block_at(store, 5),
        lambda: header_at(store, 5),
        lambda: events_of(store, 5),
        lambda: find_transaction(store, bytes(32)),
        lambda: where(store, 1, 2),  # retired long ago
        lambda: statement_dict(store, statement.id),
        lambda: build_proof(store, statement.id),
        lambda: trace_dict(store, number(world, 1)),
        lambda: Supply().advance(store, 100),
    ):
        with pytest.raises(NotHeld) as refused:
            question()
        assert refused.value.params["held_from"] == ledger.tip.height + 1
    assert where(store, 1, 4_000) is None  # never issued, and that it knows
    with pytest.raises(Unknown):
        block_at(store, ledger.tip.height + 1)
    assert verify_proof(build_proof(world.store, statement.id), world.genesis_text)["statement_hash"]
    ledger.close()


# --- liars


@pytest.mark.parametrize(("lie", "said"), LIES.values(), ids=LIES)
async def test_a_liar_is_banned_with_all_its_chunks(home: Path, world: FinalizedWorld, lie: Lie, said: str) -> None:
    town = Town([Offerer(0, world, lie), Offerer(1, world)])
    assert await join(home, town)
    ((banned, why),) = town.banned
    assert banned == 0
    assert said in why
    assert town.asked == [0, 1]
    ledger = ledger_of(home, world)
    assert rows_of(ledger.store) == rows_of(world.store)
    ledger.close()


@pytest.mark.parametrize(("lie", "said"), FAILURES.values(), ids=FAILURES)
async def test_who_is_of_no_use_loses_its_turn(home: Path, world: FinalizedWorld, lie: Lie, said: str) -> None:
    town = Town([Offerer(0, world, lie), Offerer(1, world)])
    assert await join(home, town)
    assert town.banned == []
    assert town.asked == [0, 1]
    assert said in (home / "node.log").read_text()
    ledger_of(home, world).close()


async def test_a_peer_whose_connection_ends_goes_on_where_it_was(home: Path, world: FinalizedWorld) -> None:
    ends = iter((False, True, False, True, True))

    def interrupted(frame: Frame) -> list[Frame]:
        if isinstance(frame, Entries) and next(ends, False):
            town.drop(offerer)
            return []
        return [frame]

    offerer = Offerer(0, world, interrupted)
    town = Town([offerer])
    assert await join(home, town)
    assert (town.asked, town.banned) == ([0], [])
    ledger = ledger_of(home, world)
    assert rows_of(ledger.store) == rows_of(world.store)
    ledger.close()


async def test_a_chunk_that_went_down_with_a_replaced_connection_is_asked_for_again(
    home: Path, world: FinalizedWorld
) -> None:
    """A peer dials anew before the end of its old connection is noticed: what was under way there never comes, what
    it sends next does."""
    lost = iter((False, True, False, False, False, True))

    def replaced(frame: Frame) -> list[Frame]:
        return [] if isinstance(frame, Entries) and next(lost, False) else [frame]

    town = Town([Offerer(0, world, replaced)])
    assert await join(home, town)
    assert (town.asked, town.banned) == ([0], [])
    ledger = ledger_of(home, world)
    assert rows_of(ledger.store) == rows_of(world.store)
    ledger.close()


async def test_a_peer_whose_connection_ends_again_and_again_loses_its_turn(home: Path, world: FinalizedWorld) -> None:
    def cut_off(frame: Frame) -> list[Frame]:
        if isinstance(frame, Entries):
            town.drop(offerer)
            return []
        return [frame]

    offerer = Offerer(0, world, cut_off)
    town = Town([offerer, Offerer(1, world)])
    assert await join(home, town)
    assert town.asked == [0, 1]
    ledger_of(home, world).close()


async def test_the_state_of_another_network_is_refused(home: Path, world: FinalizedWorld) -> None:
    other = unlike(world)
    town = Town([Offerer(0, other), Offerer(1, world)])
    assert await join(home, town)
    assert [index for index, _ in town.banned] == [0]
    ledger_of(home, world).close()


async def test_with_liars_alone_nothing_is_installed(home: Path, world: FinalizedWorld) -> None:
    lies = [lie for lie, _ in list(LIES.values())[:3]]
    with pytest.raises(TimeoutError):
        await join(home, Town([Offerer(index, world, lie) for index, lie in enumerate(lies)]), timeout_s=1.5)
    assert not (home / "data" / "state").exists()
