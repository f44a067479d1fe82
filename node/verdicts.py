"""What this validator would say of a closed day: the verdict, as the attestation that it could sign.

Validators that hold the same closes say the same, byte for byte: the evidence is the day itself, up to forty closed
days before it in the order of the chain, and the frozen profile. For a worker thread.
"""

from collections import OrderedDict

from contracts.issue import BASIS_POINTS, NO_INPUTS
from contracts.schemes import granular
from node.baselines import Baselines, facts_of
from node.readings import ReadingStore
from node.wire import Close, DayClose
from state.attestation import PROMPT, VERDICT_NAMES, Attestation
from state.records import Device, Scheme
from state.units import DAY_S
from verifier.device import DeviceFacts
from verifier.intake import DayReadings, read_day
from verifier.reading import parse_signed
from verifier.verdict import HISTORY_DAYS, VERIFIER_VERSION, DayVerdict, judge_day

GRIDS = 512  # days kept on their grid, some 10 kB each: the history of a dozen devices


def first_judged_day(device: Device) -> int:
    """The first full UTC day at or after the end of the commissioning window."""
    return -(-device.profile_to // DAY_S)


class Verdicts:
    def __init__(self, store: ReadingStore, baselines: Baselines) -> None:
        self._store = store
        self._baselines = baselines
        self._grids: OrderedDict[tuple[DeviceFacts, Close], DayReadings] = OrderedDict()

    def judge(self, device: Device, signed: DayClose) -> DayVerdict:
        """The verdict on a close that is held completely. ProfileDiffers or ReadingRefusal where none can be given."""
        facts, close = facts_of(device), signed.close
        profile = self._baselines.signed(device)
        before = self._store.last_closes(device.id, close.last_seq - 1, HISTORY_DAYS)
        earlier = [self._grid(facts, other.close) for other in before]
        return judge_day(facts, profile, close.day, self._grid(facts, close), earlier)

    def hours(self, device: Device, signed: DayClose) -> tuple[int, ...]:
        """The energy of a held day by the hour."""
        return self._grid(facts_of(device), signed.close).hours_wh

    def _grid(self, facts: DeviceFacts, close: Close) -> DayReadings:
        key = (facts, close)
        grid = self._grids.get(key)
        if grid is None:
            texts = self._store.day(close.device, close.day)
            grid = read_day(facts, close.day, [parse_signed(text.encode()).reading for text in texts])
            self._grids[key] = grid
            if len(self._grids) > GRIDS:
                self._grids.popitem(last=False)
        else:
            self._grids.move_to_end(key)
        return grid


def attestation_of(
    device: Device, scheme: Scheme, close: Close, verdict: DayVerdict, hours_wh: tuple[int, ...], epoch: int
) -> Attestation:
    """One release step: the scheme's first share of the accepted energy (research/registry.md section 4)."""
    release_wh = verdict.accepted_wh * scheme.release_shares[PROMPT] // BASIS_POINTS
    return Attestation(
        epoch=epoch,
        device=device.id,
        day=close.day,
        step=PROMPT,
        revision=0,
        readings_root=close.readings_root,
        inputs_root=NO_INPUTS,
        profile_hash=device.profile_hash,
        verifier_version=VERIFIER_VERSION,
        verdict=VERDICT_NAMES.index(verdict.verdict),
        reasons=verdict.reasons,
        release_wh=release_wh,
        energy_wh=verdict.energy_wh,
        hours_wh=hours_wh if granular(scheme) and release_wh else (),
    )
