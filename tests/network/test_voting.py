"""A validator that does not know its own votes follows without voting, until it cannot contradict itself any more."""

import asyncio
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from harness.net import Running, keys_of, make_homes, open_node, running
from harness.world import seed_of

from cli.main import run
from consensus.messages import Status
from consensus.votes import FINALIZE, Quorum, Vote
from node.amnesia import LAST_EPOCH, Amnesia
from node.app import Node
from node.config import Config, load_config
from node.genesis import read_genesis
from node.gossip import Sender
from node.home import unsettle
from node.journal import UNSETTLED, Journal
from node.running import run_node
from node.signer import Signer
from node.voting import _check_not_older, begin_votes, export_votes, import_votes, learn_final, parse_votes
from node.wire import VALIDATOR, Consensus
from state.codec import decode, encode
from state.errors import DiskFailed, StoreError, VotesElsewhere, VoteStateLost

CHAIN, KEY = bytes(32), b"\x01" * 32


def config_of(home: Path) -> Config:
    return load_config(home, environment={})


async def lived(homes: list[Path], height: int = 3) -> None:
    async with running(homes) as nodes:
        for node in nodes:
            await node.height(height)


def may_vote(home: Path, index: int = 0) -> bool:
    node = open_node(home, keys_of(index))
    node.close()
    return node.engine.standing().may_vote


def reported(node: Node, validator: int, epoch: int) -> None:
    """What a validator says when it connects."""
    sender = Sender(f"{validator:040x}", VALIDATOR, validator)
    node.runtime.frame_received(sender, Consensus(encode(Status(epoch, 1, 0, bytes(32)))))


# --- the rule


def test_votes_two_epochs_above_the_highest_of_enough_others() -> None:
    amnesia = Amnesia(0, 7, 5, 3)
    assert amnesia.needed == 5
    assert [amnesia.heard(validator, epoch) for validator, epoch in ((1, 4), (2, 9), (3, 4), (4, 4))] == [None] * 4
    assert amnesia.heard(5, 4) == 11


def test_a_liar_delays_nobody_where_one_validator_more_than_needed_was_heard() -> None:
    amnesia = Amnesia(0, 7, 5, 3)
    told = [amnesia.heard(validator, epoch) for validator, epoch in ((1, 2**64 - 1), (2, 4), (3, 5), (4, 4), (5, 4))]
    assert told == [None] * 4 + [LAST_EPOCH]
    assert amnesia.heard(6, 4) == 7, "the lowest five say 5 at most"
    assert amnesia.heard(1, 2**64 - 1) == 7


def test_a_low_lie_makes_nobody_vote_earlier_than_an_honest_report_allows() -> None:
    amnesia = Amnesia(0, 7, 5, 0)
    for validator, epoch in ((1, 0), (2, 8), (3, 8), (4, 8), (5, 8)):
        settled = amnesia.heard(validator, epoch)
    assert settled == 10
    assert amnesia.heard(6, 0) == 10


def test_where_all_others_are_needed_one_liar_can_make_it_wait_and_nothing_breaks() -> None:
    amnesia = Amnesia(0, 4, 3, 0)
    told = [amnesia.heard(validator, epoch) for validator, epoch in ((1, 2**64 - 1), (2, 1), (3, 1))]
    assert told == [None, None, LAST_EPOCH]
    assert LAST_EPOCH < UNSETTLED


def test_its_own_word_and_the_same_one_twice_do_not_count() -> None:
    amnesia = Amnesia(0, 4, 3, 0)
    assert [amnesia.heard(validator, 1) for validator in (0, 0, 1, 1, 1, 2)] == [None] * 6
    assert amnesia.heard(3, 0) == 3


def test_what_it_knows_itself_counts_too() -> None:
    amnesia = Amnesia(0, 2, 2, 8)
    assert amnesia.heard(1, 5) == 10


