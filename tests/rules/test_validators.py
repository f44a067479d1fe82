"""The validator set: who joins, leaves and rotates its key, when it takes effect, and what is refused."""

import pytest
from harness.world import World, genesis_json, key_of, seed_of

from consensus.evidence import make_evidence
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, make_vote
from consensus.votes import Vote as Ballot
from contracts.events import EpochBegan, Equivocated
from contracts.genesis import parse_genesis
from contracts.membership import next_set, waiting
from contracts.transition import conflict_keys
from state.block import validators_hash
from state.codec import encode
from state.crypto import sign
from state.errors import (
    AlreadyExists,
    BadField,
    BlockInvalid,
    Disabled,
    GenesisInvalid,
    LimitReached,
    NotGovernance,
    ProposalClosed,
    Refusal,
    Unknown,
)
from state.records import Validator
from state.transaction import (
    Evidence,
    ProposalContent,
    Propose,
    RemoveValidatorContent,
    RotateVoteKeyContent,
    ValidatorContent,
    Vote,
)

LENGTH = 32


@pytest.fixture
def world() -> World:
    return World(epoch_length=LENGTH)


def newcomer(world: World, name: str = "solar club", **changes: object) -> ValidatorContent:
    if name not in world.people:
        world.register(name)
    fields: dict[str, object] = {
        "participant": world.people[name],
        "name": name,
        "vote_key": key_of(f"{name} vote"),
        "node_key": key_of(f"{name} node"),
        "escrow_key": key_of(f"{name} escrow"),
        "address": "192.0.2.1:7000",
    }
    return ValidatorContent(**{**fields, **changes})  # type: ignore[arg-type]


def organisation(validator: Validator) -> str:
    return f"Organisation {validator.participant - 1}"


def decide(world: World, content: ProposalContent, by: str) -> None:
    world.do(Propose(world.people[by], content), by=(by,))
    proposal = world.count("proposal")
    for validator in world.validators[: world.environment().quorum]:
        who = organisation(validator) if organisation(validator) in world.people else validator.name
        world.do(Vote(proposal, validator.index, True, ""), by=(who,))


def end_of_epoch(world: World) -> EpochBegan:
    """Empty blocks to the boundary; what its last one announced."""
    while True:
        events = world.block()
        if world.height % LENGTH == 0:
            (began,) = [event for event in events if isinstance(event, EpochBegan)]
            return began


def keys(world: World) -> list[bytes]:
    return [validator.vote_key for validator in world.validators]


FIRST = [key_of(f"vote_key{index}") for index in range(4)]


# --- what is decided takes effect at the end of the epoch


def test_an_accredited_organisation_joins_at_the_end_of_the_epoch(world: World) -> None:
    decide(world, newcomer(world), "solar club")
    assert keys(world) == FIRST
    assert [each.vote_key for each in next_set(world.state, world.environment())] == [*FIRST, key_of("solar club vote")]
    began = end_of_epoch(world)
    assert keys(world) == [*FIRST, key_of("solar club vote")]
    assert world.validators[4].governance_key == key_of("solar club")
    assert [validator.index for validator in world.validators] == list(range(5))
    assert (began.epoch, began.validators, began.joined) == (1, 5, (world.people["solar club"],))
    assert world.environment().epoch == 1
    assert waiting(world.state) == ()


def test_who_leaves_lets_those_behind_it_move_up(world: World) -> None:
    decide(world, RemoveValidatorContent(2), "Organisation 0")
    began = end_of_epoch(world)
    assert keys(world) == [FIRST[0], FIRST[2], FIRST[3]]
    assert [validator.index for validator in world.validators] == [0, 1, 2]
    assert began.left == (2,)
    assert world.environment().quorum == 3


def test_a_new_vote_key_keeps_its_place_and_the_old_one_never_comes_back(world: World) -> None:
    decide(world, RotateVoteKeyContent(3, key_of("new")), "Organisation 2")
    began = end_of_epoch(world)
    assert keys(world) == [FIRST[0], FIRST[1], key_of("new"), FIRST[3]]
    assert began.rotated == (3,)
    with pytest.raises(BlockInvalid, match="vote key"):
        decide(world, RotateVoteKeyContent(3, FIRST[2]), "Organisation 2")


