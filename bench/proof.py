"""How long the stand-alone verifier takes for a proof file, and what the file consists of.

python -m bench.proof [FILE GENESIS]          one JSON line; without them the statement of docs/gallery
"""

import json
import sys
import time
from pathlib import Path

from cli.verify_statement import verify_proof
from node.proof import StatementProof
from state.codec import decode, encode

GALLERY = Path(__file__).resolve().parents[1] / "docs" / "gallery"
ROUNDS = 50


def main(file: Path, trusted: Path) -> None:
    data, genesis = file.read_bytes(), trusted.read_bytes()
    proof = decode(StatementProof, data)
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        assert verify_proof(data, genesis)["statement_hash"]
        times.append(time.process_time() - began)
    hops = sum(len(encode(hop)) for hop in proof.hops)
    line = {
        "bytes": len(data),
        "hops": len(proof.hops),
        "hop_bytes": hops,
        "bytes_beside_them": len(data) - hops,
        "verify_ms": round(sorted(times)[ROUNDS // 2] * 1e3, 1),
        "worst_ms": round(max(times) * 1e3, 1),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:3]]
    main(*(given if len(given) == 2 else (GALLERY / "statement.proof", GALLERY / "statement.genesis.json")))
