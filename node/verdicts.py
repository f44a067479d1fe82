"""What this validator would say of a closed day at each step of its release, as the attestation that it could sign.

Validators that hold the same closes say the same, byte for byte: the evidence is the day itself, up to forty closed
days before it in the order of the chain, the frozen profile, and, where the scheme releases a day in steps, the judged
days around it up to the step's own last day and those of its neighbours that the ledger names. For a worker thread.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import sub
from typing import Any, TypeVar

from contracts.hearing import NO_INPUTS, Heard
from contracts.release import parts_released_up_to, steps_of
from contracts.schemes import granular
from node.baselines import Baselines, facts_of, readings_between
from node.beside import Beside
from node.readings import ReadingStore
from node.wire import Close, DayClose
from state.attestation import PROMPT, STEP_DAYS, VERDICT_NAMES, Attestation
from state.errors import ReadingRefusal
from state.records import Device, Scheme
from state.records import DeviceFacts as RecordFacts
from state.units import DAY_S
from verifier.climate import Climate, climate_of_days
from verifier.device import DeviceFacts
from verifier.finding import RELEASABLE, Finding, any_of, codes
from verifier.finished import Plant, grid_of, own_limits
from verifier.intake import MISSING, DayReadings, columns_of, days_of, read_day
from verifier.light import Light, light_of_days
from verifier.reading import SignedReading, parse_signed
from verifier.register import check_register
from verifier.review import WeighedDay, review_beside, review_step, span, weigh
from verifier.source import is_source, judge_source_day, measured, station_of
from verifier.verdict import HISTORY_DAYS, VERIFIER_VERSION, DayVerdict, Outcome, combine, judge_day
from verifier.windows import OwnLimits

GRIDS = 512  # days kept on their grid, some 10 kB each: the history of a dozen devices
WEATHERS = 2_048  # days of climate sources: each step beside one looks back on its commissioning and half a year
WEIGHED = 8_192  # days kept as their windows see them, some 500 bytes each
LIMITED = 64  # devices whose limits are kept
COMMISSIONED = 16  # plants whose commissioning days are kept on their grid, a MB or two each
JUDGED = 1_024  # verdicts kept whole, some 10 kB each: asked again at each step of plants with neighbours

Key = TypeVar("Key")
Value = TypeVar("Value")
# A step, and whether it is the one to be said -> outcome and every reason.
Review = Callable[[int, bool], tuple[Outcome, tuple[Finding, ...]] | None]


def first_judged_day(device: Device) -> int:
    """The first full UTC day at or after the end of the commissioning window."""
    return -(-device.profile_to // DAY_S)


@dataclass(frozen=True)
class StepVerdict:
    """What is said of a closed day at one step of its release."""

    close: Close
    step: int
    outcome: Outcome
    reasons: tuple[str, ...]
    energy_wh: int
    release_wh: int
    hours_wh: tuple[int, ...] = ()  # of what is released, where the scheme counts by the hour
    inputs_root: bytes = NO_INPUTS


@dataclass(frozen=True)
class Curve:
    """A day as this node's readings and verifier see it, interval by interval."""

    readings: DayReadings
    judged: DayVerdict | None

    def describe(self) -> dict[str, Any]:
        """Watts of each interval of the day, null where nothing is known."""
        judged, power = self.judged, self.readings.power_w
        nothing = [None] * len(power)
        return {
            "interval_s": self.readings.interval_s,
            "readings": self.readings.count,
            "energy_wh": str(self.readings.energy_wh),
            "measured_w": [None if watts == MISSING else watts for watts in power.tolist()],
            "expected_w": nothing if judged is None else [_known(watts) for watts in judged.expected_w],
            "allowed_w": nothing if judged is None else [_known(watts) for watts in judged.allowed_w],
            "verdict": None if judged is None else judged.verdict,
            "reasons": [] if judged is None else list(codes(judged.findings)),
        }


def _known(watts: int) -> int | None:
    return None if watts < 0 else watts


