"""Chains on which errors were put right: the books follow carry, debt, withdrawal and credit."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from harness.finalized import FinalizedWorld
from harness.town import Town, one_of_each
from harness.world import DAY

from contracts import correct, transition
from contracts.context import Context
from node.auditing.chain_file import chain_records
from node.auditing.replay import Replay
from state.attestation import HOLD
from state.errors import AlreadyExists, DebtOpen, Unknown
from state.transaction import Withdraw


class FinalTown(Town, FinalizedWorld):
    """The town of the rules' tests, on a ledger with real Finalizations."""

    def __init__(self) -> None:
        FinalizedWorld.__init__(self)
        self.operators()
        for name in ("plant", "trader", "consumer"):
            self.register(name)
        self.device_id = self.device("plant")
        lot = self.issue(self.device_id, 10_000_000)
        assert lot is not None
        self.lot = lot


def down_and_up(town: FinalTown) -> None:
    town.correct(town.device_id, DAY, 9_000_000)
    town.do(town.withdrawal(town.device_id))
    town.correct(town.device_id, DAY, 10_000_000, revision=2)
    town.do(town.credit_action(town.device_id, DAY))


def debt_paid_by_releases(town: FinalTown) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    town.correct(town.device_id, DAY, 7_500_000)
    town.issue(town.device_id, 2_000_000, day=DAY + 1)
    town.issue(town.device_id, 1_600_000, day=DAY + 2)


def debt_that_stays(town: FinalTown) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 9), town.piece("plant", 10, 10))
    town.correct(town.device_id, DAY, 7_000_000)
    town.do(town.withdrawal(town.device_id))


def rest_comes_back_as_carry(town: FinalTown) -> None:
    town.issue(town.device_id, 300_000, day=DAY + 1)
    town.correct(town.device_id, DAY, 9_100_000)
    town.do(town.withdrawal(town.device_id))
    town.issue(town.device_id, 950_000, day=DAY + 2)


def held_day_released(town: FinalTown) -> None:
    held = town.attested(town.device_id, DAY + 1, 3_000_000, verdict=HOLD)
    town.do(town.issue_action(town.device_id, (held,)))
    town.correct(town.device_id, DAY + 1, 3_000_000)
    town.do(town.credit_action(town.device_id, DAY + 1))


def credit_that_waits(town: FinalTown) -> None:
    town.correct(town.device_id, DAY, 12_400_000)


STORIES = (
    down_and_up,
    debt_paid_by_releases,
    debt_that_stays,
    rest_comes_back_as_carry,
    held_day_released,
    credit_that_waits,
)


def audited(town: FinalTown, folder: Path) -> Replay:
    replay = Replay(folder / "state")
    replay.run(chain_records(town.store, town.genesis_text, town.height))
    replay.close()
    return replay


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_corrections_add_up(story: Callable[[FinalTown], None], tmp_path: Path) -> None:
    town = FinalTown()
    story(town)
    replay = audited(town, tmp_path)
    assert replay.findings.listed == []
    assert replay.totals.executed == town.height


def test_a_chain_with_every_kind_of_transaction_adds_up(tmp_path: Path) -> None:
    """Rotated and recovered keys, appeals, amendments, handovers, standing shares, pledges, consumption."""
    town = FinalTown()
    done = set()
    for kind, (by, actions) in one_of_each(town).items():
        with suppress(DebtOpen, Unknown, AlreadyExists):  # of what an earlier one has made impossible
            town.do(*actions, by=by)
            done.add(kind)
    replay = audited(town, tmp_path)
    assert replay.findings.listed == []
    assert replay.totals.executed == town.height
    assert {"rotate_key", "recover_key", "rotate_credential", "amend", "withdraw", "answer_handover"} <= done
    assert {"list", "buy", "replace", "reveal", "void", "pay", "default", "standing_bid", "end_standing_bid"} <= done


def forgotten(context: Context, action: Withdraw) -> None:
    """Certificates go, and the debt stays as it was."""
    before = correct.debt_of(context.overlay, action.device)
    correct.apply_withdraw(context, action)
    assert before is not None
    context.overlay.put(correct.debt_key(action.device), before)


def test_books_name_a_debt_that_a_withdrawal_did_not_pay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = transition.KINDS[Withdraw]
    bent = transition.Kind(whole.name, whole.check, forgotten, whole.describe)
    monkeypatch.setitem(transition.KINDS, Withdraw, bent)
    town = FinalTown()
    debt_that_stays(town)
    assert "debt_differs" in {finding.kind for finding in audited(town, tmp_path).findings.listed}
