"""keys: who signs for a number may change; what the number holds does not, and the history shows every key."""

import pytest
from harness.town import Town
from harness.world import FAR, World, key_of

from contracts.events import KeyChanged, RecoveryPending, RecoveryVetoed
from contracts.keys import key_changes, pending_recoveries
from state.errors import (
    AlreadyExists,
    BadField,
    MissingSignature,
    NotGovernance,
    NotRegistered,
    RoleNeeded,
    Unknown,
)
from state.keyspace import gateway_key, meter_key, participant_key, validator_key
from state.records import Gateway, Meter, Participant, Validator
from state.transaction import (
    GatewayContent,
    MeterContent,
    NameRecovery,
    Propose,
    RecoverContent,
    RecoverKey,
    Register,
    RotateCredential,
    RotateKey,
    VetoRecovery,
    Vote,
)

WEEK_S = 604_800


@pytest.fixture
def town() -> Town:
    return Town()


def holder(town: World, name: str) -> Participant:
    found = town.state.get(participant_key(town.people[name]))
    assert isinstance(found, Participant)
    return found


def rotate(town: World, name: str, new: str) -> None:
    """From now on `name` signs as `new` does."""
    town.do(RotateKey(town.people[name], key_of(new)), by=(name, new))
    town.people[new] = town.people[name]


def named(town: Town, name: str, recovery: str) -> None:
    town.do(NameRecovery(town.id(name), key_of(recovery)), by=(name,))


# --- rotation


def test_outputs_stay_with_the_holder_whose_key_changed(town: Town) -> None:
    rotate(town, "plant", "plant 2")
    town.do(town.transfer("plant", (town.lot,), town.piece("trader", 1, 10)), by=("plant 2",))
    assert town.certificates("trader") == 10


def test_the_old_key_is_refused_from_the_next_transaction_of_the_same_block(town: Town) -> None:
    turn = town.transaction(RotateKey(town.id("plant"), key_of("plant 2")), by=("plant", "plant 2"))
    town.block(turn)
    move = town.transfer("plant", (town.lot,), town.piece("trader", 1, 10))
    town.refuses(NotRegistered, move, by=("plant",))


def test_the_history_shows_both_keys(town: Town) -> None:
    rotate(town, "plant", "plant 2")
    (change,) = key_changes(town.state, "participant", town.id("plant"))
    assert (change.former, change.key, change.reason) == (key_of("plant"), key_of("plant 2"), "rotation")
    assert change.height == town.height


def test_an_organisation_that_rotates_votes_with_its_new_governance_key(town: Town) -> None:
    town.do(Propose(town.id("plant"), GatewayContent(town.id("plant"), key_of("g"), FAR)), by=("plant",))
    proposal = town.count("proposal")
    town.do(RotateKey(1, key_of("governance 2")), by=("Organisation 0", "governance 2"))
    validator = town.state.get(validator_key(0))
    assert isinstance(validator, Validator)
    assert validator.governance_key == key_of("governance 2")
    town.refuses(NotGovernance, Vote(proposal, 0, True, ""), by=("Organisation 1",))
    town.do(Vote(proposal, 0, True, ""), by=("governance 2",))


def test_a_governance_key_that_changed_survives_the_end_of_an_epoch() -> None:
    world = World(epoch_length=32)
    world.do(RotateKey(1, key_of("governance 2")), by=("Organisation 0", "governance 2"))
    while world.height < 40:
        world.block()
    validator = world.state.get(validator_key(0))
    assert isinstance(validator, Validator)
    assert validator.governance_key == key_of("governance 2")


def test_refuses_a_rotation_that_the_current_key_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, RotateKey(town.id("plant"), key_of("x")), by=("trader", "x"))


def test_refuses_a_rotation_that_the_new_key_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, RotateKey(town.id("plant"), key_of("x")), by=("plant",))


@pytest.mark.parametrize("taken", ["trader", "plant"])
def test_refuses_a_new_key_that_is_somebodys(town: Town, taken: str) -> None:
    by = tuple(dict.fromkeys(("plant", taken)))
    town.refuses(AlreadyExists, RotateKey(town.id("plant"), key_of(taken)), by=by)


