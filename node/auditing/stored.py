"""A node's own data against the chain executed again: its state row by row, its indexes, and the readings behind it."""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.hearing import NO_INPUTS
from node.auditing.books import HOUR_S, Account, Books
from node.auditing.findings import Findings
from node.baselines import Baselines
from node.beside import Beside, beside_of
from node.readings import ReadingStore
from node.verdicts import Verdicts, attestation_of
from node.wire import DayClose
from state.attestation import CORRECTION, Attestation
from state.errors import ReadingRefusal
from state.keyspace import Space, device_key, scheme_key, space_end
from state.outputs import Output
from state.overlay import Snapshot
from state.records import Debt, Device, Issuance, MonthEnergy, Record, Scheme, Statement
from state.store import Store
from state.transaction import Issue
from verifier.reading import readings_root

COMPARED = (
    "verdict",
    "reasons",
    "energy_wh",
    "release_wh",
    "hours_wh",
    "profile_hash",
    "verifier_version",
    "inputs_root",
)
SHOWN = 12  # differing rows told for each space

NAMES = {
    Space.OUTPUT: "output",
    Space.STATEMENT: "statement",
    Space.DEVICE: "device",
    Space.MONTH_ENERGY: "account of energy",
    Space.RELEASE: "verdict",
    Space.ISSUANCE: "issuance",
    Space.PARTICIPANT: "participant",
    Space.NUMBER: "holder of a number",
    Space.SPENT: "history of an output",
    Space.HOLDING: "holding",
}
INDEXES = (Space.NUMBER, Space.ISSUED, Space.SPENT, Space.HOLDING)


def check_state(books: Books, store: Store, found: Findings) -> None:
    """The state that the rules lead to against the books: what lives, what was retired, what is carried."""
    lives = {key[1:]: entry for key, entry in _entries(store, Space.OUTPUT)}
    for point in lives.keys() | books.live.keys():
        if lives.get(point) != books.live.get(point):
            found.add("state_differs", f"output {point.hex()}", "the state and the books differ")
    statements = {key[1:]: entry for key, entry in _entries(store, Space.STATEMENT)}
    for identity in books.statements.keys() | statements.keys():
        entry = statements.get(identity)
        claimed = entry.quantity if isinstance(entry, Statement) else None
        if claimed != books.statements.get(identity):
            found.add("retirement_lost", f"statement {identity.hex()}", "retired certificates and its record differ")
    for _, entry in _entries(store, Space.DEVICE):
        assert isinstance(entry, Device)
        following = books.plants[entry.id].next_serial
        if entry.next_serial != following:
            found.add("state_differs", f"plant {entry.id}", f"goes on with {entry.next_serial}, not {following}")
    for _, entry in _entries(store, Space.MONTH_ENERGY):
        assert isinstance(entry, MonthEnergy)
        own = books.plants[entry.device].accounts.get(entry.month)
        booked = {name: getattr(entry, name) for name in vars(Account())}
        if own is None or booked != vars(own):
            found.add("account_differs", f"plant {entry.device}, month {entry.month}", f"{booked} against {own}")
    for _, entry in _entries(store, Space.ISSUANCE):
        assert isinstance(entry, Issuance)
        _check_issuance(books, entry, found)
    on_record = {entry.device: entry.debt_wh for _, entry in _entries(store, Space.DEBT) if isinstance(entry, Debt)}
    by_books = {number: plant.debt_wh for number, plant in books.plants.items()}
    for number in sorted(on_record.keys() | by_books.keys()):
        debt_wh, owed = on_record.get(number, 0), by_books.get(number, 0)
        if debt_wh != owed:
            found.add("debt_differs", f"plant {number}", f"owes {debt_wh} Wh on record, {owed} by the books")


def _check_issuance(books: Books, entry: Issuance, found: Findings) -> None:
    """The month that its certificates bear, and in an hourly scheme the hour."""
    plant, place = books.plants[entry.device], f"issuance {entry.id}"
    if not plant.births or plant.month_of(entry.start) != entry.month:
        found.add("issuance_differs", place, f"certificates of plant {entry.device} bear the month {entry.month}")
    elif plant.face_wh == 1:
        hour = plant.hours.get(entry.start)
        if hour is None or (entry.production_from, entry.production_to) != (hour, hour + HOUR_S):
            why = f"certificates from {entry.start} on are of {entry.production_from} s, attested was {hour} s"
            found.add("hours_differ", place, why)


