"""What an audit can find. Each kind has a stable name, in answers and in docs/OPERATING.md, and a sentence."""

from dataclasses import dataclass
from typing import Any

KINDS = {
    # the file and its blocks
    "file_damaged": "the chain file is cut or changed",
    "link_broken": "a block does not follow the one before it",
    "body_differs": "a block's transactions are not those of its header",
    "finality_forged": "a block was not made final by a quorum of the validators in office",
    "validators_differ": "a block names other validators than those in office",
    # execution
    "rule_broken": "a transaction breaks a rule",
    "state_root_wrong": "a state root is not what the transactions lead to",
    # certificates
    "issuance_differs": "an issue makes more or fewer certificates than its energy",
    "issuance_unattested": "an issue lacks equal attestations of a quorum",
    "energy_twice": "the energy of a day was released twice",
    "carry_missing": "an issue does not begin with what was carried",
    "debt_differs": "what was certified in error is not made up for as the rules of debts say",
    "hours_differ": "certificates name another hour than the one whose energy was attested",
    "ranges_overlap": "a certificate lies in two places, or its number was given twice",
    "certificates_lost": "certificates vanish without having been retired, expired or withdrawn",
    "certificates_from_nothing": "certificates appear without an issue",
    "spent_twice": "an output is spent that is not there, or not any more",
    "dead_used": "certificates move after their time was over",
    "retirement_differs": "a retirement ends other certificates than its statement names",
    "retirement_lost": "a retirement is missing in the registry",
    # money
    "money_minted": "money appears without a deposit",
    "money_lost": "money vanishes without a payout",
    "settle_wrong": "a settlement does not deliver at the one price that follows from its orders",
    # the state of a node
    "account_differs": "an account of energy is not what its issues add up to",
    "state_differs": "the stored state is not the one that the chain leads to",
    "index_differs": "a stored index is not the one that the chain leads to",
    "readings_differ": "the readings held here are not those that were attested",
    "verdict_differs": "the readings held here give another verdict than the one that was attested",
}

MOST = 1_000  # findings told one by one; a chain that is wrong everywhere is not told better by more


@dataclass(frozen=True)
class Finding:
    """`place` says where: a block, a transaction, a plant."""

    kind: str
    place: str
    what: str

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind

    def __str__(self) -> str:
        return f"{self.place}: {self.what} [{self.kind}]"

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "place": self.place, "what": self.what}


class Findings:
    """In the order in which they were made."""

    def __init__(self) -> None:
        self.listed: list[Finding] = []
        self.count = 0

    def add(self, kind: str, place: str, what: str) -> None:
        self.count += 1
        if len(self.listed) < MOST:
            self.listed.append(Finding(kind, place, what))

    def __bool__(self) -> bool:
        return bool(self.count)