def test_refuses_a_replaced_key_for_ever(town: Town) -> None:
    rotate(town, "plant", "plant 2")
    town.refuses(AlreadyExists, Register(key_of("plant"), "thief", "FR", b""), by=("plant",))
    town.refuses(AlreadyExists, RotateKey(town.id("plant"), key_of("plant")), by=("plant 2", "plant"))


# --- recovery by the recovery key


def test_the_recovery_key_replaces_a_stolen_key_at_once(town: Town) -> None:
    named(town, "plant", "safe")
    rotate(town, "plant", "thief")
    town.do(RecoverKey(town.id("plant"), key_of("safe"), key_of("fresh"), b""), by=("safe", "fresh"))
    assert holder(town, "plant").key == key_of("fresh")
    assert holder(town, "plant").recovery_key == key_of("safe")
    town.refuses(NotRegistered, town.transfer("plant", (town.lot,), town.piece("trader", 1, 10)), by=("thief",))
    assert [change.reason for change in key_changes(town.state, "participant", town.id("plant"))] == [
        "rotation",
        "recovery",
    ]


def test_a_recovery_may_name_the_next_recovery_key(town: Town) -> None:
    named(town, "plant", "safe")
    town.do(RecoverKey(town.id("plant"), key_of("safe"), key_of("fresh"), key_of("safe 2")), by=("safe", "fresh"))
    assert holder(town, "plant").recovery_key == key_of("safe 2")


def test_a_thief_of_the_key_cannot_shut_the_recovery_key_out(town: Town) -> None:
    named(town, "plant", "safe")
    town.refuses(MissingSignature, NameRecovery(town.id("plant"), b""), by=("plant",))
    town.do(NameRecovery(town.id("plant"), key_of("safe 2")), by=("plant", "safe"))
    assert holder(town, "plant").recovery_key == key_of("safe 2")


def test_refuses_a_recovery_key_that_was_not_named(town: Town) -> None:
    town.refuses(Unknown, RecoverKey(town.id("plant"), key_of("x"), key_of("y"), b""), by=("x", "y"))


def test_refuses_a_recovery_that_the_recovery_key_did_not_sign(town: Town) -> None:
    named(town, "plant", "safe")
    action = RecoverKey(town.id("plant"), key_of("safe"), key_of("y"), b"")
    town.refuses(MissingSignature, action, by=("plant", "y"))


def test_refuses_a_recovery_key_that_is_the_signing_key(town: Town) -> None:
    town.refuses(BadField, NameRecovery(town.id("plant"), key_of("plant")), by=("plant",))


# --- recovery by a quorum


def recovery(town: Town, new: str = "fresh") -> None:
    """Proposed by an organisation, with the new key; approved by a quorum."""
    content = RecoverContent(town.id("plant"), key_of(new), "key lost, identity shown")
    town.do(Propose(1, content), by=("Organisation 0", new))
    for index in range(3):
        town.do(Vote(town.count("proposal"), index, True, ""), by=(f"Organisation {index}",))


def test_a_quorum_replaces_a_lost_key_after_the_delay(town: Town) -> None:
    recovery(town)
    assert [pending.key for pending in pending_recoveries(town.state)] == [key_of("fresh")]
    assert holder(town, "plant").key == key_of("plant")
    events = town.block(seconds=WEEK_S)
    assert KeyChanged("participant", town.id("plant"), key_of("plant"), key_of("fresh"), "quorum") in events
    assert holder(town, "plant").key == key_of("fresh")
    assert not pending_recoveries(town.state)


def test_a_pending_recovery_is_announced_with_its_day(town: Town) -> None:
    recovery(town)
    announced = [record.event for output in town.outputs for record in output.events]
    due = town.time_ms // 1000 + WEEK_S
    assert RecoveryPending(town.id("plant"), key_of("fresh"), due) in announced


@pytest.mark.parametrize("veto", ["plant", "safe"])
def test_the_owner_vetoes_with_the_current_key_or_the_recovery_key(town: Town, veto: str) -> None:
    named(town, "plant", "safe")
    recovery(town)
    key = key_of("safe") if veto == "safe" else b""
    assert RecoveryVetoed(town.id("plant"), key_of("fresh")) in town.do(VetoRecovery(town.id("plant"), key), by=(veto,))
    town.block(seconds=2 * WEEK_S)
    assert holder(town, "plant").key == key_of("plant")


def test_an_owner_who_rotates_ends_a_recovery_that_waits(town: Town) -> None:
    recovery(town)
    rotate(town, "plant", "plant 2")
    town.block(seconds=2 * WEEK_S)
    assert holder(town, "plant").key == key_of("plant 2")