def test_a_lone_validator_has_nobody_to_ask() -> None:
    amnesia = Amnesia(0, 1, 1, 0)
    assert amnesia.needed == 0
    assert amnesia.heard(0, 5) is None


# --- first start


def test_a_validator_votes_only_after_its_operator_began_it(tmp_path: Path) -> None:
    (home,) = make_homes(tmp_path, 1)
    assert may_vote(home)
    shutil.rmtree(home / "data")
    (home / "keys" / "vote.started").unlink()  # as a home restored from its keys alone
    node = open_node(home, keys_of(0))
    node.close()
    assert not node.engine.standing().may_vote
    assert "begin-votes" in node.why_silent
    assert "never vote again" in node.why_silent
    begin_votes(config_of(home))
    assert may_vote(home)


async def test_refuses_to_begin_a_key_that_has_voted(tmp_path: Path) -> None:
    (home,) = make_homes(tmp_path, 1)
    await lived([home])
    with pytest.raises(VoteStateLost, match="holds votes already"):
        begin_votes(config_of(home))
    shutil.rmtree(home / "data")
    with pytest.raises(VoteStateLost, match="has voted before"):
        begin_votes(config_of(home))


async def test_refuses_to_act_while_the_node_runs(tmp_path: Path) -> None:
    (home,) = make_homes(tmp_path, 1)
    async with running([home]) as nodes:
        await nodes[0].height(1)
        for act in (begin_votes, lambda config: export_votes(config, tmp_path / "votes.json")):
            with pytest.raises(StoreError, match="another process"):
                act(config_of(home))


# --- a journal that is gone


async def test_a_validator_without_its_journal_follows_and_never_votes_in_the_same_epoch(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4)
    async with running(homes) as nodes:
        for node in nodes:
            await node.height(3)
        await nodes[3].stop()
        shutil.rmtree(homes[3] / "data" / "journal")
        nodes[3] = Running(open_node(homes[3], keys_of(3)))
        node = nodes[3].node
        stood = node.ledger.tip.height
        votes: list[Vote] = []
        node.runtime._signer.sign_vote = votes.append  # type: ignore[union-attr, method-assign, assignment]
        await nodes[3].height(stood + 5)
        assert node.engine.standing().own_votes == ()
        assert not votes
        assert node.journal.header.valid_from_epoch != UNSETTLED, "the others said in which epoch they are"
        assert node.journal.header.valid_from_epoch == 2
    assert not may_vote(homes[3], 3)
    again = open_node(homes[3], keys_of(3))
    again.close()
    assert again.journal.header.valid_from_epoch == 2


async def test_what_the_others_report_decides_and_is_kept(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4)
    await lived(homes)
    shutil.rmtree(homes[0] / "data" / "journal")
    node = open_node(homes[0], keys_of(0))
    for validator, epoch in ((1, 6), (2, 7)):
        reported(node, validator, epoch)
        assert node.journal.header.valid_from_epoch == UNSETTLED
    reported(node, 3, 6)
    assert node.journal.header.valid_from_epoch == 9
    node.close()


def test_a_lone_validator_without_its_journal_says_so_and_stays_an_observer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home,) = make_homes(tmp_path, 1)
    asyncio.run(lived([home]))
    shutil.rmtree(home / "data" / "journal")

    async def until_signal(node: Node) -> bool:
        assert not node.engine.standing().may_vote
        node.close()
        return True

    monkeypatch.setattr("node.running._until_signal", until_signal)
    assert run_node(config_of(home), keys_of(0)) == 0
    said = capsys.readouterr().err
    assert "does not vote" in said
    assert "never vote again" in said


