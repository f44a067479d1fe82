"""Validators that lie, one behaviour a file. A villain reacts to what it hears; nobody checks what it says."""

from typing import Any

from harness.sim.villains import (
    equivocator,
    impersonator,
    invalid_proposer,
    nullify_spammer,
    one_way_deaf,
    outdated,
    reconfigurer,
    sign_everything,
    silent,
    withholder,
)
from harness.sim.villains.speaker import Villain

VILLAINS: dict[str, type[Villain]] = {
    "equivocator": equivocator.Equivocator,
    "impersonator": impersonator.Impersonator,
    "invalid_proposer": invalid_proposer.InvalidProposer,
    "nullify_spammer": nullify_spammer.NullifySpammer,
    "one_way_deaf": one_way_deaf.OneWayDeaf,
    "outdated": outdated.Outdated,
    "reconfigurer": reconfigurer.Reconfigurer,
    "sign_everything": sign_everything.SignEverything,
    "silent": silent.Silent,
    "withholder": withholder.Withholder,
}


def make_villain(kind: str, index: int, cluster: Any) -> Villain:
    return VILLAINS[kind](index, cluster)