def test_a_recovery_to_a_key_that_was_registered_meanwhile_comes_to_nothing(town: Town) -> None:
    recovery(town)
    town.register("fresh")
    town.block(seconds=WEEK_S)
    assert holder(town, "plant").key == key_of("plant")
    assert not pending_recoveries(town.state)


def test_refuses_a_veto_where_nothing_waits(town: Town) -> None:
    town.refuses(Unknown, VetoRecovery(town.id("plant"), b""), by=("plant",))


def test_refuses_a_veto_of_somebody_else(town: Town) -> None:
    recovery(town)
    town.refuses(MissingSignature, VetoRecovery(town.id("plant"), b""), by=("trader",))


def test_refuses_a_proposed_recovery_without_the_new_key(town: Town) -> None:
    content = RecoverContent(town.id("plant"), key_of("fresh"), "lost")
    town.refuses(MissingSignature, Propose(1, content), by=("Organisation 0",))


def test_refuses_a_second_recovery_while_one_waits(town: Town) -> None:
    recovery(town)
    content = RecoverContent(town.id("plant"), key_of("other"), "lost")
    town.refuses(AlreadyExists, Propose(1, content), by=("Organisation 0", "other"))


# --- credentials


@pytest.fixture
def metered(town: Town) -> Town:
    town.accredit(MeterContent(town.device_id, key_of("meter"), 0, FAR), by="plant")
    return town


def test_a_meter_hands_over_to_a_new_key(metered: Town) -> None:
    action = RotateCredential("meter", metered.device_id, key_of("meter"), key_of("meter 2"))
    metered.do(action, by=("plant", "meter", "meter 2"))
    found = metered.state.get(meter_key(metered.device_id))
    assert isinstance(found, Meter)
    assert found.key == key_of("meter 2")
    (change,) = key_changes(metered.state, "meter", metered.device_id)
    assert (change.former, change.key) == (key_of("meter"), key_of("meter 2"))


def test_a_gateway_hands_over_to_a_new_key(town: Town) -> None:
    town.accredit(GatewayContent(town.id("plant"), key_of("gateway"), FAR), by="plant")
    action = RotateCredential("gateway", 1, key_of("gateway"), key_of("gateway 2"))
    town.do(action, by=("plant", "gateway", "gateway 2"))
    found = town.state.get(gateway_key(1))
    assert isinstance(found, Gateway)
    assert found.key == key_of("gateway 2")


def test_a_meter_whose_key_is_lost_is_accredited_anew_and_the_history_says_so(metered: Town) -> None:
    metered.accredit(MeterContent(metered.device_id, key_of("meter 2"), 0, FAR), by="plant")
    assert [change.reason for change in key_changes(metered.state, "meter", metered.device_id)] == ["quorum"]
    content = MeterContent(metered.device_id, key_of("meter"), 0, FAR)
    metered.refuses(AlreadyExists, Propose(metered.id("plant"), content), by=("plant",))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_refuses_a_credential_without_all_three_signatures(metered: Town, missing: int) -> None:
    action = RotateCredential("meter", metered.device_id, key_of("meter"), key_of("meter 2"))
    by = [name for place, name in enumerate(("plant", "meter", "meter 2")) if place != missing]
    metered.refuses(MissingSignature, action, by=tuple(by))


def test_refuses_a_credential_that_is_not_the_current_one(metered: Town) -> None:
    action = RotateCredential("meter", metered.device_id, key_of("x"), key_of("meter 2"))
    metered.refuses(BadField, action, by=("plant", "x", "meter 2"))


def test_refuses_to_rotate_the_meter_that_a_gateway_signs_for(town: Town) -> None:
    town.accredit(GatewayContent(town.id("plant"), key_of("gateway"), FAR), by="plant")
    town.accredit(MeterContent(town.device_id, b"", 1, FAR), by="plant")
    action = RotateCredential("meter", town.device_id, key_of("x"), key_of("y"))
    town.refuses(RoleNeeded, action, by=("plant", "x", "y"))


def test_refuses_a_credential_of_an_unknown_kind(town: Town) -> None:
    town.refuses(BadField, RotateCredential("sensor", 1, key_of("x"), key_of("y")), by=("plant", "x", "y"))
