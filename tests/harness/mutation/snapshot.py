"""Our own mutants of beginning from a snapshot: what is believed of a state, and what the journal keeps of its own."""

from typing import Any

import pytest
from harness.mutation import mutant
from harness.mutation.engine import _Any

from consensus.validators import ValidatorSet
from node import hops, staging
from node.attempt import Attempt
from node.journal import Journal
from node.wire import GetEntries
from state.lthash import LtHash

JOINING = "tests/ledger/test_joining.py"
FETCHING: dict[str, object] = {"snapshot": True, "n": 4, "liars": 1, "live": True}


@mutant("sa", JOINING, **FETCHING)
def states_not_summed(patch: pytest.MonkeyPatch) -> None:
    """a state is installed whatever its entries sum up to"""

    class Agreeable(LtHash):
        def root(self) -> Any:
            return _Any()

    patch.setattr(staging, "LtHash", Agreeable)


@mutant("sb", "tests/network/test_snapshot.py", **FETCHING)
def journal_not_taught(patch: pytest.MonkeyPatch) -> None:
    """a journal does not learn the Finalization of the state that is installed"""
    for module in ("node.joining", "harness.sim.home"):
        patch.setattr(f"{module}.learn_final", lambda *_: False)


@mutant("sc", "tests/ledger/test_staging.py", crash=0.012, **FETCHING)
def half_states_kept(patch: pytest.MonkeyPatch) -> None:
    """what a death in the middle of a snapshot left is not put in order"""
    patch.setattr(staging.settle, "__code__", (lambda data: None).__code__)  # whoever imported it has it too


@mutant("sd", "tests/network/test_voting.py", epoch_length=6, **FETCHING)
def votes_in_left_out_epochs(patch: pytest.MonkeyPatch) -> None:
    """a validator whose state was lost votes again in epochs that its journal has left out"""
    patch.setattr(Journal, "may_vote_in", lambda self, epoch: self.header.valid_from_epoch <= epoch)


@mutant("se", JOINING, **FETCHING)
def rows_of_any_space_taken(patch: pytest.MonkeyPatch) -> None:
    """a peer may send rows that no state root covers"""
    patch.setattr(staging, "committed", lambda key: True)


@mutant("sf", JOINING, epoch_length=6, **FETCHING)
def hops_believed(patch: pytest.MonkeyPatch) -> None:
    """the validators of later epochs are whoever a peer names"""
    patch.setattr(hops, "follow", lambda hop, *_: ValidatorSet(hop.next_vote_keys))


@mutant("sg", "tests/simulation/test_named_runs.py", **FETCHING)
def leftover_chunks_called_lies(patch: pytest.MonkeyPatch) -> None:
    """answers to an earlier question are held against the peer"""
    whole = Attempt.next_entries

    def strict(self: Attempt) -> GetEntries:
        asked = whole(self)
        self._late = 0
        return asked

    patch.setattr(Attempt, "next_entries", strict)


@mutant("sh", "tests/network/test_journal.py", epoch_length=6, segment_bytes=6_000, **FETCHING)
def headers_go_back(patch: pytest.MonkeyPatch) -> None:
    """a journal's header follows a state that goes back"""
    whole = Journal.rotate

    def careless(self: Journal, epoch: int, *rest: Any, **more: Any) -> None:
        from msgspec import structs

        self.header = structs.replace(self.header, epoch=0, final_view=0)
        whole(self, epoch, *rest, **more)

    patch.setattr(Journal, "rotate", careless)
