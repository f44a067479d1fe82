"""Who validates: organisations join, leave and rotate vote keys by proposal, and every change waits for an epoch's end.

What a quorum approved, or evidence demands, is put into a queue (`NextValidators`). The block that ends an epoch makes
the first max(1, f) changes of the queue, evidence first, and the next block is already the new set's. The order of the
set gives the index of each validator: who joins comes last, a rotation keeps its place, and who leaves lets those
behind it move up. Source: research/consensus.md section 8.
"""

from typing import assert_never

from msgspec.structs import replace

from contracts.context import BlockEnvironment, BlockOutput, Context
from contracts.events import EpochBegan, EventRecord
from contracts.register import require_exchange_key, require_key, require_line, require_text
from state.epochs import ends_epoch
from state.errors import AlreadyExists, BadField, Disabled, LimitReached, Unknown
from state.keyspace import (
    NEXT_VALIDATORS_KEY,
    Space,
    accredited_key,
    epoch_set_key,
    retired_key,
    space_end,
    validator_key,
)
from state.overlay import Overlay, Snapshot
from state.records import Counter, EpochMember, EpochSet, NextValidators, SetChange, Used, Validator
from state.transaction import (
    RemoveValidatorContent,
    RotateEscrowKeyContent,
    RotateVoteKeyContent,
    ValidatorContent,
)

JOIN, LEAVE, ROTATE = "join", "leave", "rotate"
MAX_VALIDATORS = 100
MAX_WAITING = 64  # changes in the queue
EVIDENCE_EPOCHS = 2  # finished epochs whose votes can still be held against a validator
SEATS = ("seats", 0)  # when indexes last moved: proposals from before it name other validators by the same numbers

MemberContent = ValidatorContent | RemoveValidatorContent | RotateVoteKeyContent | RotateEscrowKeyContent
Members = tuple[Validator, ...]


# --- deciding


def check_content(context: Context, content: MemberContent, proposer: int) -> None:
    """Whether the change can be decided as things stand; asked when it is proposed, and again when it is enacted."""
    environment = context.environment
    if not environment.parameters.epoch_length:
        raise Disabled(what="epochs, so its validators never change (epoch_length 0)")
    if not isinstance(content, RemoveValidatorContent) and proposer != content.participant:
        raise BadField(field="participant", why="a validator joins, and rotates its key, by its own proposal")
    changes = waiting(context.overlay)
    if len(changes) >= MAX_WAITING:
        raise LimitReached(limit=MAX_WAITING, what="waiting changes of the validators")
    match content:
        case ValidatorContent():
            _check_join(context, content, changes)
        case RemoveValidatorContent():
            _check_leave(context, content, changes)
        case RotateVoteKeyContent():
            _require_member(context, content.participant, changes)
            _require_fresh_vote_key(context, content.vote_key, changes)
        case RotateEscrowKeyContent():
            _require_member(context, content.participant, changes)
            _require_escrow_key(context, content.escrow_key, changes)
        case _:
            assert_never(content)


def _check_join(context: Context, content: ValidatorContent, changes: tuple[SetChange, ...]) -> None:
    context.participant(content.participant)
    require_text("name", content.name)
    require_line("address", content.address)
    host, _, port = content.address.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise BadField(field="address", why="host:port of the node's listener")
    members = context.environment.validators
    if content.participant in _participants(members, changes):
        raise AlreadyExists(what="a validator of participant", id=content.participant)
    if len(members) + sum(change.kind == JOIN for change in changes) >= MAX_VALIDATORS:
        raise LimitReached(limit=MAX_VALIDATORS, what="validators")
    _require_fresh_vote_key(context, content.vote_key, changes)
    require_key("node_key", content.node_key)
    _require_escrow_key(context, content.escrow_key, changes)
    node_keys = {each.node_key for each in (*members, *(change.joins for change in changes if change.joins))}
    if content.node_key in node_keys:
        raise AlreadyExists(what="a validator with the node key", id=content.node_key.hex())
    if content.vote_key in node_keys or content.node_key == content.vote_key:
        raise BadField(field="vote_key", why="a key has one purpose")


