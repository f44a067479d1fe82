"""Which of this node's vote keys is in office, the journal of each, and the engine of the epoch.

A node holds one vote key, or two while it changes them: the old one votes until the epoch ends that decided the
rotation, the new one from the next block on. Each key has a journal of its own, begun before the key is first in
office; a key whose journal is gone never votes again. A node none of whose keys is in office observes: it follows and
commits, before it has joined and after it has left.
"""

from dataclasses import dataclass
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from consensus.engine import Engine
from consensus.own_votes import Signer as VoteSigner
from consensus.records import HeldQuorum, JournalRecord, OwnVote, Recovered
from consensus.timers import Timing
from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, Quorum
from node.home import DataDirectory
from node.journal import Journal, journal_key
from node.ledger import Ledger
from node.signer import Signer
from state.codec import decode, encode
from state.crypto import verify
from state.epochs import last_height
from state.errors import VoteStateLost


@dataclass
class Seat:
    """A vote key and its journal. An observer without vote keys has one seat without a signer."""

    signer: Signer | None
    journal: Journal
    records: tuple[JournalRecord, ...]


@dataclass(frozen=True)
class Term:
    """One epoch as the runtime serves it. `index` is this node's place in the set, None while it observes."""

    engine: Engine
    seat: Seat
    index: int | None


class Office:
    """Opened once; `term` after that, at the start and at the end of every epoch."""

    def __init__(self, ledger: Ledger, timing: Timing, seats: list[Seat], log: FilteringBoundLogger) -> None:
        self._ledger, self._timing, self._seats, self._log = ledger, timing, seats, log

    @classmethod
    def open(
        cls,
        ledger: Ledger,
        timing: Timing,
        signers: list[Signer],
        data: DataDirectory,
        node_public: bytes,
        log: FilteringBoundLogger,
    ) -> "Office":
        """VoteStateLost where a key that is in office now has no journal that can be trusted."""
        in_office = {validator.vote_key for validator in ledger.validators}
        seats = []
        for signer in signers:
            try:
                journal = _open_journal(ledger, data, signer.public, signer.public in in_office)
            except VoteStateLost as lost:
                if signer.public in in_office:
                    raise
                log.warning("vote_key_unusable", key=signer.public.hex()[:16], why=str(lost))
                continue
            seat = Seat(signer, journal, _recovered(journal))
            signer.remember(record.vote for record in seat.records if isinstance(record, OwnVote))
            seats.append(seat)
        if not seats:
            journal = _observers_journal(data.path / "journal", ledger.chain, node_public)
            seats.append(Seat(None, journal, _recovered(journal)))
        return cls(ledger, timing, seats, log)

    def close(self) -> None:
        for seat in self._seats:
            seat.journal.close()

    def term(self, listening: bool = False) -> Term:
        """The epoch of the block above the tip. `listening`: a validator that must not vote yet."""
        ledger = self._ledger
        validators = ValidatorSet(tuple(validator.vote_key for validator in ledger.validators))
        held = [seat for seat in self._seats if seat.signer and validators.index_of(seat.signer.public) is not None]
        seat = held[0] if held else self._seats[0]
        index = validators.index_of(seat.signer.public) if seat.signer else None
        epoch, final = ledger.epoch, self._newest_finalization(seat)
        tip = ledger.tip
        if index is not None and tip.height and (final is None or final.view < tip.view):
            raise VoteStateLost(why=f"the state is at view {tip.view}, the journal is older: it was restored or cut")
        signer = VoteSigner(seat.signer.public, seat.signer.sign_vote) if seat.signer else None
        engine = Engine(
            chain=ledger.chain,
            epoch=epoch,
            validators=validators,
            timing=self._timing,
            verify=verify,
            recovered=Recovered(tip.header, final if final and final.epoch == epoch else None, seat.records),
            signer=signer,
            may_vote=not listening and seat.journal.header.valid_from_epoch <= epoch,
            last_height=last_height(epoch, ledger.parameters.epoch_length),
        )
        return Term(engine, seat, index)

    def hand_over(self, finalization: Quorum) -> None:
        """Before the last block of an epoch is stored: every journal knows how the epoch ended.

        The one that votes next must not look older than the state when the node starts again.
        """
        record = HeldQuorum(finalization)
        for seat in self._seats:
            if record not in seat.records:
                seat.records = (*seat.records, record)
                seat.journal.append([encode(record)])
                seat.journal.sync()

    def _newest_finalization(self, seat: Seat) -> Quorum | None:
        """The best one of the tip's epoch. It was synced before its block was stored, so the state is never ahead."""
        epoch = self._ledger.tip.header.epoch
        found = [record.quorum for record in seat.records if isinstance(record, HeldQuorum) and record.epoch == epoch]
        return max((q for q in found if q.kind == FINALIZE), key=lambda quorum: quorum.view, default=None)


# --- journals


def _open_journal(ledger: Ledger, data: DataDirectory, public: bytes, in_office: bool) -> Journal:
    """The journal of a vote key; begun here only for a key that never had one and cannot have voted."""
    directory = journal_of(data.path, public)
    if Journal.exists(directory):
        journal = Journal.open(directory, ledger.chain, public)
        data.mark_vote_key_started(public)
        return journal
    if (ledger.tip.height and in_office) or data.vote_key_started(public):
        raise VoteStateLost(
            why=f"{directory} is gone, but this vote key has been used. Stop using the key: voting without its "
            "record could contradict past votes. Run the node as an observer (take vote.json out of its keys)"
        )
    journal = Journal.create(directory, ledger.chain, public)
    data.mark_vote_key_started(public)
    return journal


def journal_of(data: Path, public: bytes) -> Path:
    """DATA/journal is the first key's; a key that comes later has a directory of its own name beside it."""
    own, first = data / f"journal-{public.hex()[:16]}", data / "journal"
    if Journal.exists(own):
        return own
    return first if journal_key(first) in (None, public) else own


def _observers_journal(directory: Path, chain: bytes, node_public: bytes) -> Journal:
    """An observer keeps quorums only: where its journal cannot be read it begins a new one."""
    if Journal.exists(directory):
        try:
            return Journal.open(directory, chain, node_public)
        except VoteStateLost:
            for path in directory.iterdir():
                path.unlink()
    return Journal.create(directory, chain, node_public)


def _recovered(journal: Journal) -> tuple[JournalRecord, ...]:
    return tuple(decode(JournalRecord, record) for record in journal.recovered)  # type: ignore[arg-type]
