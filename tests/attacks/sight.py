"""What anybody can read off the network: who holds what, how much there is, and whether all nodes say the same."""

import time
from dataclasses import dataclass
from typing import Any

from attacks.field import Field

ON_S = 25.0  # for every node to get one block further


@dataclass(frozen=True)
class Sight:
    """`holdings` are the outpoints of each participant; the sums are made again from those outputs."""

    height: int
    holdings: dict[int, frozenset[str]]
    certificates: int
    millionths: int
    supply: dict[str, tuple[int, int, int, int]]  # scheme -> issued, live, retired, expired


def look(field: Field) -> Sight:
    """Through the API of one node, at two equal heights, so that no block came between."""
    client = field.clients[field.running[0]]
    while True:
        before = int(client.status()["height"])
        holdings: dict[int, frozenset[str]] = {}
        certificates = millionths = 0
        for number in field.world.people.values():
            outputs = list(client.outputs(number))
            holdings[number] = frozenset(str(output["outpoint"]) for output in outputs)
            certificates += sum(int(output.get("quantity", 0)) for output in outputs if _holds_certificates(output))
            millionths += sum(_money_in(output) for output in outputs)
        supply = {str(line["name"]): _counts(line) for line in client.get("/v1/supply")["schemes"]}
        after = client.status()
        moved = any(block["transactions"] for block in _blocks(client, before + 1, int(after["height"])))
        if not moved:
            return Sight(int(after["height"]), holdings, certificates, millionths, supply)


def _blocks(client: Any, first: int, last: int) -> list[dict[str, Any]]:
    if last < first:
        return []
    return list(client.get("/v1/blocks", **{"from": first}, count=min(64, last - first + 1))["blocks"])


def _holds_certificates(output: dict[str, Any]) -> bool:
    return output["kind"] in ("bundle", "offer", "delivery", "pending", "listing")


def _money_in(output: dict[str, Any]) -> int:
    match output["kind"]:
        case "funds":
            return int(output["amount"])
        case "bid":
            return int(output["funds"]["amount"])
        case "delivery":
            return int(output["payment"]["amount"])
    return 0


def _counts(line: dict[str, Any]) -> tuple[int, int, int, int]:
    issued, live, retired, expired = (int(line[name]) for name in ("issued", "live", "retired", "expired"))
    return issued, live, retired, expired


def harm(field: Field, before: Sight, movers: frozenset[int]) -> list[str]:
    """What is wrong after an attack, in words; nothing if it did no harm. `movers` may hold other outputs now."""
    found = _standstill(field) or _forks(field)
    if found:
        return found
    after = look(field)
    if after.certificates != before.certificates:
        found.append(f"{before.certificates} certificates were held, now {after.certificates}")
    if after.millionths != before.millionths:
        found.append(f"{before.millionths} millionths were held, now {after.millionths}")
    if after.supply != before.supply:
        found.append("the supply counts differ")
    for name, counts in after.supply.items():
        if counts[0] != sum(counts[1:]):
            found.append(f"the supply of {name} does not add up: {counts}")
    if sum(counts[1] for counts in after.supply.values()) != after.certificates:
        found.append("the live supply is not what people hold")
    for number, held in before.holdings.items():
        if number not in movers and after.holdings[number] != held:
            found.append(f"the outputs of participant {number} changed")
    return found


def _standstill(field: Field) -> list[str]:
    """Whether some running node makes no block any more."""
    wanted = field.height() + 1
    deadline = time.monotonic() + ON_S
    waiting = list(field.running)
    while waiting:
        waiting = [index for index in waiting if int(field.clients[index].status()["height"]) < wanted]
        if waiting and time.monotonic() > deadline:
            return [f"node {index} stands still below height {wanted}" for index in waiting]
        if waiting:
            time.sleep(0.05)
    return []


def _forks(field: Field) -> list[str]:
    """Whether two running nodes have different blocks or states at the highest height that all have."""
    nodes = field.running
    height = min(int(field.clients[index].status()["height"]) for index in nodes)
    blocks = [field.clients[index].get(f"/v1/blocks/{height}") for index in nodes]
    states = {(block["hash"], block["state_root"]) for block in blocks}
    return [] if len(states) == 1 else [f"{len(states)} different states at height {height}"]