def _check_leave(context: Context, content: RemoveValidatorContent, changes: tuple[SetChange, ...]) -> None:
    _require_member(context, content.participant, changes)
    members: list[Validator] = list(context.environment.validators)
    for change in (*changes, SetChange(LEAVE, content.participant, False, None, b"")):
        members = _changed(members, change)
    if not members:
        raise BadField(field="participant", why="the last validator cannot leave")


def _require_member(context: Context, participant: int, changes: tuple[SetChange, ...]) -> None:
    if all(validator.participant != participant for validator in context.environment.validators):
        raise Unknown(what="validator of participant", id=participant)
    if any(change.kind == LEAVE and change.participant == participant for change in changes):
        raise BadField(field="participant", why="it leaves already")


def _require_fresh_vote_key(context: Context, key: bytes, changes: tuple[SetChange, ...]) -> None:
    """Never one that is, was or will be in office: whoever lost its votes could contradict them."""
    require_key("vote_key", key)
    taken = {key for each in context.environment.validators for key in (each.vote_key, each.node_key)}
    for change in changes:
        taken.add(change.vote_key)
        taken.update((change.joins.vote_key, change.joins.node_key) if change.joins else ())
    if key in taken or context.overlay.get(retired_key(key)) is not None:
        raise AlreadyExists(what="a validator with the vote key", id=key.hex())


def _require_escrow_key(context: Context, key: bytes, changes: tuple[SetChange, ...]) -> None:
    """A key of its own that orders can be sealed to. Nobody shows that he holds the secret: he answers for it."""
    require_exchange_key("escrow_key", key)
    taken = {each.escrow_key for each in context.environment.validators}
    for change in changes:
        taken.update((change.escrow_key, change.joins.escrow_key if change.joins else b""))
    if key in taken:
        raise AlreadyExists(what="a validator with the escrow key", id=key.hex())


def _participants(members: Members, changes: tuple[SetChange, ...]) -> set[int]:
    joining = {change.participant for change in changes if change.kind == JOIN}
    return {validator.participant for validator in members} | joining


def enact(context: Context, content: MemberContent) -> int:
    """Put an approved change into the queue; the participant it is about."""
    # approved by a quorum long after it was proposed, so everything is looked at again
    check_content(context, content, content.participant)
    match content:
        case ValidatorContent():
            joins = Validator(
                index=0,
                participant=content.participant,
                name=content.name,
                vote_key=content.vote_key,
                node_key=content.node_key,
                escrow_key=content.escrow_key,
                governance_key=context.participant(content.participant).key,
                address=content.address,
            )
            change = SetChange(JOIN, content.participant, False, joins, b"")
        case RemoveValidatorContent():
            change = SetChange(LEAVE, content.participant, False, None, b"")
        case RotateVoteKeyContent():
            change = SetChange(ROTATE, content.participant, False, None, content.vote_key)
        case RotateEscrowKeyContent():
            change = SetChange(ROTATE, content.participant, False, None, b"", content.escrow_key)
        case _:
            assert_never(content)
    enqueue(context, change)
    return content.participant


def enqueue(context: Context, change: SetChange) -> None:
    """Evidence goes before everything else, in its own order."""
    changes = waiting(context.overlay)
    place = sum(each.evidence for each in changes) if change.evidence else len(changes)
    queue = (*changes[:place], change, *changes[place:])
    members = validators_in(context.overlay)
    context.overlay.put(NEXT_VALIDATORS_KEY, NextValidators(queue, turned(members, queue)[0]))


# --- what is known


def govern(overlay: Overlay, participant: int, key: bytes) -> None:
    """An organisation signs with another key: its validator's votes on proposals are signed by it too."""
    for validator in validators_in(overlay):
        if validator.participant == participant:
            overlay.put(validator_key(validator.index), replace(validator, governance_key=key))
    planned = overlay.get(NEXT_VALIDATORS_KEY)
    if isinstance(planned, NextValidators) and any(each.participant == participant for each in planned.changes):
        changes = tuple(
            replace(each, joins=replace(each.joins, governance_key=key))
            if each.joins and each.participant == participant
            else each
            for each in planned.changes
        )
        overlay.put(NEXT_VALIDATORS_KEY, NextValidators(changes, turned(validators_in(overlay), changes)[0]))


