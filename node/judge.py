"""The judge: whether this validator puts its name under a day, and what becomes of the names that come together.

    a close is held completely -> verdict on a worker thread -> attestation, signed and sent to the other validators
    attestations of others     -> counted where they are equal byte for byte
    q equal ones               -> an issue of the days of that device and month, sent by one validator first

Days of a device are judged in the order of its chain; where the scheme releases a day in steps (contracts/release.py),
a close also lets speak of the days for whose windows it is the last one. Days of the commissioning window, and all days
until a profile is signed on the ledger, wait. A held or rejected day is issued like an accepted one, with 0 Wh:
refusals stand on the record. Valid is not willing: nothing here decides what a block may contain.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from contracts.calendar import month_of_day
from contracts.context import BlockEnvironment
from contracts.correct import credit_of, credited, credits_in
from contracts.hearing import NO_INPUTS, speaks
from contracts.release import is_corrected, next_step
from node.baselines import Baselines
from node.beside import Beside, beside_of
from node.issuing import MAX_DAYS, build_issue, issue_transaction
from node.readings import ReadingStore
from node.verdicts import Curve, StepVerdict, Verdicts, attestation_of, first_judged_day
from node.wire import AttestationMsg, DayClose
from state.attestation import CORRECTION, PROMPT, STEP_DAYS, VERDICT_NAMES, Attestation, SignedBy, attestation_bytes
from state.codec import encode
from state.crypto import verify
from state.errors import ReadingRefusal, ReadingSignature, Refusal, Unknown, WattestError
from state.keyspace import device_key, release_key, scheme_key
from state.overlay import Snapshot
from state.records import Device, Scheme
from state.transaction import AttestedDay

ALL_SIGNED_MS = 300  # how long a quorum waits for the rest of the signatures, so that the record shows who agreed
OTHERS_MS = 2_000  # after which any validator sends the issue that was another one's turn
RETRY_MS = 4_000  # an issue that was sent and is not in a block by then is built anew
REPEAT_MS = 5_000  # own attestations of days without a record are sent again: a peer may have been away
REPEAT_AT_ONCE = 200
SWITCH_INTERVAL_S = 0.001  # how long the worker may keep the interpreter from the event loop: by default 5 ms each time
MAX_OPEN_DAYS = 5_000  # days attested by anybody that are not on the ledger yet; what comes beyond is sent again later

DayKey = tuple[int, int, int, int]  # device, day, step of its release, revision (from 1 on what a correction added)
Basis = tuple[object, ...]  # what a verdict takes from a device's record
Vote = tuple[Attestation, bytes]  # and its signature
MAX_VOTES = 64  # of one validator about one day: more are nothing that an honest one says


@dataclass
class OpenDay:
    """A day on its way to the ledger. `votes` by validator: every attestation that it signed, by its bytes.

    A validator judges again when the ledger names more of its neighbours' days, and messages overtake each other: what
    it said before is kept beside what it says now, so that each is counted and handed on once and none puts the other
    back. The ledger's rule decides which of them still holds.
    """

    votes: dict[int, dict[bytes, Vote]] = field(default_factory=dict)
    own: Vote | None = None  # what this validator says now
    own_sent_ms: int = 0
    agreed: AttestedDay | None = None  # what q signed alike, with all the signatures there are
    quorum_ms: int = 0  # since when q agree


@dataclass(frozen=True)
class Judged:
    """A verdict of this node, kept so that a new epoch costs a signature and no second judgement."""

    said: StepVerdict
    basis: Basis
    beside: Beside | None


@dataclass
class Ports:
    """What the judge is connected to. `tip` gives the committed state and the environment of the next block; `sign`
    is the vote key's; `submit` takes a transaction and raises a Refusal."""

    tip: Callable[[], tuple[Snapshot, BlockEnvironment]]
    send: Callable[[AttestationMsg], None]
    submit: Callable[[bytes], Awaitable[None]]
    sign: Callable[[bytes], bytes]
    now_ms: Callable[[], int]
    announce: Callable[[dict[str, Any]], None] = lambda _: None
    fetch: Callable[[int], None] = lambda _: None  # a device of which readings are missing here
    log: Callable[..., None] = lambda *_, **__: None


