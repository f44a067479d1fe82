"""An audit of a whole chain: so many transfers, one signature each, over so many live bundles.

python -m bench.audit [TRANSFERS]          one JSON line

The chain is made first (as many bundles of one certificate as transfers, four validators), written to a file, and then
audited as `wattest audit FILE` does it: links and votes, every signature, every rule, every state root, the books.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from bench.load import Load, genesis_value
from contracts.transition import decode_signed
from node.auditing.chain_file import chain_bytes, chain_records, read_records
from node.auditing.replay import Replay
from node.serving import canonical_json
from state.store import open_store

TRANSFERS = 100_000
PER_BLOCK = 1_000


def main(transfers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chain"
        bundles = _make(Path(folder) / "made", file, transfers)
        print(json.dumps({"transfers": transfers, "bundles": bundles, **_audit(Path(folder) / "state", file)}))


def _make(store: Path, file: Path, transfers: int) -> int:
    load = Load(min(1_000, transfers), transfers, store=open_store(store))
    raws = load.transfers()
    for start in range(0, len(raws), PER_BLOCK):
        load.block([decode_signed(raw) for raw in raws[start : start + PER_BLOCK]])
    ledger = load.ledger
    text = canonical_json(json.dumps(genesis_value()).encode())
    with file.open("wb") as out:
        out.writelines(chain_bytes(chain_records(ledger.store, text, ledger.tip.height)))
    bundles = load.certificates
    ledger.close()
    return bundles


def _audit(state: Path, file: Path) -> dict[str, object]:
    began, cpu = time.perf_counter(), time.process_time()
    replay = Replay(state)
    with file.open("rb") as source:
        replay.run(read_records(source.read))
    assert not replay.findings, replay.findings.listed[:3]
    replay.close()
    totals = replay.totals
    return {
        "blocks": totals.blocks,
        "transactions": totals.transactions,
        "signatures": totals.signatures,
        "live": len(replay.books.live),
        "file_mib": file.stat().st_size >> 20,
        "audit_s": round(time.perf_counter() - began, 1),
        "audit_cpu_s": round(time.process_time() - cpu, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TRANSFERS)
