"""Throughput of one node and of a network of four, against the signature checks that the same machine can do.

    python -m bench.throughput [--quick]

Four validator processes on this machine take HTTP batches of transfers that were signed beforehand. A transaction
counts when it is final and durable on all four; every transaction's status, every owner, and the state that each node
left on disk are checked, and any unexpected answer voids the run (exit code 1, no figures). The last line of stdout is
one JSON object. Absolute figures are of this machine at this moment; what carries over are the ratios to
`verify_per_s`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import process_time

from nacl.bindings import crypto_sign_open

from bench import transition
from bench.load import VALIDATORS
from bench.network import Network, Phase, RunVoid
from contracts.transition import decode_signed
from node.version import VERSION
from state.transaction import signing_bytes

HOLDERS = 1_000
MOVES = 10
BATCH = 250  # transactions of one request
SYNCS = 200
PACKAGES = ("pynacl", "msgspec", "blake3", "plyvel", "aiohttp")


@dataclass(frozen=True)
class Scale:
    node_blocks: int  # of 1,000 transactions, on one node
    bundles: int
    rounds: int  # of both kinds of load, one after the other
    sample: int  # verifications of one measurement of V


QUICK = Scale(node_blocks=8, bundles=16_000, rounds=1, sample=2_000)
STEADY = Scale(node_blocks=30, bundles=40_000, rounds=3, sample=10_000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="leave the homes of the nodes there")
    options = parser.parse_args()
    try:
        print(json.dumps(measure(QUICK if options.quick else STEADY, options.keep)))
    except (RunVoid, AssertionError) as error:
        print(f"error: the run is void: {error}", file=sys.stderr)
        return 1
    return 0


def measure(scale: Scale, keep: Path | None = None) -> dict[str, object]:
    started = time.monotonic()
    say(f"one node: {scale.node_blocks} blocks of {HOLDERS} transfers")
    one = transition.measure(scale.node_blocks, HOLDERS)
    with tempfile.TemporaryDirectory() as folder:
        say(f"{VALIDATORS} validators: preparing {scale.bundles} bundles of {HOLDERS} participants")
        network = Network((keep or Path(folder)) / "network", HOLDERS, scale.bundles)
        rounds = []
        for _ in range(scale.rounds):
            rounds.append((network.load.transfers(), network.load.transfers_of(MOVES)))
        sample = rounds[0][0][: scale.sample]
        verify = [verify_per_s(sample)]
        singles: list[Phase] = []
        tens: list[Phase] = []
        with network:
            for single, ten in rounds:
                singles.append(network.run(single, BATCH))
                tens.append(network.run(ten, BATCH // MOVES))
                verify.append(verify_per_s(sample))
                say(f"{singles[-1].tx_per_s:.0f} tx/s, {MOVES * tens[-1].tx_per_s:.0f} moves/s in batches of {MOVES}")
            say("reading back every status and every owner")
            phases = [phase for pair in zip(singles, tens, strict=True) for phase in pair]
            network.check_statuses(phases)
            network.check_owners()
            state_root = network.check_disks(phases)
        sync_ms = sync_p50_ms(Path(folder))
    return {
        "schema": "bench/throughput/1",
        **figures(statistics.median(verify), one, singles, tens),
        "state_root": state_root,
        "statuses_checked": sum(phase.transactions for phase in phases),
        "owners_checked": scale.bundles,
        "tx_bytes": len(rounds[0][0][0]),
        "tx_bytes_10": len(rounds[0][1][0]),
        "verify_per_s_runs": [round(rate) for rate in verify],
        "fdatasync_ms_p50": round(sync_ms, 2),
        "validators": VALIDATORS,
        "keys": HOLDERS,
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in PACKAGES},
        "version": VERSION,
        "commit": commit(),
        "seconds": round(time.monotonic() - started, 1),
    }


def figures(
    verify: float, one: dict[str, object], singles: Sequence[Phase], tens: Sequence[Phase]
) -> dict[str, object]:
    """The medians of all rounds, and their ratios to the verifications of one thread."""
    tx = statistics.median(phase.tx_per_s for phase in singles)
    moves = MOVES * statistics.median(phase.tx_per_s for phase in tens)
    cpu = statistics.median(phase.tx_per_cpu_s for phase in singles)
    cpu_10 = MOVES * statistics.median(phase.tx_per_cpu_s for phase in tens)
    blocks = [phase.blocks / phase.seconds for phase in singles]
    return {
        "verify_per_s": round(verify),
        "one_node_tx_per_cpu_s": one["one_node_tx_per_cpu_s"],
        "one_node_ratio": one["ratio"],
        "one_node": one,
        "network_tx_per_s": round(tx),
        "network_ratio": round(tx / verify, 3),
        "network_blocks_per_s": round(statistics.median(blocks), 2),
        "network_tx_per_block": round(statistics.median(phase.transactions / phase.blocks for phase in singles)),
        "block_bytes": round(statistics.median(phase.block_bytes for phase in singles)),
        "network_tx_per_cpu_s": round(cpu),
        "network_cores_used": round(statistics.median(phase.cores_used for phase in singles), 2),
        "moves_per_s_10": round(moves),
        "moves_10_ratio": round(moves / verify, 3),
        "moves_10_tx_per_block": round(statistics.median(phase.transactions / phase.blocks for phase in tens)),
        "moves_10_per_cpu_s": round(cpu_10),
        "moves_10_cores_used": round(statistics.median(phase.cores_used for phase in tens), 2),
        "syncs_per_block_per_node": round(
            statistics.median(
                phase.syncs / VALIDATORS / (phase.last_height - phase.first_height + 1) for phase in singles
            ),
            2,
        ),
        "network_tx": sum(phase.transactions for phase in singles),
        "bursts": [burst(phase) for pair in zip(singles, tens, strict=True) for phase in pair],
        "generator_cpu_s": round(sum(phase.generator_cpu_s for phase in (*singles, *tens)), 2),
    }


def burst(phase: Phase) -> dict[str, object]:
    """One burst of load, so that a reader sees whether the network tires in a long run."""
    return {
        "transactions": phase.transactions,
        "seconds": round(phase.seconds, 2),
        "tx_per_s": round(phase.tx_per_s),
        "node_us_per_tx": round(phase.node_us_per_tx, 1),
        "cores_used": round(phase.cores_used, 2),
        "blocks": phase.blocks,
        "resident_mib": phase.resident_mib,
    }


def verify_per_s(raws: Sequence[bytes]) -> float:
    """V: libsodium through PyNaCl, one thread, messages of the size of a transaction, per second of its own CPU."""
    bodies = [decode_signed(raw).transaction for raw in raws]
    signed = [(one.signatures[0] + signing_bytes(one.body), one.body.signers[0]) for one in bodies]
    start = process_time()
    for message, key in signed:
        crypto_sign_open(message, key)
    return len(signed) / (process_time() - start)


def sync_p50_ms(folder: Path) -> float:
    """Median of fdatasync after 4 KiB, in ms: what a synced write costs on this disk now."""
    times = []
    descriptor = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(SYNCS):
            os.write(descriptor, bytes(4_096))
            start = time.perf_counter()
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - start)
    finally:
        os.close(descriptor)
    return statistics.median(times) * 1_000


def commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}  (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