def test_an_epoch_without_changes_keeps_its_validators(world: World) -> None:
    assert end_of_epoch(world) == EpochBegan(1, 4, (), (), ())
    assert end_of_epoch(world).epoch == 2
    assert keys(world) == FIRST


def test_only_one_of_four_changes_at_a_time_and_the_rest_wait_in_order(world: World) -> None:
    decide(world, newcomer(world, "first"), "first")
    decide(world, RotateVoteKeyContent(1, key_of("new")), "Organisation 0")
    decide(world, newcomer(world, "second"), "second")
    end_of_epoch(world)
    assert keys(world) == [*FIRST, key_of("first vote")]
    end_of_epoch(world)
    assert keys(world) == [key_of("new"), *FIRST[1:], key_of("first vote")]
    end_of_epoch(world)
    assert keys(world) == [key_of("new"), *FIRST[1:], key_of("first vote"), key_of("second vote")]


def test_seven_validators_change_two_at_a_time() -> None:
    world = World(validators=7, epoch_length=64)
    for index in (1, 2, 3):
        decide(world, RotateVoteKeyContent(index + 1, key_of(f"new {index}")), f"Organisation {index}")
    while world.height < 64:
        world.block()
    assert [key.hex() for key in keys(world)[1:4]] == [
        key_of("new 1").hex(),
        key_of("new 2").hex(),
        key_of("vote_key3").hex(),
    ]


def test_header_commits_the_next_set_as_it_stands(world: World) -> None:
    decide(world, newcomer(world), "solar club")
    planned = tuple(each.vote_key for each in next_set(world.state, world.environment()))
    assert validators_hash(planned) != validators_hash(tuple(FIRST))
    end_of_epoch(world)
    assert planned == tuple(keys(world))


def test_the_quorum_of_the_new_set_decides_and_a_removed_member_has_no_vote(world: World) -> None:
    decide(world, RemoveValidatorContent(4), "Organisation 0")
    end_of_epoch(world)
    world.do(Propose(1, RotateVoteKeyContent(1, key_of("new"))), by=("Organisation 0",))
    proposal = world.count("proposal")
    with pytest.raises(BlockInvalid) as refused:
        world.do(Vote(proposal, 3, True, ""), by=("Organisation 3",))
    assert isinstance(refused.value.__cause__, Unknown)
    with pytest.raises(BlockInvalid) as stranger:
        world.do(Vote(proposal, 2, True, ""), by=("Organisation 3",))
    assert isinstance(stranger.value.__cause__, NotGovernance)


def test_votes_given_before_indexes_moved_are_not_counted_for_others(world: World) -> None:
    world.do(Propose(4, RotateVoteKeyContent(4, key_of("new"))), by=("Organisation 3",))
    proposal = world.count("proposal")
    world.do(Vote(proposal, 1, True, ""), by=("Organisation 1",))
    decide(world, RemoveValidatorContent(2), "Organisation 0")
    end_of_epoch(world)
    with pytest.raises(BlockInvalid) as refused:
        world.do(Vote(proposal, 0, True, ""), by=("Organisation 0",))
    assert isinstance(refused.value.__cause__, ProposalClosed)


# --- evidence


def ballot(world: World, kind: int, view: int, block: bytes, signer: int = 1, seed: str = "vote_key1") -> Ballot:
    position = Position(world.environment().epoch, view, 0, block)
    return make_vote(world.chain, kind, position, signer, lambda data: sign(seed_of(seed), data))


def shown(one: Ballot, other: Ballot) -> Evidence:
    evidence = make_evidence(one, other)
    return Evidence(one.epoch, one.signer, encode(evidence.first), encode(evidence.second))


def two_faced(world: World, view: int = 5, signer: int = 1, seed: str = "vote_key1") -> Evidence:
    return shown(*(ballot(world, NOTARIZE, view, bytes([salt]) * 32, signer, seed) for salt in (1, 2)))


def test_two_contradicting_votes_cost_a_validator_its_seat(world: World) -> None:
    assert world.do(two_faced(world)) == [Equivocated(1, 2, 0)]
    assert end_of_epoch(world).left == (2,)
    assert keys(world) == [FIRST[0], FIRST[2], FIRST[3]]


def test_nullify_beside_finalize_is_evidence_too(world: World) -> None:
    world.do(shown(ballot(world, FINALIZE, 5, b"\1" * 32), ballot(world, NULLIFY, 5, bytes(32))))
    assert end_of_epoch(world).left == (2,)


