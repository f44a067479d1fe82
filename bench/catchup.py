"""What it costs to be late: blocks with and without their signatures checked again, and a snapshot of a large state.

    python -m bench.catchup [--quick] [--bundles 100000] [--blocks 20] [--size 1000]

Prints one JSON object as its last line. Blocks are taken as a node takes them from a peer: frame, decoding, hash chain,
Finalization, execution, synced batch. `full_ratio` and `certified_ratio` are transactions per CPU-second over V, the
verifications per second of one thread, measured before and after in the same run (goal 0.55, aim 0.70 for full).
The snapshot goes over TLS on the loopback from a process of its own; both sides' CPU seconds are given apart.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time, thread_time

from nacl.bindings import crypto_sign_open

from bench.load import VALIDATORS, Load, load_genesis, secret
from consensus.catchup import check_blocks
from consensus.messages import MAX_BLOCKS, Blocks
from consensus.validators import ValidatorSet
from contracts.transition import decode_signed
from node.app import LedgerTip
from node.config import Config, load_config
from node.faults import SystemClock
from node.gossip import Sender, check_frame
from node.joining import Joining
from node.ledger import Ledger
from node.log import open_log
from node.mempool import Mempool
from node.offering import Offering
from node.peers import Peers
from node.running import tune_collector
from node.signatures import SignatureCache
from node.sync import blocks_from
from node.transport import NodeKey
from node.wire import Consensus, Frame, GetEntries, GetHops, GetSnapshot, decode_frame, encode_frame
from state.codec import decode, encode
from state.crypto import verify
from state.store import open_store
from state.transaction import signing_bytes

HOLDERS = 1_000
SAMPLE = 2_000  # verifications of one measurement of V
MILLION = 1_000_000


@dataclass(frozen=True)
class Scale:
    blocks: int
    size: int
    bundles: int


QUICK, STEADY = Scale(6, 1_000, 10_000), Scale(20, 1_000, 100_000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--blocks", type=int)
    parser.add_argument("--size", type=int, help="transactions in a block, and holders")
    parser.add_argument("--bundles", type=int, help="of the state that is taken over; 0 leaves that out")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        asyncio.run(_serve(given.serve))
        return 0
    scale = QUICK if given.quick else STEADY
    blocks, size = given.blocks or scale.blocks, given.size or scale.size
    bundles = scale.bundles if given.bundles is None else given.bundles
    result = {"schema": "bench/catchup/1", **late_node(blocks, size), **(snapshot(bundles) if bundles else {})}
    result |= {"load_average": round(os.getloadavg()[0], 2), "cores": os.cpu_count()}
    print(json.dumps(result))
    return 0


# --- blocks


def late_node(blocks: int, size: int) -> dict[str, object]:
    load = Load(size)
    behind = load.ledger.tip.height
    for _ in range(blocks):
        load.block([decode_signed(raw) for raw in load.transfers()])
    frames = _answers(load.ledger, behind + 1)
    sample = _sample(load)
    tune_collector()
    rates: dict[bool, list[float]] = {False: [], True: []}
    verified = [_verify_per_s(sample)]
    with tempfile.TemporaryDirectory() as folder:
        for turn, certified in enumerate((False, True, True, False)):
            ledger = Ledger.open(open_store(Path(folder) / str(turn)), load.genesis, load.chain)
            for block, finalization in load.preparation[:behind]:
                ledger.commit(block, encode(finalization), finalization.view)
            ledger.verifier.cache.__init__()  # type: ignore[misc]  # nothing is known of the transactions that follow
            seconds = asyncio.run(_catch_up(ledger, frames, certified))
            rates[certified].append(blocks * size / seconds)
            assert ledger.tip == load.ledger.tip, "it is not where the others are"
            ledger.audit()
            ledger.close()
            verified.append(_verify_per_s(sample))
    v = sum(verified) / len(verified)
    full, certain = (sum(rates[kind]) / len(rates[kind]) for kind in (False, True))
    return {
        "blocks": blocks,
        "tx_per_block": size,
        "verify_per_s": round(v),
        "verify_spread": round(max(verified) / min(verified) - 1, 3),
        "full_tx_per_cpu_s": round(full),
        "full_ratio": round(full / v, 3),
        "certified_tx_per_cpu_s": round(certain),
        "certified_ratio": round(certain / v, 3),
        "certified_over_full": round(certain / full, 2),
    }


def _answers(ledger: Ledger, first: int) -> list[bytes]:
    """The frames in which a peer sends the blocks from there on."""
    frames: list[bytes] = []
    while first <= ledger.tip.height:
        answer = blocks_from(ledger, first, MAX_BLOCKS)
        assert answer is not None
        frames.append(encode_frame(Consensus(encode(answer))))
        first = answer.blocks[-1].header.height + 1
    return frames


async def _catch_up(ledger: Ledger, frames: list[bytes], certified: bool) -> float:
    """CPU seconds from the frames to the stored tip; what engine and runtime do for each."""
    mempool = Mempool(LedgerTip(ledger, SystemClock()), ledger.verifier.cache, 0)
    validators = ValidatorSet(tuple(validator.vote_key for validator in ledger.validators))
    began = process_time()
    for data in frames:
        frame = decode_frame(data)
        assert isinstance(frame, Consensus)
        batch = decode(Blocks, frame.payload)
        hashes = check_blocks(batch, ledger.tip.header, validators, ledger.chain, verify)
        for block, block_hash in zip(batch.blocks, hashes, strict=True):
            if not certified:
                await mempool.prepare(block.transactions)
            ledger.check(block, certified)
            own = block_hash == batch.finalization.block_hash
            ledger.commit(block, encode(batch.finalization) if own else b"", batch.finalization.view)
    seconds = process_time() - began
    mempool.close()
    return seconds


def _sample(load: Load) -> list[tuple[bytes, bytes]]:
    block = load.ledger.block_at(load.ledger.tip.height)
    assert block is not None
    found = [decode_signed(raw).transaction for raw in block.transactions[:SAMPLE]]
    return [(one.signatures[0] + signing_bytes(one.body), one.body.signers[0]) for one in found]


def _verify_per_s(sample: list[tuple[bytes, bytes]]) -> float:
    began = process_time()
    for message, key in sample:
        crypto_sign_open(message, key)
    return len(sample) / (process_time() - began)


# --- a snapshot


def snapshot(bundles: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        load = Load(HOLDERS, bundles, store=open_store(path / "state"))
        tip, rows = load.ledger.tip, load.ledger.store.meta()
        assert rows is not None
        load.ledger.close()
        server = subprocess.Popen(
            [sys.executable, "-m", "bench.catchup", "--serve", str(path / "state")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            config = _home(path / "home", address)
            wall, cpu = perf_counter(), process_time()
            joining = asyncio.run(_join(config))
            wall, cpu = perf_counter() - wall, process_time() - cpu
            server.communicate("", timeout=30)
            served = json.loads((path / "state" / "served.json").read_text())
        finally:
            server.kill()
            server.wait()
        opening = process_time()
        ledger = Ledger.open(open_store(path / "home" / "data" / "state", create=False), load.genesis, load.chain)
        opening = process_time() - opening
        assert ledger.tip == tip, "it is not where the others are"
        ledger.audit()
        ledger.close()
        size = sum(file.stat().st_size for file in (path / "home" / "data" / "state").iterdir())
        shutil.rmtree(path / "home")
    assert joining.progress.dropped == 0, "a lying peer was never there"
    return {
        "bundles": bundles,
        "entries": rows.entry_count,
        "snapshot_wall_s": round(wall, 2),
        "snapshot_client_cpu_s": round(cpu, 2),
        **served,
        "open_cpu_s": round(opening, 2),
        "store_mb": round(size / 1e6, 1),
        **({"extrapolated_wall_s_1e6": round(wall * MILLION / bundles, 1)} if 10**5 <= bundles < MILLION else {}),
    }


def _home(home: Path, address: str) -> Config:
    home.mkdir()
    (home / "config.toml").write_text(f'[node]\np2p_listen = "127.0.0.1:0"\npeers = ["0@{address}"]\n')
    config = load_config(home, environment={})
    config.data.mkdir()
    return config


async def _join(config: Config) -> Joining:
    joining = Joining(config, *load_genesis(), NodeKey(secret("node", VALIDATORS)), (), open_log(None))
    assert await joining.run()
    return joining


class _Server:
    """A listener that knows nothing but snapshots."""

    def __init__(self, offering: Offering) -> None:
        self._offering = offering

    def frame_received(self, sender: Sender, frame: Frame) -> None:
        check_frame(frame, sender, VALIDATORS)
        match frame:
            case GetSnapshot():
                self._offering.asked_snapshot(sender, frame)
            case GetEntries():
                self._offering.asked_entries(sender, frame)
            case GetHops():
                self._offering.asked_hops(sender, frame)

    def peer_up(self, sender: Sender) -> None:
        """Nothing to tell."""

    def peer_down(self, sender: Sender) -> None:
        """Nothing to forget."""


async def _watch_turns(turns: list[float]) -> None:
    """How long a vote would have waited for its turn of the loop, in CPU seconds: others use this machine too."""
    while True:
        began = thread_time()
        await asyncio.sleep(0)
        turns.append(thread_time() - began)
        await asyncio.sleep(0.001)


async def _serve(path: Path) -> None:
    """The state in `path` for whoever asks, until stdin closes. Prints its address; what it cost goes into a file."""
    genesis, chain = load_genesis()
    ledger = Ledger.open(open_store(path, create=False), genesis, chain, SignatureCache())
    log, clock = open_log(None), SystemClock()
    peers = Peers(NodeKey(secret("node", 0)), chain, ledger.validators, "127.0.0.1:0", clock, log)
    offering = Offering(ledger, peers, log)
    peers.listener = _Server(offering)
    await peers.start()
    await offering.start()
    print(peers.listen_address, flush=True)
    began, turns = process_time(), [0.0]
    watch = asyncio.create_task(_watch_turns(turns))
    await asyncio.to_thread(sys.stdin.read)
    watch.cancel()
    turns.sort()
    served = {
        "snapshot_server_cpu_s": round(process_time() - began, 2),
        "server_turn_ms_p99": round(turns[len(turns) * 99 // 100] * 1e3, 1),
        "server_turn_ms_max": round(turns[-1] * 1e3, 1),
    }
    (path / "served.json").write_text(json.dumps(served))
    await offering.stop()
    await peers.stop()
    ledger.close()


if __name__ == "__main__":
    sys.exit(main())