def compare(replayed: Store, stored: Store, found: Findings) -> int:
    """Every row of the state, and of the indexes that can be derived, against the replayed ones; how many there are."""
    spaces = [space for space in Space if space < 0x80]
    return sum(_compare_space(replayed, stored, space, found) for space in (*spaces, *INDEXES))


def _compare_space(replayed: Store, stored: Store, space: Space, found: Findings) -> int:
    kind = "state_differs" if space < 0x80 else "index_differs"
    if space == Space.STATEMENT:
        kind = "retirement_lost"
    rows = told = 0
    for key, right, held in _beside(replayed, stored, space):
        rows += 1
        if right == held:
            continue
        told += 1
        if told <= SHOWN:
            how = "is missing" if held is None else "should not be there" if right is None else "is another one"
            found.add(kind, f"{NAMES.get(space, space.name.lower())} {key[1:].hex()}", f"the stored row {how}")
    if told > SHOWN:
        found.add(kind, NAMES.get(space, space.name.lower()), f"{told - SHOWN} more rows differ")
    return rows


def _beside(first: Store, second: Store, space: Space) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """Rows of both by key; None where one has none."""
    prefix = bytes((space,))
    left, right = (store.scan_raw(prefix, space_end(prefix)) for store in (first, second))
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield one[0], one[1], None
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield other[0], None, other[1]
            other = next(right, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(left, None), next(right, None)


def _entries(store: Store, space: Space) -> Iterator[tuple[bytes, Output | Record]]:
    prefix = bytes((space,))
    yield from store.scan(prefix, space_end(prefix))


# --- readings


@dataclass
class Compared:
    """Days whose readings are held here, and those that are not."""

    days: int = 0
    without: int = 0


class Evidence:
    """The readings that a node holds against what its issues say of them."""

    def __init__(self, readings: ReadingStore, found: Findings) -> None:
        self._readings = readings
        self._verdicts = Verdicts(readings, Baselines(readings))
        self._found = found
        self.compared = Compared()

    def check(self, place: str, state: Snapshot, action: Issue) -> None:
        """Each day of an issue: the same readings, and the same verdict on them. `state` is the one after its block."""
        device, scheme = state.get(device_key(action.device)), state.get(scheme_key(action.scheme))
        assert isinstance(device, Device)
        assert isinstance(scheme, Scheme)
        for attested in action.days:
            judged = attested.attestation
            if judged.step == CORRECTION:  # a quorum's decision, not a verdict
                continue
            signed = self._readings.close_of(judged.device, judged.day)
            dropped = self._readings.dropped(judged.device, judged.day)
            if signed is None or dropped or signed.close.last_seq > self._readings.head(judged.device).held_seq:
                self.compared.without += 1
                continue
            beside = beside_of(state, device, scheme, judged.day, judged.step)
            if beside is not None and judged.inputs_root != NO_INPUTS and not self._hears(beside, judged):
                self.compared.without += 1
                continue
            self.compared.days += 1
            where = f"{place}, plant {judged.device}, day {judged.day}"
            texts = self._readings.day(judged.device, judged.day)
            if readings_root(text.encode() for text in texts) != judged.readings_root:
                self._found.add("readings_differ", where, f"{len(texts)} readings give another root")
                continue
            try:
                own = self._said(device, scheme, signed, judged, beside)
            except ReadingRefusal as refusal:
                self._found.add("verdict_differs", where, f"no verdict can be given: {refusal}")
                continue
            if own is None:
                self._found.add("verdict_differs", where, f"nothing can be said of step {judged.step} yet")
                continue
            for name in COMPARED:
                if getattr(own, name) != getattr(judged, name):
                    told = f"{name} is {getattr(own, name)} by these readings, {getattr(judged, name)} was attested"
                    self._found.add("verdict_differs", where, told)

    def _hears(self, beside: Beside, judged: Attestation) -> bool:
        """Whether the neighbours' days that were heard are held here, and not told of later in the same block."""
        return beside.root == judged.inputs_root and not self._verdicts.lacking(beside)

    def _said(
        self, device: Device, scheme: Scheme, signed: DayClose, judged: Attestation, beside: Beside | None
    ) -> Attestation | None:
        """What this node would attest of a day at a step, from all the days that it holds."""
        newest_day = self._readings.head(device.id).held_day
        said = self._verdicts.say(device, scheme, signed, judged.step, newest_day, beside)
        return None if said is None else attestation_of(device, said, judged.epoch)
