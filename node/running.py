"""A node as a process: started, ended by a signal or by what must not go on, with an exit code that says which.

Exit codes: 0 stopped, 2 configuration, 4 keys, and those after which an operator must look (assurance.md section 9):
70 disk, 71 store mismatch or lost votes, 72 execution differs from a final block, 73 conflicting quorums, 74 own key
seen elsewhere. On the last three a dump is written, and a supervisor must not restart the node.
"""

import asyncio
import gc
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from node.app import Node, NodeKeys, Part, load_keys
from node.config import SNAPSHOT, Config, ConfigError, load_config, parse_address
from node.failures import KeystoreError
from node.genesis import read_genesis
from node.home import DataDirectory
from node.joining import Joining
from node.log import open_log
from node.remedies import Remedy, remedy_of
from node.signer import Signer
from node.transport import NodeKey
from node.waiting import Waiting
from state.errors import DiskFailed, GenesisInvalid, WattestError

DUMP_FROM = 72  # exit codes that leave a dump
COLLECT_AFTER = 100_000  # new containers: some 10 MB, about two full blocks


def run_node(config: Config, keys: NodeKeys, parts: Callable[[Node], list[Part]] = lambda node: []) -> int:
    """Run the node of a home until SIGTERM or SIGINT; its exit code. What went wrong is said on stderr."""
    node: Node | None = None
    try:
        joins, gone = config.text("node.sync") == SNAPSHOT, False
        while True:
            if joins and not asyncio.run(_join(config, keys, gone)):
                return 0
            node = Node(config, keys, log=open_log(config.home / "node.log"))
            node.parts += _built(node, parts)
            for what, remedy in node.warnings:
                _say("warning", what, remedy)
            if asyncio.run(_until_signal(node)) or not (node.listening or node.left_behind):
                return 0
            joins = gone = node.left_behind
    except (WattestError, OSError) as raised:
        return tell_failure(raised, config, node)


def _built(node: Node, parts: Callable[[Node], list[Part]]) -> list[Part]:
    """What the parts open may be damaged as well: then the node gives its own back."""
    try:
        return parts(node)
    except BaseException as error:
        node.close(error)
        raise


def tell_failure(raised: WattestError | OSError, config: Config, node: Node | None = None) -> int:
    """Say on stderr and in the log what ended the node and what to do; the exit code."""
    error = raised if isinstance(raised, WattestError) else _disk_failed(raised)
    code = exit_code(error)
    remedy = remedy_of(error, config)
    _say("error", str(error), remedy)
    log = node.log if node is not None else _log_of(config)
    log.error("node_stopped", code=code, why=str(error), **(vars(remedy) if remedy else {}))
    if node is not None and code >= DUMP_FROM:
        write_dump(node, code, str(error))
    return code


def _log_of(config: Config) -> FilteringBoundLogger:
    """Silent where there is no home to keep a log in."""
    try:
        return open_log(config.home / "node.log")
    except OSError:
        return open_log(None)


def _say(level: str, what: str, remedy: Remedy | None) -> None:
    """The operator reads it, the log keeps it."""
    print(f"{level}: {what}" + (f"\n{remedy.lines()}" if remedy else ""), file=sys.stderr, flush=True)  # noqa: T201


async def _join(config: Config, keys: NodeKeys, gone: bool) -> bool:
    """Begin from the state of others where there is a newer one; False where a signal ended it. `gone`: nobody keeps
    the blocks above the own one."""
    genesis, chain = read_genesis(config.genesis)
    votes = tuple(Signer(seed).public for seed in (keys.vote, keys.next_vote) if seed is not None)
    with DataDirectory(config, working=False):
        log = open_log(config.home / "node.log")
        joining = Joining(config, genesis, chain, NodeKey(keys.node), votes, log, gone=gone)
        waiting = Waiting(joining, chain, genesis.parameters.name, *parse_address(config.text("node.api_listen")))
        await waiting.start()
        stop = _stop_at_signal()
        work, stopped = asyncio.create_task(joining.run()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            return work.done()
        finally:
            work.cancel()
            stopped.cancel()
            await asyncio.gather(work, stopped, return_exceptions=True)
            await waiting.stop()


def _disk_failed(error: OSError) -> DiskFailed:
    """What the system said of a file. Sockets have answered for themselves long before."""
    where = f" at {error.filename}" if error.filename else ""
    return DiskFailed(why=f"{error.strerror or error}{where}")


async def _until_signal(node: Node) -> bool:
    """Whether a signal ended it."""
    stop = _stop_at_signal()
    tune_collector()
    await node.run(stop)
    return stop.is_set()


def _stop_at_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def tune_collector() -> None:
    """What is loaded by now stays, and later collections need not walk it. They may also come rarely: all that travels
    is free of cycles, and a block alone makes more containers than a hundred default thresholds."""
    gc.unfreeze()  # a node that was opened before in this process is gone
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)


def exit_code(error: WattestError) -> int:
    if isinstance(error, KeystoreError):
        return 4
    if isinstance(error, ConfigError | GenesisInvalid):
        return 2
    return int(getattr(error, "exit_code", 1))


def write_dump(node: Node, code: int, why: str) -> None:
    """One file with what an engineer needs first: where the engine stood, its votes and quorums, the stored tip."""
    standing = node.engine.standing()
    dump: Mapping[str, Any] = {
        "schema": "dump/1",
        "code": code,
        "why": why,
        "chain": node.chain.hex(),
        "validator": node.index,
        "epoch": standing.epoch,
        "view": standing.view,
        "final_view": standing.final_view,
        "height": node.ledger.tip.height,
        "block_hash": node.ledger.tip.hash.hex(),
        "state_root": node.ledger.tip.header.state_root.hex(),
        "own_votes": [_shown(vote) for vote in standing.own_votes],
        "quorums": [_shown(quorum) for quorum in standing.quorums],
    }
    path = node.config.data / f"dump-{int(time.time())}-{code}.json"
    path.write_text(json.dumps(dump, indent=1))


def _shown(value: Any) -> dict[str, Any]:
    names = ("kind", "epoch", "view", "parent_view", "block_hash", "signer", "bitmap")
    found = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return {name: item.hex() if isinstance(item, bytes) else item for name, item in found.items()}


def main() -> int:
    """`python -m node.running HOME`: a bare node whose keys are of the test keyring, for tests and experiments."""
    config = load_config(Path(sys.argv[1]))
    try:
        keys = load_keys(config)
    except WattestError as error:
        return tell_failure(error, config)
    return run_node(config, keys)


if __name__ == "__main__":
    sys.exit(main())
