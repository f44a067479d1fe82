"""What the ledger says beside a plant's own readings: which neighbours' days are heard, and its day's earlier steps."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.hearing import Heard, asks, heard, inputs_root
from contracts.release import steps_before, steps_of
from state.attestation import VERDICT_NAMES
from state.keyspace import device_key
from state.overlay import Snapshot
from state.records import Device, Scheme
from verifier.verdict import Outcome


@dataclass(frozen=True)
class Beside:
    """`recorded`: the verdicts of all earlier steps, by step; `root` is the `inputs_root` of an attestation."""

    told: tuple[tuple[Device, Heard], ...]
    recorded: Mapping[int, Outcome]
    root: bytes

    @property
    def devices(self) -> tuple[int, ...]:
        return tuple(one.device for _, one in self.told)


def beside_of(state: Snapshot, device: Device, scheme: Scheme, day: int, step: int) -> Beside | None:
    """None where nobody is asked. Of a later step before the earlier ones are recorded nothing is heard yet."""
    if not asks(device, scheme):
        return None
    recorded = {one.step: VERDICT_NAMES[one.verdict] for one in steps_before(state, device.id, day, step)}
    if list(recorded) != [each for each in steps_of(scheme.release_shares) if each < step]:
        return Beside((), recorded, b"")
    found = heard(state, device, day, step)
    records = [state.get(device_key(one.device)) for one in found]
    told = tuple((record, one) for record, one in zip(records, found, strict=True) if isinstance(record, Device))
    return Beside(told, recorded, inputs_root(found))
