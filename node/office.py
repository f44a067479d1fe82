"""Which of this node's vote keys is in office, the journal of each, and the engine of the epoch.

A node holds one vote key, or two while it changes them: the old one votes until the epoch ends that decided the
rotation, the new one from the next block on. The new one may come while the node runs (`add`). Each key has a journal
of its own, begun before the key is first in office (`node/voting.py`). A node none of whose keys is in office observes:
it follows and commits, before it has joined and after it has left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from consensus.engine import Engine
from consensus.hindsight import Former
from consensus.own_votes import Signer as VoteSigner
from consensus.records import HeldQuorum, JournalRecord, OwnVote, Recovered
from consensus.timers import Timing
from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, Quorum
from node.config import Config
from node.home import DataDirectory
from node.journal import Journal
from node.ledger import Ledger
from node.signer import Signer
from node.voting import open_votes
from state.codec import decode, encode
from state.crypto import verify
from state.epochs import last_height
from state.errors import VoteStateLost
from state.records import Validator


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

    def __init__(
        self, ledger: Ledger, timing: Timing, seats: list[Seat], open_seat: Callable[[Signer], Seat] | None = None
    ) -> None:
        self._ledger, self._timing, self._seats, self._open_seat = ledger, timing, seats, open_seat
        self._former: Former | None = None  # of the engine that was begun last

    @classmethod
    def open(
        cls,
        config: Config,
        data: DataDirectory,
        ledger: Ledger,
        timing: Timing,
        signers: list[Signer],
        node_public: bytes,
    ) -> "Office":
        def open_seat(signer: Signer) -> Seat:
            tip, in_office = ledger.tip, {validator.vote_key for validator in ledger.validators}
            where = (tip.header.epoch, tip.view, tip.height)
            journal = open_votes(config, data, ledger.chain, signer.public, where, signer.public in in_office)
            seat = Seat(signer, journal, _recovered(journal))
            signer.remember(record.vote for record in seat.records if isinstance(record, OwnVote))
            return seat

        seats = [open_seat(signer) for signer in signers]
        if not seats:
            journal = _observers_journal(data.path / "journal", ledger.chain, node_public)
            seats.append(Seat(None, journal, _recovered(journal)))
        return cls(ledger, timing, seats, open_seat)

    @property
    def vote_keys(self) -> list[bytes]:
        """Public keys of those that this node can vote with, in office or waiting for it."""
        return [seat.signer.public for seat in self._seats if seat.signer]

    @property
    def signers(self) -> list[Signer]:
        return [seat.signer for seat in self._seats if seat.signer]

    def add(self, signer: Signer) -> None:
        """A key that came into the home while the node runs. It is in office at the next epoch at the earliest, so
        this must happen before `hand_over`."""
        assert self._open_seat is not None
        self._seats.append(self._open_seat(signer))

    def finish(self) -> None:
        """An orderly stop: each journal says how far it reached."""
        for seat in self._seats:
            seat.journal.finish()

    def close(self) -> None:
        for seat in self._seats:
            seat.journal.close()

    def seat_of(self, validators: Sequence[Validator]) -> Seat:
        """The one whose key is in office; the first where none is."""
        keys = {validator.vote_key for validator in validators}
        held = [seat for seat in self._seats if seat.signer and seat.signer.public in keys]
        return held[0] if held else self._seats[0]

    def term(self, listening: bool = False) -> Term:
        """The epoch of the block above the tip. `listening`: a validator that must not vote yet."""
        ledger, tip = self._ledger, self._ledger.tip
        validators = ValidatorSet(tuple(validator.vote_key for validator in ledger.validators))
        seat = self.seat_of(ledger.validators)
        epoch = ledger.epoch
        final = self._newest_finalization(seat, epoch)
        engine = Engine(
            chain=ledger.chain,
            epoch=epoch,
            validators=validators,
            timing=self._timing,
            verify=verify,
            recovered=Recovered(tip.header, final, seat.records),
            signer=VoteSigner(seat.signer.public, seat.signer.sign_vote) if seat.signer else None,
            may_vote=not listening and seat.journal.may_vote_in(epoch),
            last_height=last_height(epoch, ledger.parameters.epoch_length),
            former=self._former if self._former and self._former.epoch == epoch - 1 else None,
        )
        self._former = engine.remembered()
        return Term(engine, seat, validators.index_of(seat.signer.public) if seat.signer else None)

    def hand_over(self, finalization: Quorum) -> None:
        """Before the last block of an epoch is stored: every journal knows how the epoch ended.

        The one that votes next must not look older than the state when the node starts again.
        """
        record = HeldQuorum(finalization)
        for seat in self._seats:
            seat.records = (*(each for each in seat.records if each.epoch >= finalization.epoch), record)
            seat.journal.append([encode(record)])
            seat.journal.sync()

    def _newest_finalization(self, seat: Seat, epoch: int) -> Quorum | None:
        """The best one of the epoch: of the journal, or of the tip where the journal was just begun. None at its base,
        and where only a later block's covered the tip."""
        found = [record.quorum for record in seat.records if isinstance(record, HeldQuorum) and record.epoch == epoch]
        stored = self._ledger.finalization_at(self._ledger.tip.height)
        if stored is not None and self._ledger.tip.header.epoch == epoch:
            found.append(decode(Quorum, stored))
        return max((q for q in found if q.kind == FINALIZE), key=lambda quorum: quorum.view, default=None)


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
