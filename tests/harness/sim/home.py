"""What a simulated node keeps: its disk, the journals of its vote keys, and what to do when they are gone."""

from pathlib import Path

from harness.sim.beginning import holders
from harness.sim.disk import FakeDisk
from harness.sim.keys import key_of, node_signer
from harness.sim.ledger import NodeLedger

from consensus.messages import Status
from consensus.records import OwnVote
from consensus.votes import Quorum
from node.amnesia import Amnesia
from node.journal import UNSETTLED, Journal
from node.office import Seat, _recovered
from node.voting import _check_not_older, learn_final


class Home:
    """`vote_keys` are names of keys, each with a journal, as `node/voting.py` and `node/office.py` keep them."""

    def __init__(self, disk: FakeDisk, vote_keys: tuple[str, ...], everybody: int, real_signatures: bool) -> None:
        self.disk, self._keys, self._everybody, self._real = disk, vote_keys, everybody, real_signatures
        self.forgets = False  # its journals are gone when it opens next
        self._begun = False  # its journals were created
        self._amnesia: Amnesia | None = None

    def open(self, ledger: NodeLedger) -> list[Seat]:
        """The seats of a new process. VoteStateLost where a crash alone made a journal untrustworthy: it must not."""
        seats = [self._seat(ledger, name) for name in self._keys]
        self._begun, self.forgets = True, False
        return seats

    def begin_votes(self, chain: bytes) -> None:
        """What an operator does once, before the first start of a node that fetches its state."""
        for name in () if self._begun else self._keys:
            directory = self._directory(name)
            if not Journal.exists(directory):
                Journal.create(directory, chain, key_of(name), disk=self.disk).close()

    def learn_final(self, chain: bytes, tip: tuple[int, int, int], finalization: Quorum) -> None:
        """Before a state that was fetched takes the place of the one whose newest block is `tip`."""
        for name in () if self.forgets else self._keys:
            learn_final(self._directory(name), chain, key_of(name), tip, finalization, lambda: None, self.disk)

    def _directory(self, name: str) -> Path:
        return self.disk.directory / name.replace(" ", "-")

    def _seat(self, ledger: NodeLedger, name: str) -> Seat:
        signer = node_signer(name, self._real)
        directory = self._directory(name)
        if not self._begun and not Journal.exists(directory):
            journal = Journal.create(directory, ledger.chain, signer.public, disk=self.disk)
        elif self.forgets:
            journal = self._begin_again(ledger, directory, signer.public)
        else:
            journal = Journal.open(directory, ledger.chain, signer.public, self.disk)
            if any(validator.vote_key == signer.public for validator in ledger.validators):
                _check_not_older(journal, (ledger.tip.header.epoch, ledger.tip.view, ledger.tip.height))
            if journal.header.valid_from_epoch == UNSETTLED:
                self._ask(ledger, max(journal.header.epoch, ledger.epoch))
        seat = Seat(signer, journal, _recovered(journal))
        signer.remember(record.vote for record in seat.records if isinstance(record, OwnVote))
        return seat

    def _begin_again(self, ledger: NodeLedger, directory: Path, public: bytes) -> Journal:
        """All votes are lost: from when on may it vote? (consensus.md section 7.4)"""
        for path in sorted(directory.glob("*")):
            path.unlink()
        epoch = ledger.tip.header.epoch
        self._ask(ledger, epoch)
        return Journal.create(directory, ledger.chain, public, UNSETTLED, epoch, self.disk)

    def _ask(self, ledger: NodeLedger, epoch: int) -> None:
        validators, mine = ledger.validators, {key_of(name) for name in self._keys}
        index = next((v.index for v in validators if v.vote_key in mine), -1)
        n = len(validators)
        self._amnesia = Amnesia(index, n, n - (n - 1) // 3, epoch)

    def heard(self, ledger: NodeLedger, peer: int, status: Status) -> int | None:
        """The first epoch to vote in, once enough others said in which they are."""
        if self._amnesia is None:
            return None
        held_by = holders(self._everybody)
        sender = next((v.index for v in ledger.validators if held_by[v.vote_key] == peer), None)
        settled = None if sender is None else self._amnesia.heard(sender, status.epoch)
        if settled is not None:
            self._amnesia = None
        return settled
