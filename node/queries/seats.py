"""Who sat where: an index in a vote, an attestation or a header names another validator in another epoch.

The state knows the set of today and of the last two epochs. Further back it follows from how the network began and
from what the last block of every epoch announced (`EpochBegan`).
"""

from contracts.events import EpochBegan, EventRecord
from contracts.membership import validators_in
from state.codec import decode
from state.epochs import epoch_of, last_height
from state.keyspace import PARAMETERS_KEY, epoch_set_key, events_key, participant_key
from state.records import EpochSet, Parameters, Participant
from state.store import Store


def names_in(store: Store, epoch: int) -> list[str]:
    """Names of the validators of an epoch by index; those of today for an epoch that nothing is known of."""
    today = validators_in(store)
    names = {validator.participant: validator.name for validator in today}
    members = _members(store, epoch)
    if members is None:
        return [validator.name for validator in today]
    return [names.get(member) or _organisation(store, member) for member in members]


def _members(store: Store, epoch: int) -> list[int] | None:
    """The participants behind the validators, None where that is not known here."""
    parameters, meta = store.get(PARAMETERS_KEY), store.meta()
    length = parameters.epoch_length if isinstance(parameters, Parameters) else 0
    if meta is None or epoch >= epoch_of(meta.height + 1, length):
        return None
    recent = store.get(epoch_set_key(epoch))
    if isinstance(recent, EpochSet):
        return [member.participant for member in recent.members]
    first = _began(store, 1, length)
    if first is None:
        return None
    # the organisations of the genesis are the first participants, in its order
    members = list(range(1, first.validators - len(first.joined) + len(first.left) + 1))
    for later in range(1, epoch + 1):
        began = _began(store, later, length)
        if began is None:
            return None
        members = [*(member for member in members if member not in began.left), *began.joined]
    return members


def _began(store: Store, epoch: int, length: int) -> EpochBegan | None:
    height = last_height(epoch - 1, length)
    rows = store.get_raw(events_key(height)) if height is not None else None
    records = decode(tuple[EventRecord, ...], rows) if rows is not None else ()
    return next((record.event for record in records if isinstance(record.event, EpochBegan)), None)


def _organisation(store: Store, participant: int) -> str:
    found = store.get(participant_key(participant))
    return found.name if isinstance(found, Participant) else f"participant {participant}"
