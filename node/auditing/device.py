"""One plant's record judged again by somebody who trusts no node: readings downloaded, verdicts recomputed, compared.

A node only delivers. What it says a day's readings are is taken where they give the root that validators attested on
the ledger; readings of the commissioning window are taken where they give the root of their close, and all of them
together the hash of the profile that was signed. A day whose readings nobody delivers is unproven, and so is a day
whose verdict leans on such a day; it is never called equal, and never different. Where a quorum corrected a day there
is nothing to recompute: it was decided.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import Any, Protocol

from msgspec.structs import replace

from contracts.hearing import NO_INPUTS, asks, speaks
from contracts.release import steps_of
from node.answers import struct_of
from node.auditing.neighbours import Neighbour, Place, beside_candidates, recorded_before
from node.baselines import Baselines
from node.beside import Beside
from node.intake import CLOSE_TAG, closed_by
from node.readings import Entry, Head, ReadingStore
from node.verdicts import StepVerdict, Verdicts, first_judged_day
from node.wire import Close, DayClose, Readings
from state.attestation import CORRECTION, PROMPT, STEP_DAYS, VERDICT_NAMES
from state.crypto import signed_bytes, verify
from state.errors import DecodeError, ProfileDiffers, ReadingRefusal, WattestError
from state.merkle import merkle_root
from state.records import Device, Scheme
from state.store import MemoryRows
from state.units import DAY_S
from verifier.reading import parse_signed
from verifier.review import span
from verifier.source import is_source
from verifier.verdict import HISTORY_DAYS

STEP_NAMES = ("prompt", "month", "season", "correction")
YES, NO, UNPROVEN, DECIDED = "yes", "no", "unproven", "decided"
COMPARED = ("verdict", "reasons", "energy_wh", "release_wh")
EARLIER_S = 60 * DAY_S  # before the first verdict: what it may look back on where the commissioning window is shorter


class Holder(Protocol):
    """Somebody who may have a day's readings: a node, or files of an archive."""

    @property
    def url(self) -> str: ...

    def evidence(self, device: int, day: int) -> dict[str, Any]: ...


class Source(Protocol):
    """A node's API, as `node.client.NodeClient` has it."""

    @property
    def url(self) -> str: ...

    def get(self, path: str, **query: Any) -> dict[str, Any]: ...

    def pages(self, path: str, field: str, **query: Any) -> Iterator[dict[str, Any]]: ...


@dataclass(frozen=True)
class Asked:
    """A node as a holder."""

    source: Source

    @property
    def url(self) -> str:
        return self.source.url

    def evidence(self, device: int, day: int) -> dict[str, Any]:
        return self.source.get(f"/v1/devices/{device}/evidence", day=day)


@dataclass(frozen=True)
class Row:
    """One step of one day. `differs` names each field with both values."""

    day: int
    step: int
    chain: str
    recomputed: str
    equal: str
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "step": STEP_NAMES[self.step]}


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def count(self, equal: str) -> int:
        return sum(row.equal == equal for row in self.rows)