def test_evidence_goes_before_what_waits(world: World) -> None:
    decide(world, newcomer(world), "solar club")
    world.do(two_faced(world))
    end_of_epoch(world)
    assert keys(world) == [FIRST[0], FIRST[2], FIRST[3]]
    end_of_epoch(world)
    assert keys(world) == [FIRST[0], FIRST[2], FIRST[3], key_of("solar club vote")]


def test_evidence_of_the_last_two_epochs_counts_also_after_a_rotation(world: World) -> None:
    old = two_faced(world)
    decide(world, RotateVoteKeyContent(2, key_of("new")), "Organisation 1")
    end_of_epoch(world)
    end_of_epoch(world)
    world.do(old)
    assert end_of_epoch(world).left == (2,)


def test_the_only_validator_stays_until_another_one_is_there() -> None:
    world = World(validators=1, epoch_length=LENGTH)
    evidence = two_faced(world, 5, 0, "vote_key0")
    world.do(evidence)
    end_of_epoch(world)
    assert keys(world) == [FIRST[0]]
    decide(world, newcomer(world), "solar club")
    end_of_epoch(world)
    end_of_epoch(world)
    assert keys(world) == [key_of("solar club vote")]


# --- refusals


def refused(
    world: World, kind: type[Refusal], *actions: object, by: tuple[str, ...] = (), match: str | None = None
) -> None:
    with pytest.raises(BlockInvalid, match=match) as found:
        world.do(*actions, by=by)  # type: ignore[arg-type]
    assert isinstance(found.value.__cause__, kind)


def proposed(world: World, kind: type[Refusal], content: ProposalContent, by: str, match: str | None = None) -> None:
    refused(world, kind, Propose(world.people[by], content), by=(by,), match=match)


def test_refuses_changes_and_evidence_where_one_epoch_lasts_for_ever() -> None:
    world = World()
    proposed(world, Disabled, RemoveValidatorContent(1), "Organisation 1")
    refused(world, Disabled, two_faced(world))
    assert world.block() == []


def test_refuses_to_join_for_somebody_else(world: World) -> None:
    proposed(world, BadField, newcomer(world), "Organisation 0", "own proposal")


def test_refuses_a_second_validator_of_one_organisation(world: World) -> None:
    content = newcomer(world, participant=1)
    proposed(world, AlreadyExists, content, "Organisation 0")
    decide(world, newcomer(world), "solar club")
    proposed(world, AlreadyExists, newcomer(world, vote_key=key_of("x"), node_key=key_of("y")), "solar club")


@pytest.mark.parametrize("field", ["vote_key", "node_key"])
def test_refuses_a_key_that_another_validator_has(world: World, field: str) -> None:
    proposed(world, AlreadyExists, newcomer(world, **{field: key_of(f"{field}0")}), "solar club")
    decide(world, newcomer(world, "first", **{field: key_of("theirs")}), "first")
    proposed(world, AlreadyExists, newcomer(world, "late", **{field: key_of("theirs")}), "late")


def test_refuses_a_key_for_two_purposes(world: World) -> None:
    both = key_of("both")
    proposed(world, BadField, newcomer(world, vote_key=both, node_key=both), "solar club", "one purpose")


@pytest.mark.parametrize("field", ["vote_key", "node_key"])
def test_refuses_a_key_that_is_no_good_point(world: World, field: str) -> None:
    proposed(world, BadField, newcomer(world, **{field: bytes(32)}), "solar club", field)


@pytest.mark.parametrize("address", ["", "host", "host:", ":7000", "host:0", "host:70000", "host:٣"])
def test_refuses_an_address_that_nobody_can_dial(world: World, address: str) -> None:
    proposed(world, BadField, newcomer(world, address=address), "solar club", "address")


def test_refuses_a_rotation_to_a_key_in_use(world: World) -> None:
    proposed(world, AlreadyExists, RotateVoteKeyContent(1, FIRST[1]), "Organisation 0")
    proposed(world, AlreadyExists, RotateVoteKeyContent(1, FIRST[0]), "Organisation 0")


def test_refuses_a_rotation_by_somebody_else(world: World) -> None:
    proposed(world, BadField, RotateVoteKeyContent(1, key_of("new")), "Organisation 1", "own proposal")


