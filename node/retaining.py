"""How long a node keeps raw readings: as long as its operator says, and always as long as something needs them.

A day may go once it is older than `node.keep_readings` days of block time and nothing leans on it any more:

- it is closed, held completely, judged, and at the last step of its release;
- no objection to it is open, and no correction of it waits for its certificates;
- no day that is not at its end looks back on it, of the plant or of one that it is a neighbour of: windows and ramps
  reach back half a year, verdicts forty closed days;
- it belongs to no commissioning window of those plants, of the signed profile or of one that is proposed: a profile is
  recomputed from its readings, by anybody, for as long as it is in force.

Before it goes it is written to the archive, signed as it came, and is on the disk there. Its close stays here.
"""

import asyncio
from pathlib import Path

from contracts.correct import credits_in
from contracts.hearing import speaks
from contracts.release import next_step
from node.app import Node
from node.archive import keep_day
from node.intake import Intake
from node.readings import ReadingStore
from node.verdicts import first_judged_day
from state.attestation import D90
from state.codec import decode
from state.errors import StoreError
from state.keyspace import Space, appeal_key, device_key, scheme_key, space_end
from state.overlay import Snapshot
from state.records import Appeal, Device, Proposal, Scheme
from state.transaction import ProfileContent, ProposalContent
from state.units import DAY_S
from verifier.review import span
from verifier.verdict import HISTORY_DAYS

LOOK_S = 3_600  # between looks; a day more or less does not matter
AT_ONCE = 8  # days let go at a stretch, so that intake's thread is never long away from readings


class Retaining:
    """A part of the node (`node.app.Part`)."""

    def __init__(self, node: Node, intake: Intake) -> None:
        self._node = node
        self._intake = intake
        self._keep_days = node.config.number("node.keep_readings")
        self._folder = Path(node.config.text("node.readings_archive") or node.config.home / "archive")
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except StoreError as error:  # an archive that cannot be written to: everything stays here, and is told
                self._node.log.error("readings_not_archived", why=str(error))
            except Exception as error:
                self._node.runtime.fail(error)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Let go of what nothing needs any more."""
        ledger, store = self._node.ledger, self._intake.store
        today = ledger.tip.header.timestamp_ms // 1_000 // DAY_S
        for device, _ in store.heads():
            days = droppable(store, ledger.store, device, today - self._keep_days)
            for start in range(0, len(days), AT_ONCE):
                await self._intake.let_go(device, days[start : start + AT_ONCE], self._archive)
            if days:
                self._node.log.info("readings_let_go", device=device, days=len(days), first=days[0], last=days[-1])

    def _archive(self, device: int, day: int) -> None:
        keep_day(self._intake.store, self._folder, device, day)


def droppable(store: ReadingStore, state: Snapshot, device: int, before_day: int) -> list[int]:
    """Days of a device before `before_day` whose readings nothing needs any more, oldest first."""
    record = state.get(device_key(device))
    if not isinstance(record, Device) or not speaks(record):
        return []
    closes = [signed.close for signed in store.closes(device, 0, store.head(device).held_seq)]
    oldest_open = min(_oldest_open(store, state, one) for one in (record, *_listeners(state, device)))
    reached = [close.day for close in closes if close.day < span(oldest_open, D90)[0]]
    windows = [window for one in (record, *_listeners(state, device)) for window in _windows(state, one)]
    kept = {credit.day for credit in credits_in(state, device)} | _objected(state, device)
    found = []
    for day in reached[: max(0, len(reached) - HISTORY_DAYS)]:
        commissioning = any(start // DAY_S <= day <= end // DAY_S for start, end in windows)
        if day < before_day and day not in kept and not commissioning and not store.dropped(device, day):
            found.append(day)
    return found


def _listeners(state: Snapshot, device: int) -> list[Device]:
    """Plants that hear this one."""
    low = bytes((Space.DEVICE,))
    found = (entry for _, entry in state.scan(low, space_end(low)))
    return [one for one in found if isinstance(one, Device) and device in one.neighbours]


def _oldest_open(store: ReadingStore, state: Snapshot, device: Device) -> int:
    """The oldest closed day of the plant that still waits for a step; where none does, its newest one."""
    scheme, first, head = state.get(scheme_key(device.scheme)), first_judged_day(device), store.head(device.id)
    assert isinstance(scheme, Scheme)
    days = (signed.close.day for signed in store.closes(device.id, 0, head.held_seq))
    open_days = (
        day for day in days if day >= first and next_step(state, scheme.release_shares, device.id, day) is not None
    )
    return min(open_days, default=head.day)


def _windows(state: Snapshot, device: Device) -> list[tuple[int, int]]:
    """Commissioning windows that somebody may have to recompute."""
    windows = [(device.profile_from, device.profile_to)]
    low = bytes((Space.PROPOSAL,))
    for _, proposal in state.scan(low, space_end(low)):
        if isinstance(proposal, Proposal) and proposal.status == "open":
            content = decode(ProposalContent, proposal.content)  # type: ignore[arg-type, var-annotated]
            if isinstance(content, ProfileContent) and content.device == device.id:
                windows.append((content.window_from, content.window_to))
    return windows


def _objected(state: Snapshot, device: int) -> set[int]:
    low = appeal_key(device, 0, 0, 0)[:5]
    found = (entry for _, entry in state.scan(low, space_end(low)))
    return {appeal.day for appeal in found if isinstance(appeal, Appeal) and appeal.status == "open"}
