"""A damaged home: the node does not start, or says how it mends itself; and what it tells its operator to do helps.

One lone validator with a plant whose readings it holds, one home of four. Each file of a home is damaged in turn.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from harness.damage import LEVELDB, SILENT, cut, empty, flip, forget_blocks, newest
from harness.metering import DAY, Meter
from harness.net import Running, keys_of, make_homes, open_node, signed
from harness.world import FAR, ROOT, WIND, key_of, seed_of

from cli.main import run as main
from node.app import Node, Part
from node.config import load_config
from node.metering import Metering
from node.remedies import remedy_of
from node.running import run_node
from node.start import run
from state.errors import DiskFailed, HomeInUse, OtherNetwork, StoreMismatch, WattestError
from state.keyspace import device_key, meter_key, participant_key
from state.transaction import DeviceContent, MeterContent, ProposalContent, Propose, Register, Vote

FOLDERS = ("state", "journal", "readings")
MOVE = re.compile(r"mv (\S+) (\S+)")


@dataclass
class Home:
    """A stopped node's home and what it held before anything was damaged."""

    path: Path
    backup: Path
    state: dict[bytes, bytes] = field(default_factory=dict)
    readings: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.path / "data"

    def keep(self) -> None:
        shutil.copytree(self.path, self.backup)

    def restore(self) -> None:
        """In place: a data directory of another inode would count as moved."""
        for found in self.data.iterdir():
            shutil.rmtree(found) if found.is_dir() else found.unlink()
        shutil.copytree(self.backup, self.path, dirs_exist_ok=True)


# --- a life with readings