class Judge:
    """`index` is this validator's place in the set, None for an observer, which counts and never signs."""

    def __init__(self, store: ReadingStore, baselines: Baselines, index: int | None, ports: Ports) -> None:
        self._store = store
        self._baselines = baselines
        self._verdicts = Verdicts(store, baselines)
        self._index = index
        self._ports = ports
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._queue: asyncio.Queue[int] = asyncio.Queue()
        self._queued: set[int] = set()
        self._reached: dict[int, int] = {}  # by device: last seq of the newest close that was judged or passed over
        self._waiting: dict[int, Basis] = {}  # what the ledger said of a device when its days were last looked at
        self._judged: dict[DayKey, Judged] = {}
        self._open: dict[DayKey, OpenDay] = {}
        self._sent: dict[int, int] = {}  # by device: when an issue was last sent
        self._lacking: dict[int, set[int]] = {}  # by neighbour: the plants that wait for its readings
        self._epoch = -1

    async def run(self) -> None:
        """Judge what is held already, and then whatever `on_close` brings. Cancel to end it."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        for device, _ in self._store.heads():
            self.on_close(device)
        try:
            while True:
                device = await self._queue.get()
                self._queued.discard(device)
                await self._judge_device(device)
        finally:
            self._worker.shutdown(wait=False, cancel_futures=True)

    async def profile(self, device: int, from_s: int, to_s: int) -> dict[str, Any]:
        """The profile over this node's own readings of a window, for those who vote on it. Unknown, ReadingRefusal."""
        record = self._device(device)
        if record is None:
            raise Unknown(what="device", id=device)
        described: dict[str, Any] = await self._on_worker(self._baselines.describe, record, from_s, to_s)
        return described

    async def curve(self, device: int, day: int) -> dict[str, Any]:
        """A day by this node's readings and verifier, for a chart. Unknown, ReadingRefusal."""
        record = self._device(device)
        if record is None:
            raise Unknown(what="device", id=device)
        curve: Curve = await self._on_worker(self._verdicts.curve, record, day)
        return curve.describe()

    # --- what happens

    def take_seat(self, index: int | None) -> None:
        """Where this node sits in the set of the next block: it changes with the epoch."""
        self._index = index

    def on_close(self, device: int, day: int = 0) -> None:
        """A day of the device is held completely now."""
        for other in self._lacking.pop(device, set()):
            self._again(other)
        if device not in self._queued:
            self._queued.add(device)
            self._queue.put_nowait(device)

    def _again(self, device: int) -> None:
        """Look at all its days once more."""
        self._reached.pop(device, None)
        if device not in self._queued:
            self._queued.add(device)
            self._queue.put_nowait(device)

    def on_attestation(self, message: AttestationMsg) -> bool:
        """Count another validator's attestation; whether it was new, and so worth handing on.

        ReadingSignature is the sender's fault. Other epochs and days on the ledger are ignored.
        """
        snapshot, environment = self._ports.tip()
        attestation = message.attestation
        key = _key(attestation)
        if attestation.epoch != environment.epoch or message.validator >= len(environment.validators):
            return False
        if self._released(snapshot, *key):
            return False
        known = self._open.get(key)
        if known is None and len(self._open) >= MAX_OPEN_DAYS:
            return False
        said = known.votes.get(message.validator, {}) if known is not None else {}
        if encode(attestation) in said or len(said) >= MAX_VOTES:
            return False
        public = environment.validators[message.validator].vote_key
        if not verify(public, attestation_bytes(environment.chain, attestation), message.signature):
            raise ReadingSignature(what="attestation", device=attestation.device)
        self._count(key, message.validator, (attestation, message.signature), environment)
        return True

    def on_block(self) -> None:
        """A block was committed: forget what it recorded, and look again at what waited for it."""
        snapshot, environment = self._ports.tip()
        recorded = [key for key in self._open if self._released(snapshot, *key)]
        for key in recorded:
            del self._open[key]
            self._judged.pop(key, None)
            self._sent.pop(key[0], None)  # the account has moved: what is left can be built now
            record = self._device(key[0])
            if record is not None and record.neighbours:
                self._again(key[0])  # its next step names what was recorded of this one
        self._hear_again({device for device, *_ in recorded})
        for device, seen in list(self._waiting.items()):
            if _basis(self._device(device)) != seen:
                del self._waiting[device]
                self._reached.pop(device, None)
                self.on_close(device)
        if environment.epoch != self._epoch:
            self._epoch = environment.epoch
            self._begin_epoch(environment)
        self._attest_credits(snapshot, environment)

    def _hear_again(self, recorded: set[int]) -> None:
        """The ledger may name more days of these neighbours by now: what was said beside the former ones is stale."""
        for (device, *_), judged in self._judged.items():
            if judged.beside is not None and recorded.intersection(judged.beside.devices):
                self._again(device)

    async def on_tick(self) -> None:
        """Send what is due; called a few times a second."""
        now_ms = self._ports.now_ms()
        self._repeat(now_ms)
        for device in sorted(self._ready()):
            days = self._ready().get(device)  # again: a block may have come while the last issue was handed in
            if days is None:
                continue
            snapshot, environment = self._ports.tip()
            if now_ms - self._sent.get(device, -RETRY_MS) >= RETRY_MS and self._due(days, environment, now_ms):
                self._sent[device] = now_ms
                await self._send_issue(snapshot, environment, device, days)

    def devices_behind(self) -> set[int]:
        """Devices of which a quorum has attested a day that this validator does not hold, or not judge, by now."""
        latest_ms = self._ports.now_ms() - OTHERS_MS
        return {
            device
            for (device, *_), day in self._open.items()
            if day.agreed is not None and self._index not in day.votes and day.quorum_ms <= latest_ms
        }

    # --- judging

    async def _judge_device(self, device: int) -> None:
        record = self._device(device)
        if record is None or not speaks(record) or self._index is None:
            self._waiting[device] = _basis(record)
            return
        held_seq = self._store.head(device).held_seq
        for signed in self._store.closes(device, self._reached.get(device, 0), held_seq):
            if signed.close.day >= first_judged_day(record) and not await self._say_all(record, signed):
                return
            self._reached[device] = signed.close.last_seq
        # A new profile changes what is said of days that are not on the ledger yet.
        self._waiting[device] = _basis(record)

    async def _say_all(self, record: Device, signed: DayClose) -> bool:
        """What this close lets say, of its own day and of earlier ones; False where it has to be begun again."""
        device, newest = record.id, signed.close.day
        scheme = self._scheme(record)
        for close, step in self._verdicts.due(record, scheme.release_shares, signed):
            key = (device, close.close.day, step, 0)
            before = self._judged.get(key)
            snapshot = self._ports.tip()[0]
            if self._released(snapshot, *key):
                continue
            beside = beside_of(snapshot, record, scheme, close.close.day, step)
            if before is not None and before.basis == _basis(record) and before.beside in (None, beside):
                continue
            try:
                if beside is not None and await self._lacks(device, beside):
                    continue
                said = await self._on_worker(self._verdicts.say, record, scheme, close, step, newest, beside)
            except ReadingRefusal as refusal:
                self._ports.log("not_judged", device=device, day=key[1], code=refusal.code, why=str(refusal))
                self._waiting[device] = _basis(record)
                return False
            if _basis(self._device(device)) != _basis(record):
                self.on_close(device)  # re-baselined meanwhile: begin again with the new record
                return False
            if said is not None:
                self._judged[key] = Judged(said, _basis(record), beside if said.inputs_root != NO_INPUTS else None)
                self._attest(self._ports.tip()[1], record, self._judged[key])
            elif close is signed and step == PROMPT:
                self._ports.announce(
                    {"kind": "review", "device": device, "day": newest, "until": newest + STEP_DAYS[step]}
                )
        return True

    async def _lacks(self, device: int, beside: Beside) -> bool:
        """Whether something that is heard is missing here; it is fetched, and the plant judged when it has come."""
        missing: list[int] = await self._on_worker(self._verdicts.lacking, beside)
        for other in missing:
            self._lacking.setdefault(other, set()).add(device)
            self._ports.fetch(other)
        return bool(missing)

    def _scheme(self, device: Device) -> Scheme:
        scheme = self._ports.tip()[0].get(scheme_key(device.scheme))
        assert isinstance(scheme, Scheme)
        return scheme

    def _attest(self, environment: BlockEnvironment, device: Device, judged: Judged) -> None:
        self._sign_and_send(attestation_of(device, judged.said, environment.epoch), environment)

    def _attest_credits(self, snapshot: Snapshot, environment: BlockEnvironment) -> None:
        """What a quorum's corrections added waits for attestations: there is nothing left to judge about it."""
        if self._index is None:
            return
        for credit in credits_in(snapshot):
            device = self._device(credit.device)
            known = self._open.get((credit.device, credit.day, CORRECTION, credit.revision))
            if device is not None and (known is None or self._index not in known.votes):
                self._sign_and_send(credited(credit, device, environment.epoch, NO_INPUTS), environment)

    def _sign_and_send(self, attestation: Attestation, environment: BlockEnvironment) -> None:
        assert self._index is not None
        key = _key(attestation)
        signature = self._ports.sign(attestation_bytes(environment.chain, attestation))
        day = self._open.setdefault(key, OpenDay())
        day.own, day.own_sent_ms = (attestation, signature), self._ports.now_ms()
        self._count(key, self._index, day.own, environment)
        self._ports.send(AttestationMsg(attestation, self._index, signature))

    def _begin_epoch(self, environment: BlockEnvironment) -> None:
        """Attestations of another epoch count no more; own verdicts are signed again for this one."""
        stale = [key for key, day in self._open.items() if any(a.epoch != self._epoch for a in _said(day))]
        for key in stale:
            del self._open[key]
            judged, device = self._judged.get(key), self._device(key[0])
            if judged is not None and device is not None and _basis(device) == judged.basis:
                self._attest(environment, device, judged)

    async def _on_worker(self, work: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    # --- counting

    def _count(self, key: DayKey, validator: int, vote: Vote, environment: BlockEnvironment) -> None:
        day = self._open.setdefault(key, OpenDay())
        day.votes.setdefault(validator, {})[encode(vote[0])] = vote
        before, day.agreed = day.agreed, _agreeing(day, environment.quorum)
        if day.agreed is None:
            if len(day.votes) == len(environment.validators):
                self._ports.log("no_agreement", device=key[0], day=key[1], **_differences(day))
        elif before is None:
            day.quorum_ms = self._ports.now_ms()
        self._ports.announce(
            {
                "kind": "attestation",
                "device": key[0],
                "day": key[1],
                "step": key[2],
                "validator": validator,
                "verdict": VERDICT_NAMES[min(vote[0].verdict, len(VERDICT_NAMES) - 1)],
                "reasons": list(vote[0].reasons),
            }
        )

    def _ready(self) -> dict[int, list[AttestedDay]]:
        """By device: its attested days, ascending, of the month of the earliest one; of each day the next step."""
        snapshot, _ = self._ports.tip()
        found: dict[int, list[AttestedDay]] = {}
        agreed = sorted((key, day.agreed) for key, day in self._open.items() if day.agreed is not None)
        for (device, day, step, _), attested in agreed:
            days = found.setdefault(device, [])
            last = days[-1].attestation.day if days else day - 1  # two steps of one day go into two issues
            same_month = not days or month_of_day(last) == month_of_day(day)
            comes_next = step in (PROMPT, CORRECTION) or self._is_next(snapshot, device, day, step)
            if last < day and same_month and len(days) < MAX_DAYS and comes_next:
                days.append(attested)
        return {device: days for device, days in found.items() if days}

    def _is_next(self, snapshot: Snapshot, device: int, day: int, step: int) -> bool:
        record = self._device(device)
        return record is not None and next_step(snapshot, self._scheme(record).release_shares, device, day) == step

    # --- issuing

    def _due(self, days: list[AttestedDay], environment: BlockEnvironment, now_ms: int) -> bool:
        """Whose turn it is: one validator by the first day's key, the others when it stays silent."""
        first = days[0].attestation
        since_ms = self._open[_key(first)].quorum_ms
        count = len(environment.validators)
        all_signed = all(len(day.signatures) == count for day in days)
        wait_ms = 0 if all_signed else ALL_SIGNED_MS
        if (first.device + first.day) % count != self._index:
            wait_ms += OTHERS_MS
        return now_ms - since_ms >= wait_ms

    async def _send_issue(
        self, snapshot: Snapshot, environment: BlockEnvironment, device: int, days: list[AttestedDay]
    ) -> None:
        try:
            raw = issue_transaction(environment, build_issue(snapshot, environment, device, days))
            await self._ports.submit(raw)
        except Refusal as refusal:
            # Another validator was faster, or the account moved: the next block shows which.
            self._ports.log("issue_refused", device=device, code=refusal.code, why=str(refusal))
            record = self._device(device)
            if record is not None and record.neighbours:
                self._again(device)  # or the ledger names other inputs by now
        except WattestError as error:
            self._ports.log("issue_failed", device=device, code=error.code, why=str(error))
        else:
            self._ports.log("issue_sent", device=device, days=len(days))

    def _repeat(self, now_ms: int) -> None:
        repeated = 0
        for day in self._open.values():
            own = day.own
            if own is None or now_ms - day.own_sent_ms < REPEAT_MS:
                continue
            assert self._index is not None
            day.own_sent_ms = now_ms
            self._ports.send(AttestationMsg(own[0], self._index, own[1]))
            repeated += 1
            if repeated == REPEAT_AT_ONCE:
                return

    def _device(self, device: int) -> Device | None:
        record = self._ports.tip()[0].get(device_key(device))
        return record if isinstance(record, Device) else None

    @staticmethod
    def _released(snapshot: Snapshot, device: int, day: int, step: int, revision: int) -> bool:
        """Nothing is to be issued of it any more, or not yet."""
        if step == CORRECTION:
            credit = credit_of(snapshot, device, day)
            return credit is None or credit.revision != revision
        done = snapshot.get(release_key(device, day, step, 0)) is not None
        return done or revision > 0 or is_corrected(snapshot, device, day)


def _key(attestation: Attestation) -> DayKey:
    return attestation.device, attestation.day, attestation.step, attestation.revision


def _basis(device: Device | None) -> Basis:
    """A device's record but for its serial numbers, which move with every issue."""
    if device is None:
        return ()
    return (device.scheme, device.facts, device.until, device.profile_hash, device.profile_from, device.profile_to)


def _agreeing(day: OpenDay, quorum: int) -> AttestedDay | None:
    """The attestation that at least `quorum` validators signed byte for byte, with all their signatures.

    Of several, what this validator says now comes first.
    """
    groups: dict[bytes, list[tuple[int, Vote]]] = {}
    for validator, votes in day.votes.items():
        for raw, vote in votes.items():
            groups.setdefault(raw, []).append((validator, vote))
    agreed = [raw for raw, signed in groups.items() if len(signed) >= quorum]
    if not agreed:
        return None
    own = None if day.own is None else encode(day.own[0])
    chosen = groups[own if own is not None and own in agreed else agreed[-1]]
    signatures = tuple(SignedBy(validator, signature) for validator, (_, signature) in sorted(chosen, key=_validator))
    return AttestedDay(chosen[0][1][0], signatures)


def _validator(signed: tuple[int, Vote]) -> int:
    return signed[0]


def _said(day: OpenDay) -> list[Attestation]:
    return [attestation for votes in day.votes.values() for attestation, _ in votes.values()]


def _differences(day: OpenDay) -> dict[str, list[str]]:
    """Fields in which the attestations of one day differ, for the log."""
    votes = [list(said.values())[-1][0] for _, said in sorted(day.votes.items())]
    names = Attestation.__struct_fields__
    values = {name: [str(getattr(attestation, name)) for attestation in votes] for name in names}
    return {name: texts for name, texts in values.items() if len(set(texts)) > 1}
