"""evidence: two votes that no honest validator signs both cost it its seat at the end of the epoch.

Found by anyone, checked by all: the votes prove themselves against the validators of their epoch, which stay in the
state for two epochs more. No signers. A second time for the same signer and epoch is refused, as is evidence against
somebody who has left or leaves for it already (cometbft/cometbft#4114).
"""

from consensus.evidence import check_evidence
from consensus.messages import Evidence as TwoVotes
from consensus.validators import ValidatorSet
from consensus.votes import Vote
from contracts.context import Context
from contracts.events import Equivocated
from contracts.membership import LEAVE, enqueue, waiting
from state.codec import decode
from state.crypto import verify
from state.errors import AlreadyExists, BadField, ConsensusRefusal, DecodeError, Disabled, Unknown
from state.keyspace import epoch_set_key, equivocation_key
from state.records import EpochMember, EpochSet, SetChange, Used
from state.spoken import Said
from state.transaction import Evidence


def check(context: Context, action: Evidence) -> None:
    environment = context.environment
    if not environment.parameters.epoch_length:
        raise Disabled(what="epochs, so its validators never change (epoch_length 0)")
    if context.overlay.get(equivocation_key(action.epoch, action.signer)) is not None:
        raise AlreadyExists(what=f"evidence of epoch {action.epoch} against validator", id=action.signer)
    participant = _members(context, action.epoch)[action.signer : action.signer + 1]
    if not participant:
        raise Unknown(what=f"validator of epoch {action.epoch}", id=action.signer)
    _check_votes(context, action)
    accused = participant[0].participant
    if all(validator.participant != accused for validator in environment.validators):
        raise Unknown(what="validator of participant", id=accused)
    if any(change.evidence and change.participant == accused for change in waiting(context.overlay)):
        raise AlreadyExists(what="evidence against participant", id=accused)


def _check_votes(context: Context, action: Evidence) -> None:
    try:
        votes = TwoVotes(decode(Vote, action.first), decode(Vote, action.second))
    except DecodeError as error:
        raise BadField(field="votes", why=str(error)) from None
    if (votes.first.epoch, votes.first.signer) != (action.epoch, action.signer):
        raise BadField(field="votes", why="they are of another validator or epoch")
    keys = tuple(member.vote_key for member in _members(context, action.epoch))
    try:
        check_evidence(votes, ValidatorSet(keys), context.environment.chain, verify)
    except ConsensusRefusal as refusal:
        raise BadField(field="votes", why=str(refusal)) from None


def _members(context: Context, epoch: int) -> tuple[EpochMember, ...]:
    """The set of this epoch, or of one that ended not long ago."""
    if epoch == context.environment.epoch:
        return tuple(EpochMember(each.participant, each.vote_key) for each in context.environment.validators)
    found = context.overlay.get(epoch_set_key(epoch))
    if not isinstance(found, EpochSet):
        raise Unknown(what="epoch that evidence can still be about, not", id=epoch)
    return found.members


def apply(context: Context, action: Evidence) -> None:
    accused = _members(context, action.epoch)[action.signer].participant
    context.overlay.put(equivocation_key(action.epoch, action.signer), Used(context.txid))
    enqueue(context, SetChange(LEAVE, accused, True, None, b""))
    context.announce(Equivocated(action.signer, accused, action.epoch))


def describe(action: Evidence) -> Said:
    return Said(
        "show two contradicting votes of validator {validator} in epoch {epoch}",
        validator=action.signer,
        epoch=action.epoch,
    )
