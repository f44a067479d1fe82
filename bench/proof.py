"""How long the stand-alone verifier takes for a proof file, and what the file consists of.

python -m bench.proof [FILE]          one JSON line; without FILE the statement of docs/gallery
"""

import json
import sys
import time
from pathlib import Path

from cli.verify_statement import verify_proof
from node.proof import StatementProof
from state.codec import decode, encode

GALLERY = Path(__file__).resolve().parents[1] / "docs" / "gallery" / "statement.proof"
ROUNDS = 50


def main(file: Path) -> None:
    data = file.read_bytes()
    proof = decode(StatementProof, data)
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        assert verify_proof(data)["verified"]
        times.append(time.process_time() - began)
    hops = sum(len(encode(hop)) for hop in proof.hops)
    line = {
        "bytes": len(data),
        "genesis_bytes": len(proof.genesis),
        "hops": len(proof.hops),
        "hop_bytes": hops,
        "bytes_beside_them": len(data) - len(proof.genesis) - hops,
        "verify_ms": round(sorted(times)[ROUNDS // 2] * 1e3, 1),
        "worst_ms": round(max(times) * 1e3, 1),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else GALLERY)