def waiting(state: Snapshot) -> tuple[SetChange, ...]:
    found = state.get(NEXT_VALIDATORS_KEY)
    return found.changes if isinstance(found, NextValidators) else ()


def validators_in(state: Snapshot) -> Members:
    """The validators of the next block, by index."""
    low = bytes((Space.VALIDATOR,))
    return tuple(entry for _, entry in state.scan(low, space_end(low)) if isinstance(entry, Validator))


def next_set(state: Snapshot, environment: BlockEnvironment) -> Members:
    """The set that the header of a block commits as the next one, in the state that the block leaves.

    Of a boundary block it is the set of the next epoch; before, what that would be if nothing else were decided.
    """
    if ends_epoch(environment.height, environment.parameters.epoch_length):
        return validators_in(state)
    planned = state.get(NEXT_VALIDATORS_KEY)
    return planned.validators if isinstance(planned, NextValidators) else environment.validators


# --- the end of an epoch


def turned(members: Members, changes: tuple[SetChange, ...]) -> tuple[Members, tuple[SetChange, ...]]:
    """The next set, and the changes that wait for another epoch. What has become pointless is dropped."""
    limit = max(1, (len(members) - 1) // 3)
    now, later, made = list(members), [], 0
    for change in changes:
        inside = any(each.participant == change.participant for each in now)
        if inside == (change.kind == JOIN):
            continue
        if made == limit or (change.kind == LEAVE and len(now) == 1):
            later.append(change)
            continue
        now = _changed(now, change)
        made += 1
    return tuple(replace(validator, index=index) for index, validator in enumerate(now)), tuple(later)


def _changed(members: list[Validator], change: SetChange) -> list[Validator]:
    if change.kind == JOIN:
        return [*members, change.joins] if change.joins else members
    if change.kind == LEAVE:
        return [each for each in members if each.participant != change.participant]
    return [_rotated(each, change) if each.participant == change.participant else each for each in members]


def _rotated(member: Validator, change: SetChange) -> Validator:
    vote_key, escrow_key = change.vote_key or member.vote_key, change.escrow_key or member.escrow_key
    return replace(member, vote_key=vote_key, escrow_key=escrow_key)


def end_epoch(overlay: Overlay, environment: BlockEnvironment, output: BlockOutput) -> None:
    """After the last transaction of a boundary block: the state has the validators of the next one."""
    if not ends_epoch(environment.height, environment.parameters.epoch_length):
        return
    before, epoch = validators_in(overlay), environment.epoch  # with governance keys that changed meanwhile
    after, later = turned(before, waiting(overlay))
    members = tuple(EpochMember(each.participant, each.vote_key) for each in before)
    overlay.put(epoch_set_key(epoch), EpochSet(epoch, members))
    if epoch >= EVIDENCE_EPOCHS:
        overlay.delete(epoch_set_key(epoch - EVIDENCE_EPOCHS))
    for validator in after:
        overlay.put(validator_key(validator.index), validator)
    for index in range(len(after), len(before)):
        overlay.delete(validator_key(index))
    kept = {validator.vote_key for validator in after}
    txid = bytes(24) + environment.height.to_bytes(8, "big")
    for validator in before:
        if validator.vote_key not in kept:
            overlay.put(retired_key(validator.vote_key), Used(txid))
    if later:
        overlay.put(NEXT_VALIDATORS_KEY, NextValidators(later, turned(after, later)[0]))
    elif overlay.get(NEXT_VALIDATORS_KEY) is not None:
        overlay.delete(NEXT_VALIDATORS_KEY)
    event = _difference(before, after, epoch + 1)
    if event.left:
        overlay.put(accredited_key(*SEATS), Counter(environment.height))
    output.events.append(EventRecord(txid, 0, event))


def _difference(before: Members, after: Members, epoch: int) -> EpochBegan:
    old = {validator.participant: validator.vote_key for validator in before}
    new = {validator.participant: validator.vote_key for validator in after}
    return EpochBegan(
        epoch=epoch,
        validators=len(after),
        joined=tuple(participant for participant in new if participant not in old),
        left=tuple(participant for participant in old if participant not in new),
        rotated=tuple(participant for participant, key in new.items() if old.get(participant, key) != key),
    )
