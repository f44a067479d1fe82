"""The closing line of the headless demo: one JSON object of what happened, and whether it is what must happen."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.demo.stage import Stage
from cli.demo.story import Outcome
from cli.demo.units import Unit
from cli.verify_statement import NotProven, verify_proof
from node.client import NodeClient
from state.attestation import PROMPT

AGREE_S = 30.0
KINDS = ("issue", "bid", "settle", "transfer", "retire")  # the five native kinds


@dataclass
class Days:
    """Verdicts of every plant's production days, as the ledger has them."""

    issuances: int = 0
    held: int = 0
    refused: int = 0
    tampered_wh_blocked: int = 0
    tampered_wh_released: int = 0


def judged_days(client: NodeClient, device: int) -> list[dict[str, Any]]:
    return list(client.pages(f"/v1/devices/{device}/days", "days"))


def count_days(client: NodeClient, units: list[Unit], devices: dict[str, int]) -> Days:
    days = Days()
    for unit in units:
        tampered = unit.tampered_days()
        for day in judged_days(client, devices[unit.id]):
            first = day["step"] == PROMPT
            days.held += first and day["verdict"] == "hold"
            days.refused += first and day["verdict"] == "reject"
            if int(day["day"]) in tampered:
                days.tampered_wh_blocked += int(day["energy_wh"]) - int(day["release_wh"]) if first else 0
                days.tampered_wh_released += int(day["release_wh"])
    return days


def agreement(stage: Stage) -> tuple[int, str, bool]:
    """(height, state root, whether all nodes have the same final block and state root at that height)."""
    deadline = time.monotonic() + AGREE_S
    while True:
        height = min(int(client.status()["height"]) for client in stage.clients)
        blocks = [client.get(f"/v1/blocks/{height}") for client in stage.clients]
        equal = len({(block["hash"], block["state_root"]) for block in blocks}) == 1
        if equal or time.monotonic() > deadline:
            return height, str(blocks[0]["state_root"]), equal
        time.sleep(0.2)


def fetch_proof(stage: Stage, statement: str, to: Path) -> bool:
    """Write the statement's proof file and check it as a stranger would, with the stand-alone verifier."""
    data = stage.client.get_bytes(f"/v1/statements/{statement}/proof")
    to.write_bytes(data)
    try:
        verify_proof(data, (stage.directory / "genesis.json").read_bytes())
    except NotProven:
        return False
    return True


def closing_line(
    stage: Stage,
    days: Days,
    outcome: Outcome,
    readings: int,
    verified: bool,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """The keys are a contract with whoever reads the line (docs/CLI.md)."""
    height, root, equal = agreement(stage)
    supply = {scheme["name"]: scheme for scheme in stage.client.get("/v1/supply")["schemes"]}
    return {
        "validators": len(stage.clients),
        "height": height,
        "state_root": root,
        "state_roots_equal": equal,
        "readings_accepted": readings,
        "issuances": sum(int(scheme["issuances"]) for scheme in supply.values()),
        "certificates_issued": {name: int(scheme["issued"]) for name, scheme in supply.items()},
        "technologies_sold": sorted(outcome.technologies_sold),
        "days_held": days.held,
        "days_refused": days.refused,
        "tampered_wh_blocked": days.tampered_wh_blocked,
        "auctions_settled": len(outcome.auctions),
        "certificates_sold": outcome.certificates_sold,
        "transfers": outcome.transfers,
        "certificates_retired": outcome.retired,
        "statement_verified": verified,
        "first_certificate_s": round(seconds["first_certificate"], 1),
        "first_settlement_s": round(seconds["first_settlement"], 1),
        "seconds": round(seconds["all"], 1),
    }


def shortfalls(line: dict[str, Any], days: Days, kinds: set[str]) -> list[str]:
    """What must hold and does not; empty means exit code 0."""
    wanted = {
        "all nodes end with the same block and state root": line["state_roots_equal"],
        "every native kind was finalised": kinds >= set(KINDS),
        "both technologies were sold": set(line["technologies_sold"]) == {"solar", "wind"},
        "the tampered streams brought no certificate": days.tampered_wh_released == 0 < days.tampered_wh_blocked,
        "a retirement statement verified": line["statement_verified"],
    }
    return [what for what, holds in wanted.items() if not holds]