async def _accredit(node: Node, validators: int, number: int, content: ProposalContent, key: bytes) -> None:
    owner = validators + 1
    votes = [(f"governance_key{i}", Vote(number, i, True, "")) for i in range(2 * validators // 3 + 1)]
    for salt, (signer, action) in enumerate([("owner", Propose(owner, content)), *votes]):
        raw = signed(node.chain, signer, action, salt=10 * number + salt)
        for _ in range(500):
            (result,) = await node.mempool.admit([raw])
            if not isinstance(result, WattestError):
                break
            await asyncio.sleep(0.01)
    await _until(lambda: node.ledger.store.get(key) is not None)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not condition():  # noqa: ASYNC110 - many things are waited for, few of them have an event
            await asyncio.sleep(0.02)


async def _plant(node: Node, validators: int) -> Meter:
    await node.mempool.admit([signed(node.chain, "owner", Register(key_of("owner"), "owner", "FR", b""))])
    await _until(lambda: node.ledger.store.get(participant_key(validators + 1)) is not None)
    await _accredit(node, validators, 1, DeviceContent(validators + 1, 1, WIND, FAR), device_key(1))
    await _accredit(node, validators, 2, MeterContent(1, key_of("reader"), 0, FAR), meter_key(1))
    return Meter(node.chain, 1, seed_of("reader"), key_of("reader"))


async def _day(metering: Metering, meter: Meter, day: int) -> None:
    frame = metering.intake
    batch = meter.batch(meter.texts_of(day))
    await frame.accept_batch(batch.raws, batch.key, batch.signature)
    close = meter.close(day)
    await frame.accept_close(close.close, close.key, close.signature)


async def _lived(home: Home) -> None:
    """Two lives, so that there are tables beside the log."""
    meter: Meter | None = None
    for day in (DAY, DAY + 1):
        node = open_node(home.path, keys_of(0))
        metering = Metering(node)
        node.parts.append(metering)
        running = Running(node)
        meter = meter or await _plant(node, 1)
        await _day(metering, meter, day)
        await running.height(node.ledger.tip.height + 1)
        home.readings = rows_of(metering.store._rows)
        home.state = rows_of(node.ledger.store)
        await running.stop()


def rows_of(rows: object) -> dict[bytes, bytes]:
    return dict(rows.scan_raw(b"\x00", b"\xff"))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Home:
    directory = tmp_path_factory.mktemp("lived")
    (path,) = make_homes(directory, 1, idle_interval_ms=300)
    home = Home(path, directory / "backup")
    asyncio.run(_lived(home))
    home.keep()
    return home


@pytest.fixture
def home(lived: Home) -> Home:
    lived.restore()
    return lived


@pytest.fixture(autouse=True)
def untuned_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that starts a hundred nodes need not walk all it has loaded for each of them; others here do."""
    monkeypatch.setattr("node.running.tune_collector", lambda: None)


# --- starting it


class Stopper:
    """The last part: once everything stands it notes what would be served, and ends the node as an operator does."""

    def __init__(self, node: Node, metering: Metering, started: "Start") -> None:
        self._node, self._metering, self._started = node, metering, started

    async def start(self) -> None:
        self._started.state = rows_of(self._node.ledger.store)
        self._started.readings = rows_of(self._metering.store._rows)
        os.kill(os.getpid(), signal.SIGTERM)

    async def stop(self) -> None:
        assert self._started.state


@dataclass
class Start:
    code: int = -1
    said: str = ""
    state: dict[bytes, bytes] = field(default_factory=dict)
    readings: dict[bytes, bytes] = field(default_factory=dict)


def start(home: Home, capsys: pytest.CaptureFixture[str]) -> Start:
    """Exit code, last words and, where it stood, what it would have served."""
    started = Start()

    def parts(node: Node) -> list[Part]:
        metering = Metering(node)
        return [metering, Stopper(node, metering, started)]

    started.code = run_node(load_config(home.path, environment={}), keys_of(0), parts)
    started.said = capsys.readouterr().err
    print(started.code, started.said)
    return started


def whole(home: Home, started: Start) -> bool:
    """All that was final is there; a lone validator may have gone on by a block or two."""
    blocks = {key: value for key, value in home.state.items() if key[0] in (0x85, 0x80)}
    return started.code == 0 and blocks.items() <= started.state.items() and started.readings == home.readings


def follow(said: str) -> None:
    """Do what the message says."""
    moves = MOVE.findall(said)
    assert moves, said
    for source, target in moves:
        Path(source).rename(target)


def test_an_undamaged_home_starts_without_a_word(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    started = start(home, capsys)
    assert whole(home, started)
    assert not started.said


# --- the state


@pytest.mark.parametrize("name", LEVELDB)
def test_a_damaged_state_is_told_and_what_is_told_helps(
    home: Home, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    LEVELDB[name](home.data / "state")
    started = start(home, capsys)
    if name in SILENT:
        assert "blocks were lost" in started.said
        assert "executed again from the journal" in started.said
        assert whole(home, started)
        return
    assert started.code == 71
    assert not started.state, "something would have been served"
    assert str(home.data / "state") in started.said
    assert "never: delete, empty or put back an older data/journal" in started.said
    follow(started.said)
    assert whole(home, start(home, capsys))


@pytest.mark.parametrize("name", sorted(LEVELDB.keys() - SILENT))
def test_a_lone_validator_whose_journal_lacks_the_blocks_salvages_them_from_the_damaged_state(
    home: Home, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    forget_blocks(home.data / "journal")
    LEVELDB[name](home.data / "state")
    assert start(home, capsys).code == 71
    damaged = {path.name: path.read_bytes() for path in (home.data / "state").iterdir()}
    assert main(["--home", str(home.path), "node", "salvage"]) == 0
    kept = home.data / "state-damaged-1"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == damaged
    assert not list(home.data.glob("state-[cn]*"))
    started = start(home, capsys)
    if name.startswith("table"):  # what lay in the table is gone for good: told, and never half of it served
        assert started.code == 0 or (
            "no other validator holds the blocks" in started.said and "salvage" in started.said
        )
        assert whole(home, started) == (started.code == 0)
    else:
        assert whole(home, started)


def test_refuses_to_salvage_where_a_node_runs_or_nothing_is(home: Home) -> None:
    node = open_node(home.path, keys_of(0))
    try:
        assert main(["--home", str(home.path), "node", "salvage"]) == 2
    finally:
        node.close()
    shutil.rmtree(home.data / "state")
    assert main(["--home", str(home.path), "node", "salvage"]) == 70


# --- the readings


@pytest.mark.parametrize("name", LEVELDB)
def test_damaged_readings_of_a_lone_validator_are_told_and_never_used(
    home: Home, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    LEVELDB[name](home.data / "readings")
    started = start(home, capsys)
    assert started.code == 71
    assert not started.state, "a part of the node stood"
    assert str(home.data / "readings") in started.said
    assert "put back a copy" in started.said
    assert "--resend" in started.said
    if name in SILENT:
        assert "readings were lost" in started.said
    follow(started.said)
    assert start(home, capsys).code == 0


def test_a_copy_of_the_readings_put_back_helps(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(home.data / "readings")
    assert start(home, capsys).code == 71
    shutil.rmtree(home.data / "readings", ignore_errors=True)
    shutil.copytree(home.backup / "data" / "readings", home.data / "readings")
    assert whole(home, start(home, capsys))


def test_a_damaged_record_of_how_far_the_readings_came_is_told(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    flip(home.data / "readings-reached")
    started = start(home, capsys)
    assert started.code == 71
    assert "readings-reached is damaged" in started.said


# --- the journal


JOURNAL: dict[str, Callable[[Path], None]] = {
    "flipped": lambda folder: flip(newest(folder, "*.journal")),
    "cut": lambda folder: cut(newest(folder, "*.journal")),
    "emptied": lambda folder: empty(newest(folder, "*.journal")),
    "deleted": lambda folder: newest(folder, "*.journal").unlink(),
    "its end mark flipped": lambda folder: flip(folder / "closed"),
    "its end mark cut": lambda folder: cut(folder / "closed"),
    "all of it deleted": shutil.rmtree,
}


@pytest.mark.parametrize("name", JOURNAL)
def test_a_damaged_journal_is_told_and_the_validator_follows_without_voting(
    home: Home, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    JOURNAL[name](home.data / "journal")
    started = start(home, capsys)
    assert started.code == 0
    assert started.state == home.state, "it voted, or lost what it had"
    assert str(home.data / "journal") in started.said
    assert "does not vote" in started.said
    assert "will never vote again" in started.said
    assert "never: delete, empty or put back an older data/journal" in started.said
    assert "begin-votes" not in started.said, "a key that has voted must not begin anew"


def test_an_undamaged_journal_put_back_votes_again(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (home.data / "journal").rename(home.path / "unmounted")
    assert "does not vote" in start(home, capsys).said
    shutil.rmtree(home.data / "journal")
    (home.path / "unmounted").rename(home.data / "journal")
    started = start(home, capsys)
    assert started.code == 0
    assert not started.said


# --- everything else in a home


OTHERS: dict[str, tuple[str, Callable[[Path], object], int, str]] = {
    "genesis flipped": ("genesis.json", lambda path: flip(path, 0.01), 2, "copy the network's own genesis"),
    "genesis cut": ("genesis.json", cut, 2, "copy the network's own genesis"),
    "genesis emptied": ("genesis.json", empty, 2, "copy the network's own genesis"),
    "genesis deleted": ("genesis.json", Path.unlink, 2, "copy the network's own genesis"),
    "config cut": (
        "config.toml",
        lambda path: path.write_bytes(path.read_bytes().partition(b".0.0.1")[0]),
        2,
        "mend it by",
    ),
    "config misspelt": ("config.toml", lambda path: path.write_text("[node]\napi_listne = 'x'\n"), 2, "mend it by"),
    "vote key flipped": ("keys/vote.json", flip, 4, "back from your backup"),
    "vote key cut": ("keys/vote.json", cut, 4, "back from your backup"),
    "vote key emptied": ("keys/vote.json", empty, 4, "back from your backup"),
    "vote key deleted": ("keys/vote.json", Path.unlink, 4, "back from your backup"),
    "node key flipped": ("keys/node.json", flip, 4, "back from your backup"),
    "node key cut": ("keys/node.json", cut, 4, "back from your backup"),
    "node key emptied": ("keys/node.json", empty, 4, "back from your backup"),
    "node key deleted": ("keys/node.json", Path.unlink, 4, "back from your backup"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_damaged_file_of_a_home_is_told_and_its_copy_helps(
    home: Home, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file, damage, code, remedy = OTHERS[name]
    damage(home.path / file)
    assert run(home.path) == code
    said = capsys.readouterr().err
    print(said)
    assert file.removesuffix(".json") in said
    assert remedy in said
    assert "Traceback" not in said
    shutil.copy2(home.backup / file, home.path / file)
    assert whole(home, start(home, capsys))


def test_a_genesis_of_another_network_is_told(home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (stranger,) = make_homes(tmp_path, 1)
    shutil.copy2(stranger / "genesis.json", home.path / "genesis.json")
    started = start(home, capsys)
    assert started.code == 71
    assert "another genesis" in started.said
    assert "never: delete data/" in started.said


def test_a_home_whose_settings_are_gone_says_where_it_listens(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (home.path / "config.toml").unlink()
    started = start(home, capsys)
    assert started.code == 0
    assert "config.toml is missing or sets nothing" in started.said
    assert "127.0.0.1:27656" in started.said


@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
def test_a_home_whose_mark_of_its_machine_is_damaged_listens_before_it_votes(
    home: Home, damage: Callable[[Path], None]
) -> None:
    damage(home.data / "host")
    node = open_node(home.path, keys_of(0))
    node.close()
    assert node.listening
    assert "listens" in node.warnings[0][0]


@pytest.mark.parametrize("file", ["lock", "reserve", "state/LOCK", "readings/LOCK"])
@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
def test_files_that_hold_nothing_may_be_lost(
    home: Home, capsys: pytest.CaptureFixture[str], file: str, damage: Callable[[Path], None]
) -> None:
    if (home.data / file).stat().st_size or damage is not flip:
        damage(home.data / file)
    assert whole(home, start(home, capsys))


# --- a second node on one home


def test_a_second_node_on_a_home_is_told_who_holds_it(home: Home) -> None:
    node = open_node(home.path, keys_of(0))
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "cli.main", "--home", str(home.path), "node", "start"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        node.close()
    assert ran.returncode == 2
    assert f"another process (pid {os.getpid()}) runs the node of {home.path}" in ran.stderr
    assert "never: delete data/lock" in ran.stderr


def test_a_second_node_is_refused_where_the_lock_was_deleted(home: Home) -> None:
    node = open_node(home.path, keys_of(0))
    try:
        (home.data / "lock").unlink()
        with pytest.raises(HomeInUse, match="another process holds"):
            open_node(home.path, keys_of(0))
    finally:
        node.close()


# --- what is told hangs on the network


@pytest.mark.parametrize("folder", ["state", "readings"])
def test_one_of_four_is_told_to_fetch_from_the_others(tmp_path: Path, folder: str) -> None:
    config = load_config(make_homes(tmp_path, 4)[0], environment={})
    remedy = remedy_of(StoreMismatch(why="", path=str(config.data / folder)), config)
    assert remedy is not None
    assert f"mv {config.data / folder}" in remedy.do or folder == "readings"
    assert "from the other validators" in remedy.do


def test_a_lone_validator_whose_journal_is_young_is_told_to_put_a_copy_back(home: Home) -> None:
    newest(home.data / "journal", "*.journal").rename(home.data / "journal" / "0000000009.journal")
    remedy = remedy_of(StoreMismatch(why=""), load_config(home.path, environment={}))
    assert remedy is not None
    assert f"wattest --home {home.path} node salvage" in remedy.do
    assert "put back a copy of" in remedy.do
    assert "and of nothing else" in remedy.do


@pytest.mark.parametrize("error", [DiskFailed(why="x"), HomeInUse(why="x"), OtherNetwork(why="x")])
def test_every_refusal_to_start_has_a_remedy_and_a_never(home: Home, error: WattestError) -> None:
    remedy = remedy_of(error, load_config(home.path, environment={}))
    assert remedy is not None
    assert remedy.do
    assert remedy.never


def test_a_full_disk_is_told_by_which_command_to_make_room(home: Home) -> None:
    remedy = remedy_of(DiskFailed(why="No space left on device"), load_config(home.path, environment={}))
    assert remedy is not None
    assert f"wattest --home {home.path} node free-reserve" in remedy.do


# --- readings of one of four


async def test_readings_that_one_of_four_lost_come_from_the_others(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4)
    nodes = [open_node(home, keys_of(index)) for index, home in enumerate(homes)]
    meterings = [Metering(node) for node in nodes]
    for node, metering in zip(nodes, meterings, strict=True):
        node.parts.append(metering)
    running = [Running(node) for node in nodes]
    try:
        meter = await _plant(nodes[0], 4)
        await _until(lambda: all(node.ledger.store.get(meter_key(1)) is not None for node in nodes))
        for day in (DAY, DAY + 1):
            await _day(meterings[0], meter, day)
        await _until(lambda: all(metering.store.head(1).held_days == 2 for metering in meterings))
        await running[3].stop()

        newest(homes[3] / "data" / "readings", "*.log").unlink()
        node = open_node(homes[3], keys_of(3))
        metering = Metering(node)
        assert "device 1 is at reading 0 and was at 288" in node.warnings[-1][0]
        assert "fetched again" in node.warnings[-1][0]
        node.parts.append(metering)
        running[3] = Running(node)
        await _until(lambda: metering.store.head(1).held_days == 2)
        assert metering.store.day(1, DAY + 1) == meterings[0].store.day(1, DAY + 1)
    finally:
        for each in running:
            if not each.task.done():
                await each.stop()