@pytest.mark.parametrize(("count", "listens"), [(4, True), (1, False)])
async def test_a_torn_journal_makes_it_listen_before_it_votes(tmp_path: Path, count: int, listens: bool) -> None:
    """What was cut off may, on a disk that lies, have been sent. A lone validator has nobody to hear it from."""
    home = make_homes(tmp_path, count)[0]
    journal = Journal.open(home / "data" / "journal", *_of(home))
    journal.append([])
    journal.sync()
    journal.close()
    (segment,) = (home / "data" / "journal").glob("*.journal")
    segment.write_bytes(segment.read_bytes()[:-1])
    node = open_node(home, keys_of(0))
    node.close()
    assert node.listening == listens
    assert node.engine.standing().may_vote != listens
    again = open_node(home, keys_of(0))
    again.close()
    assert not again.listening, "once it was cut, it is whole"


@pytest.mark.parametrize(("epoch", "votes"), [(0, True), (3, False)])
def test_a_state_that_was_lost_is_led_through_old_epochs_without_a_vote(
    tmp_path: Path, epoch: int, votes: bool
) -> None:
    """Its journal left out what it voted there: a second time it might vote otherwise, and lose its seat for it."""
    home = make_homes(tmp_path, 4)[0]
    journal = Journal.open(home / "data" / "journal", *_of(home))
    journal.rotate(epoch, 0, 0, bytes(32), [])
    journal.finish()
    node = open_node(home, keys_of(0))
    node.close()
    assert node.ledger.tip.height == 0
    assert node.engine.standing().may_vote == votes


def test_a_torn_journal_listens_also_after_a_snapshot(tmp_path: Path) -> None:
    """Whoever teaches it the Finalization of the new state cuts it, and the node finds it whole."""
    home = make_homes(tmp_path, 4)[0]
    open_node(home, keys_of(0)).close()
    journal = Journal.open(home / "data" / "journal", *_of(home))
    journal.append([])
    journal.close()
    (segment,) = (home / "data" / "journal").glob("*.journal")
    segment.write_bytes(segment.read_bytes()[:-1])
    final = Quorum(FINALIZE, 0, 9, 8, b"b" * 32, b"\x07", (bytes(64),) * 3)
    cut = partial(unsettle, config_of(home))
    assert learn_final(home / "data" / "journal", *_of(home), (0, 0, 0), final, cut)
    node = open_node(home, keys_of(0))
    node.close()
    assert node.listening
    assert not node.engine.standing().may_vote


def _of(home: Path) -> tuple[bytes, bytes]:
    return read_genesis(home / "genesis.json")[1], Signer(seed_of("vote_key0")).public


# --- moving a validator


