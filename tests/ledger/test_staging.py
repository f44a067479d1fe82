"""A state that takes the place of another one: whole before, whole after, whatever dies between."""

from pathlib import Path

import pytest
from harness.finalized import FinalizedWorld
from harness.joining import Offerer, Town, join, ledger_of, observer_home

from node.staging import Staging, settle
from state.errors import DiskFailed


class Died(BaseException):
    """As after kill -9: nothing is cleaned up."""


class Disk:
    """Dies before or after the n-th rename, or at it with an error of the system."""

    calls = 0

    def __init__(self, at: int, after: bool, error: BaseException) -> None:
        self._at, self._after, self._error = at, after, error

    def replace(self, source: Path, target: Path) -> None:
        Disk.calls += 1
        if Disk.calls == self._at and not self._after:
            raise self._error
        source.rename(target)
        if Disk.calls == self._at:
            raise self._error

    def sync_directory(self, directory: Path) -> None:
        """Nothing here loses what was not synced."""


@pytest.fixture(scope="module")
def world() -> FinalizedWorld:
    world = FinalizedWorld()
    world.operators()
    return world


@pytest.fixture
def home(tmp_path: Path, world: FinalizedWorld) -> Path:
    return observer_home(tmp_path / "observer", world.genesis_text)


async def older_state(home: Path, world: FinalizedWorld) -> int:
    assert await join(home, Town([Offerer(0, world)]))
    height = world.height
    for _ in range(12):
        world.block()
    return height


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2])
async def test_a_death_at_a_rename_leaves_the_old_state_or_the_new_one(
    home: Path, world: FinalizedWorld, monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    old = await older_state(home, world)
    monkeypatch.setattr("node.attempt.Attempt.gap", 10)
    with monkeypatch.context() as broken:
        broken.setattr("node.staging.RealDisk", lambda: Disk(at, after, Died()))
        broken.setattr("node.staging._sync_all", lambda path: None)
        Disk.calls = 0
        with pytest.raises(Died):
            await join(home, Town([Offerer(0, world)]))
        assert Disk.calls == at
    settle(home / "data")
    ledger = ledger_of(home, world)
    assert ledger.tip.height == (world.height if (at, after) == (2, True) else old)
    ledger.audit()
    ledger.close()
    assert {path.name for path in (home / "data").iterdir() if path.name.startswith("state")} == {"state"}
    again = await join(home, Town([Offerer(0, world), Offerer(1, world)]))
    assert again == ((at, after) != (2, True))  # and where it was not done it begins again


async def test_a_death_while_chunks_come_in_leaves_nothing_that_counts(home: Path, world: FinalizedWorld) -> None:
    old = await older_state(home, world)
    staging = Staging(home / "data")
    staging.add([b"\x10"], [b"half"])
    staging._rows.close()  # it dies here
    assert (home / "data" / "state.new").exists()
    settle(home / "data")
    assert not (home / "data" / "state.new").exists()
    ledger = ledger_of(home, world)
    assert ledger.tip.height == old
    ledger.close()


async def test_refuses_to_go_on_where_the_disk_refuses(
    home: Path, world: FinalizedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await older_state(home, world)
    monkeypatch.setattr("node.attempt.Attempt.gap", 10)
    monkeypatch.setattr("node.staging.RealDisk", lambda: Disk(2, False, OSError(28, "No space left on device")))
    monkeypatch.setattr("node.staging._sync_all", lambda path: None)
    Disk.calls = 0
    with pytest.raises(DiskFailed):
        await join(home, Town([Offerer(0, world)]))
    settle(home / "data")
    ledger = ledger_of(home, world)
    assert ledger.tip.height == old
    ledger.close()
