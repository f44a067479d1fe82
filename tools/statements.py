"""Writes docs/gallery/statement.*: one printed statement, its proof, what the stand-alone verifier says of it, and of a
copy in which one byte was changed. `make pictures` runs it; the network is made from seeds, so the files change only
when the formats do. The PDF needs the extra `pdf` and a font.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from harness.finalized import FinalizedWorld  # noqa: E402

from node.pages.pdf import statement_pdf  # noqa: E402
from node.proof import build_proof  # noqa: E402
from node.queries.statements import emissions_of, statement_dict  # noqa: E402
from node.serving import canonical_json  # noqa: E402
from node.texts import texts  # noqa: E402
from state.transaction import Beneficiary  # noqa: E402

GALLERY = ROOT / "docs" / "gallery"
VERIFIER = "cli/verify_statement.py"
URL = "https://registry.example"
EMISSION = {"g_per_kwh": 400, "source": "an example, not a real factor"}
OWNER = "Haute Borne Wind"


def main() -> None:
    world = FinalizedWorld(scheme={"emission": EMISSION})  # type: ignore[arg-type]
    identity = retire(world)
    proof = build_proof(world.store, identity)
    (GALLERY / "statement.proof").write_bytes(proof)
    (GALLERY / "statement.genesis.json").write_bytes(canonical_json(world.genesis_text))
    shown = statement_dict(world.store, identity, emissions_of(world.genesis))
    address = f"{URL}/statement/{shown['id']}?c={world.chain.hex()[:8]}"
    for language in ("en", "zh"):
        printed = statement_pdf(texts(language), shown, address, ("https://other.example",))
        (GALLERY / f"statement.{language}.pdf").write_bytes(printed)
    (GALLERY / "statement.verified.txt").write_text(said_of(GALLERY / "statement.proof"), "utf-8")
    middle = len(proof) * 3 // 4
    changed = GALLERY / "statement.changed.proof"
    changed.write_bytes(proof[:middle] + bytes((proof[middle] ^ 1,)) + proof[middle + 1 :])
    (GALLERY / "statement.refused.txt").write_text(said_of(changed), "utf-8")
    print(f"{len(proof)} bytes of proof", file=sys.stderr)


def retire(world: FinalizedWorld) -> bytes:
    world.register(OWNER)
    device = world.device(OWNER)
    bundle = world.issue(device, 3_400_000)
    assert bundle is not None
    action = world.retire_action(
        OWNER,
        bundle,
        1,
        1,
        beneficiary=Beneficiary("Bakery Dupont", "FR-123456789", "Nancy", "FR"),
        note="bread of the year 2014",
        jurisdiction="FR-GES",
    )
    world.do(action, by=(OWNER,))
    world.block()
    return action.statement_hash[:16]


def said_of(proof: Path) -> str:
    """The command, what it printed, and its exit code."""
    arguments = [str(proof.relative_to(ROOT)), "--genesis", "docs/gallery/statement.genesis.json"]
    ran = subprocess.run([sys.executable, VERIFIER, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return f"$ python {VERIFIER} {' '.join(arguments)}\n{ran.stdout}{ran.stderr}exit code {ran.returncode}\n"


if __name__ == "__main__":
    main()
