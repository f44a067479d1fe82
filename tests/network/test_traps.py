"""Where other chains stood still or locked themselves out, and no other test bears the trap's own name
(docs/ASSURANCE.md, "Traps")."""

import asyncio
import time
from asyncio.events import Handle
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.busy import BusyTown
from harness.net import keys_of, make_homes, open_node, registration, running
from harness.served import Served
from harness.world import seed_of

from consensus.records import OwnVote
from consensus.votes import NOTARIZE, Position, make_vote
from node.api.routes import ROUTES
from node.api.server import LISTENING, make_app
from node.genesis import read_genesis
from node.journal import Journal
from node.office import _recovered
from node.signer import ConflictingVote, Signer
from state.codec import encode

SLICE_S = 0.005  # of processor time that a handler may take before everybody else has a turn
SLACK = 3  # machines differ, and a collection may fall into a slice
READERS = 12


class Turns:
    """Processor time of what the loop runs, each turn of a task or a callback apart."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.longest, self.what, self.count = 0.0, "", 0
        whole = Handle._run

        def run(handle: Handle) -> None:
            began = time.thread_time()
            whole(handle)
            taken = time.thread_time() - began
            self.count += 1
            if taken > self.longest:
                self.longest, self.what = taken, repr(handle)[:300]

        patch.setattr(Handle, "_run", run)


async def test_event_loop_is_not_starved_by_http_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vote that waits for a page of certificates is a vote that comes too late: readers who ask for everything at
    once, in the largest pages, are answered in slices."""
    world = BusyTown(seed=7)
    world.live_on(150)
    server = TestServer(make_app(Served(world).services))
    await server.start_server(**LISTENING)
    paths = [route.path for route in ROUTES if route.method == "GET" and "{" not in route.path]
    paths = [path for path in paths if not path.endswith(("/stream", "/events"))]
    async with TestClient(server) as client:

        async def read(path: str) -> int:
            response = await client.get(path, params={"limit": "200"} if "certificates" in path else {})
            await response.read()
            return response.status

        await asyncio.gather(*map(read, paths))  # what is built once for all readers
        turns = Turns(monkeypatch)
        answers = await asyncio.gather(*(read(path) for _ in range(READERS) for path in paths))
    assert answers.count(200) > len(answers) / 3
    assert not [status for status in answers if status >= 500]
    print(f"{turns.count} turns, the longest took {turns.longest * 1000:.1f} ms: {turns.what}")
    assert turns.longest < SLICE_S * SLACK, turns.what


def test_signer_state_is_never_ahead_of_the_journal(tmp_path: Path) -> None:
    """It died between signing and keeping: the signature never left, and the view must not be lost to this validator
    for good (tendermint/tendermint#3089). What the journal does hold binds the signer."""
    home = make_homes(tmp_path, 4)[0]
    chain, seed = read_genesis(home / "genesis.json")[1], seed_of("vote_key0")
    directory = home / "data" / "journal"

    def position(view: int, block: bytes) -> Position:
        return Position(0, view, view - 1, block * 32)

    before = Signer(seed)
    journal = Journal.open(directory, chain, before.public)
    kept = make_vote(chain, NOTARIZE, position(2, b"a"), 0, before.sign_vote)
    journal.append([encode(OwnVote(kept))])
    journal.sync()
    make_vote(chain, NOTARIZE, position(3, b"a"), 0, before.sign_vote)  # and no more
    journal.close()

    after = Signer(seed)
    journal = Journal.open(directory, chain, after.public)
    after.remember(record.vote for record in _recovered(journal) if isinstance(record, OwnVote))
    journal.close()
    make_vote(chain, NOTARIZE, position(3, b"b"), 0, after.sign_vote)
    with pytest.raises(ConflictingVote):
        make_vote(chain, NOTARIZE, position(2, b"b"), 0, after.sign_vote)


async def test_a_signer_keeps_no_record_of_its_own(tmp_path: Path) -> None:
    """All that a running validator writes about its votes is the journal."""
    homes = make_homes(tmp_path, 1)
    async with running(homes) as nodes:
        await nodes[0].node.mempool.admit([registration(nodes[0].node.chain, "anybody")])
        await nodes[0].height(3)
    files = {path.relative_to(homes[0]).as_posix() for path in homes[0].rglob("*") if path.is_file()}
    votes = {name for name in files if not name.startswith(("data/state/", "keys/"))}
    assert {name for name in votes if "journal" in name}
    assert {name.split("/")[1] for name in votes if name.startswith("data/") and "journal" not in name} <= {
        *("lock", "host", "running", "reserve", "api.json", "readings-reached"),
    }, votes
    again = open_node(homes[0], keys_of(0))
    again.close()
    assert again.engine.standing().may_vote
