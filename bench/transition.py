"""One node's transition on one core: decode, verify (cold cache), apply, synced write of full blocks.

    python -m bench.transition [--blocks 20] [--size 1000] [--profile]

Prints one JSON object. `ratio` is transactions per CPU-second over V, the PyNaCl verifications per second of a
transaction-sized message measured in the same run, before and after each block; goal 0.45, aim 0.6.
"""

import argparse
import cProfile
import json
import os
import pstats
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar

from nacl.bindings import crypto_sign_open

from bench.load import Load
from contracts.transition import DecodedTx, decode_signed, verify_signatures
from node.ledger import Ledger
from node.running import tune_collector
from state.block import Block
from state.codec import encode
from state.history import where
from state.store import open_store
from state.transaction import signing_bytes

T = TypeVar("T")

VERIFY_SAMPLE = 300  # checks of one measurement of V, about 17 ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--size", type=int, default=1_000, help="transactions in a block, and holders")
    parser.add_argument("--profile", action="store_true", help="where the time goes, to stderr")
    options = parser.parse_args()
    print(json.dumps(measure(options.blocks, options.size, options.profile)))


def measure(blocks: int, size: int, profile: bool = False) -> dict[str, object]:
    load = Load(size)
    with tempfile.TemporaryDirectory() as folder:
        leader = _follow(load, Path(folder) / "leader")
        node = _follow(load, Path(folder) / "node")
        proposals = [_propose(leader, load.transfers()) for _ in range(blocks)]
        sample = proposals[0].transactions[:VERIFY_SAMPLE]
        profiler = cProfile.Profile() if profile else None
        tune_collector()
        runs = [_timed(node, block, sample, profiler) for block in proposals]
        _check(load, leader, node, size)
        node.audit()
    if profiler is not None:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(40)
    verify = statistics.median(run["verify_per_s"] for run in runs)
    ratios = sorted(run["tx_per_cpu_s"] / run["verify_per_s"] for run in runs)
    return {
        "schema": "bench/transition/1",
        "blocks": blocks,
        "tx_per_block": size,
        "tx_bytes": len(proposals[0].transactions[0]),
        "verify_per_s": round(verify),
        "one_node_tx_per_cpu_s": round(statistics.median(run["tx_per_cpu_s"] for run in runs)),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_min": round(ratios[0], 3),
        "ratio_max": round(ratios[-1], 3),
        "us_per_tx": {
            stage: round(statistics.median(run[stage] for run in runs) / size * 1e6, 1)
            for stage in ("decode", "verify", "apply", "write")
        },
        "write_wall_ms_p50": round(statistics.median(run["write_wall"] for run in runs) * 1e3, 1),
        "syncs_per_block": 1,
        "load_average": round(os.getloadavg()[0], 2),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
    }


def _follow(load: Load, path: Path) -> Ledger:
    """A ledger on disk that has the preparation behind it."""
    ledger = Ledger.open(open_store(path), load.genesis, load.chain)
    for block, finalization in load.preparation:
        ledger.commit(block, encode(finalization), finalization.view)
    return ledger


def _propose(leader: Ledger, raws: list[bytes]) -> Block:
    tip = leader.tip
    candidates = [decode_signed(raw) for raw in raws]
    block, refused = leader.build_with_refused(tip.hash, candidates, tip.header.timestamp_ms + 1_000, 0)
    assert len(block.transactions) == len(raws), f"{len(refused)} transactions of the load were refused"
    leader.commit(block, b"", tip.view + 1)
    return block


def _timed(
    node: Ledger, block: Block, sample: tuple[bytes, ...], profiler: cProfile.Profile | None
) -> dict[str, float]:
    """CPU seconds of each stage for one block, with V measured on both sides of it."""
    before = _verify_per_s(sample)
    # Decoding and verifying are measured on their own as well: the node does both inside `check`.
    decode, decoded = _cpu(lambda: [decode_signed(raw) for raw in block.transactions])
    verify, _ = _cpu(lambda: _verify_all(decoded))
    if profiler is not None:
        profiler.enable()
    check, _ = _cpu(lambda: node.check(block))
    wall = perf_counter()
    write, _ = _cpu(lambda: node.commit(block, b"", node.tip.view + 1))
    wall = perf_counter() - wall
    if profiler is not None:
        profiler.disable()
    return {
        "decode": decode,
        "verify": verify,
        "apply": check - decode - verify,
        "write": write,
        "write_wall": wall,
        "tx_per_cpu_s": len(block.transactions) / (check + write),
        "verify_per_s": (before + _verify_per_s(sample)) / 2,
    }


def _verify_all(transactions: Sequence[DecodedTx]) -> None:
    for decoded in transactions:
        verify_signatures(decoded)


def _verify_per_s(raws: tuple[bytes, ...]) -> float:
    """V: libsodium through PyNaCl, one thread, messages of the size of a transaction."""
    bodies = [decode_signed(raw).transaction for raw in raws]
    signed = [(one.signatures[0] + signing_bytes(one.body), one.body.signers[0]) for one in bodies]
    seconds, _ = _cpu(lambda: [crypto_sign_open(message, key) for message, key in signed])
    return len(signed) / seconds


def _cpu(work: Callable[[], T]) -> tuple[float, T]:
    start = process_time()
    result = work()
    return process_time() - start, result


def _check(load: Load, leader: Ledger, node: Ledger, certificates: int) -> None:
    """Both nodes have one state, and each certificate is where the last transfer put it."""
    assert (leader.tip.hash, leader.tip.header.state_root) == (node.tip.hash, node.tip.header.state_root)
    for serial in range(1, certificates + 1):
        one, other = where(leader.store, 1, serial), where(node.store, 1, serial)
        assert one is not None
        assert one == other
        assert (one.status, one.holder) == ("active", load.holder_of(serial))


if __name__ == "__main__":
    main()