class Verdicts:
    def __init__(self, store: ReadingStore, baselines: Baselines) -> None:
        self._store = store
        self._baselines = baselines
        self._grids: OrderedDict[tuple[DeviceFacts, Close], DayReadings] = OrderedDict()
        self._weighed: OrderedDict[tuple[DeviceFacts, bytes, Close], tuple[WeighedDay, int]] = OrderedDict()
        self._limits: OrderedDict[tuple[int, bytes], OwnLimits] = OrderedDict()
        self._commissioned: OrderedDict[tuple[DeviceFacts, int, bytes], list[DayReadings]] = OrderedDict()
        self._weathers: OrderedDict[tuple[RecordFacts, Close], DayReadings] = OrderedDict()
        self._judged: OrderedDict[tuple[DeviceFacts, bytes, Close], DayVerdict] = OrderedDict()

    def due(self, device: Device, shares: tuple[int, ...], signed: DayClose) -> list[tuple[DayClose, int]]:
        """The days and steps that may be said something about since this close, in order."""
        day = signed.close.day
        if is_source(device.facts):
            return [(signed, PROMPT)]
        before = self._store.close_before(device.id, signed.close.last_seq)
        previous = first_judged_day(device) - 1 if before is None else before.close.day
        steps = steps_of(shares)
        if steps == (PROMPT,):
            return [(signed, PROMPT)]
        found = [(signed, PROMPT)]  # what no window can change is said at once
        for step in steps:
            low = max(first_judged_day(device), previous - STEP_DAYS[step] + 1)
            for number in range(low, day - STEP_DAYS[step] + 1):
                close = self._store.close_of(device.id, number)
                if close is not None:
                    found.append((close, step))
        return found

    def say(
        self,
        device: Device,
        scheme: Scheme,
        signed: DayClose,
        step: int,
        newest_day: int,
        beside: Beside | None = None,
    ) -> StepVerdict | None:
        """What closes up to `newest_day` let say of a day at a step; None where it has to wait, or is at its end.

        `beside`: what the ledger says of the plant's neighbours, where it has any; their days must be held here.
        """
        if is_source(device.facts):
            return None if step else self._say_source(device, signed)
        close, facts, shares = signed.close, facts_of(device), scheme.release_shares
        steps = steps_of(shares)
        weighed, energy_wh = self._weigh(device, facts, signed)
        vouchable = beside is not None and weighed.verdict == "hold" and any_of(weighed.findings, RELEASABLE)
        if (weighed.verdict != "accept" and not (vouchable and step)) or steps == (PROMPT,):
            release_wh = energy_wh if weighed.verdict == "accept" else 0
            reasons = codes(weighed.findings)
            hours_wh = self._grid(facts, close).hours_wh if granular(scheme) and release_wh else ()
            return None if step else StepVerdict(close, step, weighed.verdict, reasons, energy_wh, release_wh, hours_wh)
        if newest_day < close.day + STEP_DAYS[step]:
            return None
        review = self._alone(device, facts, signed, step) if beside is None else self._beside(device, signed, beside)
        outcome: Outcome = "accept"
        found, hourly = weighed.findings, granular(scheme)
        parts = self._grid(facts, close).hours_wh if hourly else (energy_wh,)  # each is released by itself
        released: tuple[int, ...] = (0,) * len(parts)
        step_wh: tuple[int, ...] = ()
        for each in (each for each in steps if each <= step):
            if outcome == "reject":
                return None
            said = review(each, each == step)
            if said is None:
                return None
            (outcome, found), step_wh = said, ()
            if outcome == "accept":
                up_to = parts_released_up_to(parts, shares, each)
                step_wh, released = tuple(map(sub, up_to, released)), up_to
        release_wh = sum(step_wh)
        hours_wh = step_wh if hourly and release_wh else ()
        root = NO_INPUTS if beside is None else beside.root
        return StepVerdict(close, step, outcome, codes(found), energy_wh, release_wh, hours_wh, root)

    def _say_source(self, device: Device, signed: DayClose) -> StepVerdict:
        """Whether a climate source's day is whole; it has no energy and waits for no window."""
        close, facts = signed.close, device.facts
        before = self._store.last_closes(device.id, close.last_seq - 1, HISTORY_DAYS)
        earlier = [self._weather(facts, other.close) for other in before]
        found = judge_source_day(facts, self._weather(facts, close), earlier)
        return StepVerdict(close, PROMPT, combine(found), codes(found), 0, 0)

    def lacking(self, beside: Beside) -> list[int]:
        """Neighbours of whom something that is heard is not held here."""
        return [record.id for record, one in beside.told if not self._holds(record, one)]

    def _holds(self, record: Device, one: Heard) -> bool:
        try:
            if not is_source(record.facts):
                self._baselines.signed(record)
        except ReadingRefusal:
            return False
        held_seq = self._store.head(record.id).held_seq
        for day, root in one.days:
            signed = self._store.close_of(record.id, day)
            if signed is None or signed.close.readings_root != root or signed.close.last_seq > held_seq:
                return False
        return True

    def _alone(self, device: Device, facts: DeviceFacts, signed: DayClose, step: int) -> Review:
        """Each step by the plant's own windows."""
        close, (weighed, _) = signed.close, self._weigh(device, facts, signed)
        days = self._around(device, facts, close.day, step)
        limits = self._limits_of(device, facts)

        def review(each: int, _: bool) -> tuple[Outcome, tuple[Finding, ...]]:
            outcome, against = review_step(each, close.day, days, limits, facts.slots)
            return outcome, (*weighed.findings, *against)

        return review

    def _beside(self, device: Device, signed: DayClose, beside: Beside) -> Review:
        """Earlier steps as they stand on the ledger: more may have been heard since. None where one is missing."""

        def review(each: int, last: bool) -> tuple[Outcome, tuple[Finding, ...]] | None:
            if not last:
                known = beside.recorded.get(each)
                return None if known is None else (known, ())
            first, until = span(signed.close.day, each)
            own = self._plant(device, range(max(first, first_judged_day(device)), until + 1))
            told = [(record, [day for day, _ in one.days]) for record, one in beside.told]
            others = [self._plant(record, days) for record, days in told if not is_source(record.facts)]
            heard = [(record, days) for record, days in told if days and is_source(record.facts)]
            sources = [self._wind_of(record, days) for record, days in heard] if own.device.technology == "wind" else []
            skies = [self._light_of(record, days) for record, days in heard] if own.device.technology == "solar" else []
            grids = [(other, grid_of(other)) for other in others]
            return review_beside(each, signed.close.day, own, grids, sources, skies)

        return review

    def _wind_of(self, source: Device, days: Iterable[int]) -> Climate:
        return climate_of_days(station_of(source.facts, "wind"), self._heard_days(source, days))

    def _light_of(self, source: Device, days: Iterable[int]) -> Light:
        return light_of_days(station_of(source.facts, "solar"), self._heard_days(source, days))

    def _heard_days(self, source: Device, days: Iterable[int]) -> list[DayReadings]:
        closes = [signed.close for day in days if (signed := self._store.close_of(source.id, day)) is not None]
        return [self._weather(source.facts, close) for close in closes]

    def _weather(self, facts: RecordFacts, close: Close) -> DayReadings:
        """A day of a climate source on its grid."""
        found = self._weathers.get((facts, close))
        if found is None:
            signed = [parse_signed(text.encode()) for text in self._store.day(close.device, close.day)]
            station = station_of(facts, measured(facts)[0])
            found = read_day(station, close.day, [each.reading for each in signed])
            _keep(self._weathers, (facts, close), found, WEATHERS)
        return found

    def _plant(self, device: Device, days: Iterable[int]) -> Plant:
        """A plant with its commissioning and those of `days` that are closed, judged."""
        facts, profile = facts_of(device), self._baselines.signed(device)
        closed = [signed for signed in (self._store.close_of(device.id, day) for day in days) if signed is not None]
        grids = [self._grid(facts, signed.close) for signed in closed]
        verdicts = {signed.close.day: self._verdict(device, facts, signed) for signed in closed}
        listed = [*self._commissioning(device, facts), *grids]
        return Plant(facts, profile, device.profile_from, device.profile_to, listed, verdicts, {})

    def _commissioning(self, device: Device, facts: DeviceFacts) -> list[DayReadings]:
        key = (facts, device.id, device.profile_hash)
        found = self._commissioned.get(key)
        if found is None:
            readings = readings_between(self._store, device.id, device.profile_from, device.profile_to)
            found = days_of(facts, columns_of(readings))
            _keep(self._commissioned, key, found, COMMISSIONED)
        return found

    def _verdict(self, device: Device, facts: DeviceFacts, signed: DayClose) -> DayVerdict:
        key = (facts, device.profile_hash, signed.close)
        found = self._judged.get(key)
        if found is None:
            found = self.judge(device, signed)
            _keep(self._judged, key, found, JUDGED)
        return found

    def _around(self, device: Device, facts: DeviceFacts, day: int, step: int) -> Mapping[int, WeighedDay]:
        first, last = span(day, step)
        found: dict[int, WeighedDay] = {}
        for number in range(max(first, first_judged_day(device)), last + 1):
            close = self._store.close_of(device.id, number)
            if close is not None:
                found[number] = self._weigh(device, facts, close)[0]
        return found

    def _weigh(self, device: Device, facts: DeviceFacts, signed: DayClose) -> tuple[WeighedDay, int]:
        """A day as its windows see it, and its energy (Wh)."""
        key = (facts, device.profile_hash, signed.close)
        found = self._weighed.get(key)
        if found is None:
            verdict = self._verdict(device, facts, signed)
            found = weigh(facts, self._grid(facts, signed.close), verdict), verdict.energy_wh
            _keep(self._weighed, key, found, WEIGHED)
        return found

    def _limits_of(self, device: Device, facts: DeviceFacts) -> OwnLimits:
        """What windows may exceed: the technology's limits, raised where the plant's own commissioning went higher."""
        key = (device.id, device.profile_hash)
        found = self._limits.get(key)
        if found is None:
            days = self._commissioning(device, facts)
            profile = self._baselines.signed(device)
            plant = Plant(facts, profile, device.profile_from, device.profile_to, days, {}, {})
            found = own_limits(plant, grid_of(plant))
            _keep(self._limits, key, found, LIMITED)
        return found

    def judge(self, device: Device, signed: DayClose) -> DayVerdict:
        """The verdict on a close that is held completely. ProfileDiffers or ReadingRefusal where none can be given."""
        facts, close = facts_of(device), signed.close
        profile = self._baselines.signed(device)
        before = self._store.last_closes(device.id, close.last_seq - 1, HISTORY_DAYS)
        earlier = [self._grid(facts, other.close) for other in before]
        return judge_day(facts, profile, close.day, self._grid(facts, close), earlier)

    def curve(self, device: Device, day: int) -> Curve:
        """A day for a chart. A day that is not closed, or that nothing is judged by yet, has no verdict."""
        facts, signed = facts_of(device), self._store.close_of(device.id, day)
        if signed is None or not device.profile_hash or day < first_judged_day(device):
            texts = self._store.day(device.id, day)
            return Curve(read_day(facts, day, [parse_signed(text.encode()).reading for text in texts]), None)
        return Curve(self._grid(facts, signed.close), self.judge(device, signed))

    def _grid(self, facts: DeviceFacts, close: Close) -> DayReadings:
        key = (facts, close)
        grid = self._grids.get(key)
        if grid is None:
            signed = [parse_signed(text.encode()) for text in self._store.day(close.device, close.day)]
            mismatch = check_register(signed, self._before(close), facts.interval_s)
            grid = read_day(facts, close.day, [each.reading for each in signed], [mismatch] if mismatch else [])
            _keep(self._grids, key, grid, GRIDS)
        return grid

    def _before(self, close: Close) -> SignedReading | None:
        """The reading of the chain before the day's first."""
        text = self._store.raw(close.device, close.last_seq - close.count)
        return None if text is None else parse_signed(text.encode())


def _keep(kept: OrderedDict[Key, Value], key: Key, value: Value, most: int) -> None:
    kept[key] = value
    if len(kept) > most:
        kept.popitem(last=False)


def attestation_of(device: Device, said: StepVerdict, epoch: int) -> Attestation:
    return Attestation(
        epoch=epoch,
        device=device.id,
        day=said.close.day,
        step=said.step,
        revision=0,
        readings_root=said.close.readings_root,
        inputs_root=said.inputs_root,
        profile_hash=device.profile_hash,
        verifier_version=VERIFIER_VERSION,
        verdict=VERDICT_NAMES.index(said.outcome),
        reasons=said.reasons,
        release_wh=said.release_wh,
        energy_wh=said.energy_wh,
        hours_wh=said.hours_wh,
    )