class DeviceAudit:
    """`sources` are asked in turn for what the one before lacks; all of them must tell the same record of each day."""

    def __init__(
        self,
        sources: Sequence[Source],
        device: int,
        progress: Callable[[int, int], None],
        archives: Sequence[Holder] = (),
        store: ReadingStore | None = None,
    ) -> None:
        self._sources = sources
        self._archives = archives
        self._holders: list[Holder] = [*archives, *(Asked(source) for source in sources)]
        self._device = device
        self._progress = progress
        self._report = Report()
        self._store = ReadingStore(MemoryRows()) if store is None else store
        self._closes: list[Close] = []
        self._lacking: dict[int, str] = {}  # days on the ledger without readings, and why
        self._verdicts = Verdicts(self._store, Baselines(self._store))
        self._neighbours: list[Neighbour] = []
        self._places: dict[str, Place] = {}

    def run(self, first_day: int, last_day: int) -> Report:
        """Every record of the days first..last. WattestError where no node answers at all."""
        shown = self._sources[0].get(f"/v1/devices/{self._device}")
        record, scheme = struct_of(Device, shown), self._scheme(int(shown["scheme"]))
        days = [day for day in self._days(self._sources[0]) if first_day <= day["day"] <= last_day]
        if not days:
            return self._report
        records = [record, *self._earlier(record)]
        begin = min(min(each.profile_from, each.profile_to - EARLIER_S) for each in records) // DAY_S
        end = max(day["day"] + STEP_DAYS[max(steps_of(scheme.release_shares))] for day in days)
        self._compare_nodes(days)
        roots = self._roots()
        self._download(min(roots) if is_source(record.facts) else begin, end, roots, _keys(shown))
        if asks(record, scheme):
            self._neighbours = [self._neighbour(number, begin, end) for number in record.neighbours]
        told = self._days(self._sources[0])
        for day in days:
            self._report.rows.append(self._row(records, scheme, day, told))
        return self._report

    def _neighbour(self, number: int, begin: int, end: int) -> Neighbour:
        """A neighbour's record and days, its readings downloaded beside the plant's own."""
        one = DeviceAudit(self._sources, number, self._progress, self._archives, self._store)
        shown = self._sources[0].get(f"/v1/devices/{number}")
        record = struct_of(Device, shown)
        records = (record, *one._earlier(record))
        windows = [each.profile_from // DAY_S for each in records if each.profile_hash]
        roots = one._roots()
        low = min(roots, default=end) if is_source(record.facts) else min([begin, *windows])
        one._download(low, end, roots, _keys(shown))
        self._report.findings += [f"neighbour {number}, {finding}" for finding in one._report.findings]
        return Neighbour(records, one._days(self._sources[0]))

    # --- what the ledger says

    def _scheme(self, scheme: int) -> Scheme:
        for shown in self._sources[0].get("/v1/schemes")["schemes"]:
            if int(shown["id"]) == scheme:
                return struct_of(Scheme, shown)
        raise DecodeError(why=f"{self._sources[0].url} does not know scheme {scheme}")

    def _days(self, source: Source) -> list[dict[str, Any]]:
        return list(source.pages(f"/v1/devices/{self._device}/days", "days"))

    def _roots(self) -> dict[int, str]:
        return {day["day"]: day["readings_root"] for day in self._days(self._sources[0]) if day["step"] != CORRECTION}

    def _earlier(self, record: Device) -> list[Device]:
        """The record under the profiles that were signed before the current one."""
        found = []
        for proposal in self._sources[0].pages("/v1/proposals", "proposals", status="enacted"):
            content = proposal["content"]
            if content.get("profile_hash") in (None, record.profile_hash.hex()) or content["device"] != record.id:
                continue
            window = {"profile_from": int(content["window_from"]), "profile_to": int(content["window_to"])}
            found.append(replace(record, profile_hash=bytes.fromhex(content["profile_hash"]), **window))
        return found

    def _compare_nodes(self, days: Sequence[dict[str, Any]]) -> None:
        told = {(day["day"], day["step"]): day for day in days}
        for source in self._sources[1:]:
            for other in self._days(source):
                day = told.get((other["day"], other["step"]))
                if day is not None and any(day[name] != other[name] for name in (*COMPARED, "readings_root", "txid")):
                    self._find(day["day"], f"{self._sources[0].url} and {source.url} tell different records")

    # --- readings

    def _download(self, begin: int, end: int, roots: dict[int, str], keys: set[bytes]) -> None:
        for day in range(max(0, begin), end + 1):
            self._progress(day - max(0, begin), end + 1 - max(0, begin))
            for source in self._holders:
                try:
                    taken = self._taken(source, day, roots.get(day), keys)
                except (ReadingRefusal, DecodeError) as refusal:
                    self._find(day, f"{source.url} delivers what is no day of readings: {refusal}")
                    continue
                except WattestError as failure:
                    self._lacking[day] = f"{source.url}: {failure}"
                    continue
                if taken:
                    self._lacking.pop(day, None)
                    break
            else:
                if day in roots:
                    self._lacking.setdefault(day, "no node has its readings")

    def _taken(self, source: Holder, day: int, root: str | None, keys: set[bytes]) -> bool:
        """Whether this node delivered the day, and it is what was attested."""
        shown = source.evidence(self._device, day)
        if shown["close"] is None:
            return False
        close = closed_by(shown["close"]["close"])
        signed = DayClose(close, bytes.fromhex(shown["close"]["key"]), bytes.fromhex(shown["close"]["signature"]))
        held = _held(shown["batches"], close)
        if not held:  # it let the day's readings go, and kept the close
            return False
        given = merkle_root([text.encode() for _, _, text in sorted((time, seq, text) for seq, time, text in held)])
        if given != close.readings_root or (root is not None and given.hex() != root):
            what = "attested" if root is not None else "closed by the meter"
            self._find(day, f"{source.url} delivers {len(held)} readings that are not those {what}")
            return False
        if root is None and not self._is_signed(signed, keys):
            self._find(day, f"{source.url} delivers a close that the plant's credential did not sign")
            return False
        self._add(signed, held)
        return True

    def _is_signed(self, signed: DayClose, keys: set[bytes]) -> bool:
        chain = bytes.fromhex(str(self._sources[0].get("/v1/status")["chain_id"]))
        return signed.key in keys and verify(signed.key, signed_bytes(CLOSE_TAG, chain, signed.close), signed.signature)

    def _add(self, signed: DayClose, held: Sequence[tuple[int, int, str]]) -> None:
        close = signed.close
        days = len(self._closes) + 1
        head = Head(close.last_seq, close.head_hash, close.day, None, close.last_seq, close.day, days)
        entries = [Entry(seq, time) for seq, time, _ in held]
        texts = tuple(text for _, _, text in held)
        self._store.append(Readings(self._device, texts, signed.key, bytes(64)), entries, head)
        self._store.add_close(signed, head)
        self._closes.append(close)

    # --- comparing

    def _row(
        self, records: Sequence[Device], scheme: Scheme, told: dict[str, Any], days: Sequence[dict[str, Any]]
    ) -> Row:
        day, step, chain = told["day"], told["step"], _says(told["verdict"], told["release_wh"], told["reasons"])
        if step == CORRECTION:
            return Row(day, step, chain, "", DECIDED, "a quorum corrected the day")
        signed = self._store.close_of(self._device, day)
        if signed is None:
            return Row(day, step, chain, "", UNPROVEN, self._lacking.get(day, "no node has its readings"))
        own = differs = ""
        for record in records:
            if not speaks(record) or day < first_judged_day(record):
                continue
            looked = (
                (day, day)
                if is_source(record.facts) or steps_of(scheme.release_shares) == (PROMPT,)
                else span(day, step)
            )
            hole = self._hole(record, *looked)
            if hole:
                return Row(day, step, chain, "", UNPROVEN, hole)
            beside, lacks = self._beside(record, scheme, told, days)
            if lacks:
                return Row(day, step, chain, "", UNPROVEN, lacks)
            said, why = self._said(record, scheme, signed, step, beside)
            if said is None:
                differs = differs or why
                continue
            own, why = _says(said.outcome, str(said.release_wh), said.reasons), _differences(told, said)
            if not why:
                return Row(day, step, chain, own, YES)
            differs = differs or why
        self._find(day, f"{STEP_NAMES[step]}: {differs or 'the plant has no signed profile'}")
        return Row(day, step, chain, own, NO, differs)

    def _beside(
        self, record: Device, scheme: Scheme, told: dict[str, Any], days: Sequence[dict[str, Any]]
    ) -> tuple[Beside | None, str]:
        """What was heard at this step, and why that cannot be judged again where it cannot."""
        if not asks(record, scheme):
            return None, ""
        recorded = recorded_before(days, told)
        if told["inputs_root"] == NO_INPUTS.hex():
            return Beside((), recorded, NO_INPUTS), ""
        for found in beside_candidates(record, self._neighbours, told, self._place):
            if found.root.hex() == told["inputs_root"]:
                missing = self._verdicts.lacking(found)
                named = ", ".join(str(number) for number in missing)
                return replaced(found, recorded=recorded), f"no node has what neighbour {named} said" if missing else ""
        return None, ""

    def _place(self, txid: str) -> Place:
        if txid not in self._places:
            shown = self._sources[0].get(f"/v1/transactions/{txid}")
            self._places[txid] = int(shown["height"]), int(shown["index"])
        return self._places[txid]

    def _said(
        self, record: Device, scheme: Scheme, signed: DayClose, step: int, beside: Beside | None
    ) -> tuple[StepVerdict | None, str]:
        if beside is None and asks(record, scheme):
            return None, "the ledger's days of its neighbours do not give the inputs that were attested"
        newest = signed.close.day + STEP_DAYS[step]
        try:
            said = self._verdicts.say(record, scheme, signed, step, newest, beside)
        except ProfileDiffers:
            return None, "the commissioning readings do not give the profile that was signed"
        except ReadingRefusal as refusal:
            return None, str(refusal)
        return said, "" if said is not None else "by these readings nothing is said at this step"

    def _hole(self, record: Device, first: int, last: int) -> str:
        """Why no verdict that looks at the days first..last can be recomputed for certain: what it leans on is missing.

        Each of them leans on the closed days before it, and all on those of the commissioning window.
        """
        closes, low = self._closes, record.profile_from // DAY_S
        begins = next((place for place, close in enumerate(closes) if close.day >= max(first, low)), 0)
        commissioned = [place for place, close in enumerate(closes) if low <= close.day <= record.profile_to // DAY_S]
        for place in range(1, len(closes)):
            before, after = closes[place - 1], closes[place]
            used = place >= begins - HISTORY_DAYS or place in commissioned
            if used and after.last_seq - after.count != before.last_seq and before.day < last:
                return f"readings between day {before.day} and day {after.day} are missing here"
        if closes[0].last_seq != closes[0].count and closes[0].day >= low:
            return f"readings before day {closes[0].day} are missing here"
        if closes[-1].day < last and last in self._lacking:
            return f"it leans on day {last}: {self._lacking[last]}"
        return ""

    def _find(self, day: int, what: str) -> None:
        self._report.findings.append(f"day {day}: {what}")


def _keys(shown: dict[str, Any]) -> set[bytes]:
    """Keys that may have signed the plant's days: the credential's, and those before it."""
    credential = shown["credential"] or {"key": "", "changes": []}
    return {bytes.fromhex(key) for key in (credential["key"], *(each["former"] for each in credential["changes"]))}


def _says(verdict: str, release_wh: str, reasons: Sequence[str]) -> str:
    return f"{verdict} {int(release_wh)} Wh{' ' + ','.join(reasons) if reasons else ''}"


def _differences(told: dict[str, Any], said: StepVerdict) -> str:
    own = {
        "verdict": said.outcome,
        "reasons": list(said.reasons),
        "energy_wh": str(said.energy_wh),
        "release_wh": str(said.release_wh),
    }
    assert own["verdict"] in VERDICT_NAMES
    return "; ".join(
        f"{name} {told[name]} on the ledger, {own[name]} recomputed" for name in COMPARED if told[name] != own[name]
    )


def _held(batches: Sequence[dict[str, Any]], close: Close) -> list[tuple[int, int, str]]:
    """(seq, time, text) of the readings that the close counts, by seq."""
    found = set()
    for text in {text for batch in batches for text in batch["readings"]}:
        signed = parse_signed(text.encode())
        if signed.reading.timestamp // DAY_S == close.day and signed.seq <= close.last_seq:
            found.add((signed.seq, signed.reading.timestamp, text))
    return sorted(found)