async def moved_home(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A used home, the file of its votes, and a second home with its keys."""
    (home,) = make_homes(tmp_path, 1)
    await lived([home])
    other = tmp_path / "other"
    shutil.copytree(home, other, ignore=shutil.ignore_patterns("data", "vote.*d"))
    return home, tmp_path / "votes.json", other


async def test_votes_move_to_another_home_and_the_rule_holds_there(tmp_path: Path) -> None:
    home, file, other = await moved_home(tmp_path)
    exported = export_votes(config_of(home), file)
    assert exported.final_height >= 3
    with pytest.raises(VotesElsewhere):
        open_node(home, keys_of(0))
    assert import_votes(config_of(other), file) == exported
    node = open_node(other, keys_of(0))
    node.close()
    assert not node.engine.standing().may_vote
    assert len(node.engine.standing().own_votes) <= exported.votes
    with pytest.raises(VoteStateLost, match="has voted before"):
        begin_votes(config_of(other))


async def test_a_validator_may_come_back_where_it_left(tmp_path: Path) -> None:
    home, file, _ = await moved_home(tmp_path)
    export_votes(config_of(home), file)
    import_votes(config_of(home), file)
    assert not may_vote(home)


async def test_refuses_a_second_export_and_an_export_over_a_file(tmp_path: Path) -> None:
    home, file, _ = await moved_home(tmp_path)
    file.write_text("mine")
    with pytest.raises(VoteStateLost, match="never overwritten"):
        export_votes(config_of(home), file)
    assert may_vote(home), "an export that failed takes nothing away"
    export_votes(config_of(home), tmp_path / "second.json")
    with pytest.raises(VotesElsewhere):
        export_votes(config_of(home), tmp_path / "third.json")


async def test_an_export_to_a_full_disk_takes_nothing_away(tmp_path: Path) -> None:
    home, _, _ = await moved_home(tmp_path)
    with pytest.raises(DiskFailed):
        export_votes(config_of(home), tmp_path / "no" / "such" / "folder")
    assert may_vote(home)


async def test_refuses_an_import_over_votes_of_its_own(tmp_path: Path) -> None:
    home, file, other = await moved_home(tmp_path)
    export_votes(config_of(home), file)
    begin_votes(config_of(other))
    with pytest.raises(VoteStateLost, match="would forget"):
        import_votes(config_of(other), file)


async def test_refuses_the_votes_of_another_key(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 2)
    export_votes(config_of(homes[0]), tmp_path / "votes.json")
    with pytest.raises(VoteStateLost, match="another key"):
        import_votes(config_of(homes[1]), tmp_path / "votes.json")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "votes/2"},
        {"epoch": -1},
        {"epoch": True},
        {"epoch": 1.0},
        {"epoch": 2**70},
        {"votes": ["zz"]},
        {"votes": ["00"]},
        {"votes": None},
        {"votes": [[]]},
        {"chain": 7},
        {"vote_key": None},
    ],
)
def test_refuses_a_file_that_is_no_export(change: dict[str, Any]) -> None:
    good = {
        "schema": "votes/1",
        "chain": CHAIN.hex(),
        "vote_key": KEY.hex(),
        "epoch": 3,
        "final_height": 9,
        "votes": [],
    }
    assert parse_votes(json.dumps(good).encode(), CHAIN, KEY)[0].epoch == 3
    with pytest.raises(VoteStateLost):
        parse_votes(json.dumps({**good, **change}).encode(), CHAIN, KEY)


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 100_000, b"\xff", b"null", b'{"schema": "votes/1"}'])
def test_refuses_bytes_that_are_no_export(data: bytes) -> None:
    with pytest.raises(VoteStateLost):
        parse_votes(data, CHAIN, KEY)


async def test_commands_ask_first_and_tell_what_it_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, file, other = await moved_home(tmp_path)
    assert run(["--home", str(home), "node", "export-votes", str(file)]) == 2
    assert "NEVER VOTE AGAIN" in capsys.readouterr().err
    assert not file.exists()
    assert run(["--home", str(home), "--yes", "node", "export-votes", str(file)]) == 0
    assert run(["--home", str(other), "--yes", "--json", "node", "import-votes", str(file)]) == 0
    assert run(["--home", str(other), "--yes", "node", "begin-votes"]) == 71
    journal = Journal.open(other / "data" / "journal", *_identity(file))
    journal.close()
    assert journal.header.valid_from_epoch == UNSETTLED
    assert [decode(Vote, bytes.fromhex(vote)) for vote in json.loads(file.read_text())["votes"]]


def _identity(file: Path) -> tuple[bytes, bytes]:
    content = json.loads(file.read_text())
    return bytes.fromhex(content["chain"]), bytes.fromhex(content["vote_key"])


def test_a_journal_begun_on_a_state_is_not_older_than_that_state(tmp_path: Path) -> None:
    """It settled from when on it votes, and the node stops before another block is final: that must not be lost."""
    chain, key, block = bytes(32), b"k" * 32, b"b" * 32
    journal = Journal.create(tmp_path / "journal", chain, key, UNSETTLED)
    journal.rotate(0, 7, 9, block, (), valid_from_epoch=2)
    journal.close()
    again = Journal.open(tmp_path / "journal", chain, key)
    _check_not_older(again, (0, 9, 7))
    assert again.header.valid_from_epoch == 2
    with pytest.raises(VoteStateLost, match="older"):
        _check_not_older(again, (0, 10, 8))
    again.close()
