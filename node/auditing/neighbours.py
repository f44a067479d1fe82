"""The neighbours of an audited plant: which of their days were heard at a step, by the ledger that nodes tell.

What an issue names as `inputs_root` is derived again from the neighbours' records: days that were accepted at once, and
not corrected, in issues that stand before it on the chain. Their readings are downloaded like the plant's own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from contracts.hearing import Heard, asked_days, inputs_root, speaks
from node.beside import Beside
from state.attestation import CORRECTION, PROMPT
from state.records import Device
from verifier.verdict import Outcome

Place = tuple[int, int]  # height and index of a transaction
MOST_PROFILES = 64  # combinations of profiles that neighbours had one after the other


@dataclass(frozen=True)
class Neighbour:
    """Its record under each profile it had, the current one first, and what the ledger says of its days."""

    records: tuple[Device, ...]
    days: Sequence[dict[str, Any]]


def beside_candidates(
    device: Device, neighbours: Sequence[Neighbour], told: dict[str, Any], place_of: Callable[[str], Place]
) -> Iterator[Beside]:
    """What may have been heard at the step of `told`, by the profiles that the neighbours may have had."""
    own = place_of(told["txid"])
    roots = []
    for one in neighbours:
        spans = asked_days(device, one.records[0], told["day"], told["step"])
        roots.append(_accepted(one.days, spans, own, place_of))
    choices = product(*(one.records for one in neighbours))
    for _, chosen in zip(range(MOST_PROFILES), choices, strict=False):
        heard = [
            (record, Heard(record.id, record.profile_hash, days))
            for record, days in zip(chosen, roots, strict=True)
            if speaks(record)
        ]
        yield Beside(tuple(heard), {}, inputs_root(tuple(one for _, one in heard)))


def recorded_before(days: Sequence[dict[str, Any]], told: dict[str, Any]) -> dict[int, Outcome]:
    """The verdicts of the day's earlier steps."""
    return {one["step"]: one["verdict"] for one in days if one["day"] == told["day"] and one["step"] < told["step"]}


def _accepted(
    days: Sequence[dict[str, Any]], spans: Sequence[tuple[int, int]], own: Place, place_of: Callable[[str], Place]
) -> tuple[tuple[int, bytes], ...]:
    found: dict[int, bytes] = {}
    for one in days:
        if not any(first <= one["day"] <= last for first, last in spans):
            continue
        if one["step"] == PROMPT and one["verdict"] == "accept" and place_of(one["txid"]) < own:
            found[one["day"]] = bytes.fromhex(one["readings_root"])
        elif one["step"] == CORRECTION and place_of(one["txid"]) < own:
            found.pop(one["day"], None)
    return tuple(sorted(found.items()))