def test_refuses_to_remove_or_rotate_who_is_no_validator(world: World) -> None:
    world.register("guest")
    proposed(world, Unknown, RemoveValidatorContent(world.people["guest"]), "guest")
    proposed(world, Unknown, RotateVoteKeyContent(world.people["guest"], key_of("new")), "guest")


def test_refuses_to_remove_somebody_twice(world: World) -> None:
    decide(world, RemoveValidatorContent(2), "Organisation 0")
    proposed(world, BadField, RemoveValidatorContent(2), "Organisation 0", "leaves already")


def test_refuses_to_remove_the_last_validator() -> None:
    world = World(validators=2, epoch_length=LENGTH)
    decide(world, RemoveValidatorContent(1), "Organisation 0")
    proposed(world, BadField, RemoveValidatorContent(2), "Organisation 0", "last validator")


def test_refuses_more_changes_than_the_queue_holds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.membership.MAX_WAITING", 1)
    decide(world, RemoveValidatorContent(2), "Organisation 0")
    proposed(world, LimitReached, RemoveValidatorContent(3), "Organisation 0")


def test_refuses_an_approved_change_that_is_impossible_by_now(world: World) -> None:
    world.do(Propose(1, RotateVoteKeyContent(1, key_of("new"))), by=("Organisation 0",))
    rotation = world.count("proposal")
    decide(world, newcomer(world, vote_key=key_of("new")), "solar club")
    for index in (0, 1):
        world.do(Vote(rotation, index, True, ""), by=(f"Organisation {index}",))
    refused(world, AlreadyExists, Vote(rotation, 2, True, ""), by=("Organisation 2",))


def test_refuses_the_same_evidence_twice(world: World) -> None:
    signed = world.transaction(two_faced(world))
    assert conflict_keys(signed.transaction) == conflict_keys(world.transaction(two_faced(world, view=6)).transaction)
    world.block(signed)
    with pytest.raises(BlockInvalid):
        world.block(signed)
    refused(world, AlreadyExists, two_faced(world))
    refused(world, AlreadyExists, two_faced(world, view=6))


def test_refuses_evidence_of_a_later_epoch_while_the_first_waits() -> None:
    world = World(validators=1, epoch_length=LENGTH)
    world.do(two_faced(world, 5, 0, "vote_key0"))
    end_of_epoch(world)
    refused(world, AlreadyExists, two_faced(world, 5, 0, "vote_key0"), match="against participant")


def test_refuses_evidence_that_is_too_old(world: World) -> None:
    old = two_faced(world)
    for _ in range(3):
        end_of_epoch(world)
    refused(world, Unknown, old, match="epoch")


def test_refuses_evidence_against_nobody_and_against_who_has_left(world: World) -> None:
    refused(world, Unknown, two_faced(world, signer=9))
    late = two_faced(world)
    decide(world, RemoveValidatorContent(2), "Organisation 0")
    end_of_epoch(world)
    refused(world, Unknown, late, match="participant")


def test_refuses_votes_that_do_not_contradict(world: World) -> None:
    lawful = (ballot(world, NOTARIZE, 5, b"\1" * 32), ballot(world, NULLIFY, 5, bytes(32)))
    refused(world, BadField, shown(*lawful), match="contradict")


def test_refuses_votes_in_the_wrong_order(world: World) -> None:
    good = two_faced(world)
    swapped = Evidence(good.epoch, good.signer, good.second, good.first)
    refused(world, BadField, swapped, match="order")


def test_refuses_votes_that_the_validator_did_not_sign(world: World) -> None:
    forged = two_faced(world, seed="vote_key2")
    refused(world, BadField, forged, match="not signed")


def test_refuses_votes_of_another_validator_or_epoch_than_named(world: World) -> None:
    good = two_faced(world)
    refused(world, BadField, Evidence(0, 2, good.first, good.second), match="another validator")
    refused(world, BadField, Evidence(0, 1, good.first, b"\x00"), match="votes")


def test_refuses_a_genesis_whose_epochs_are_too_short() -> None:
    assert parse_genesis(genesis_json(4, epoch_length=32)).parameters.epoch_length == 32
    with pytest.raises(GenesisInvalid, match="at least 32"):
        parse_genesis(genesis_json(4, epoch_length=31))
