"""Words of the pages for what the ledger says in codes: each value is a message of the texts catalogue."""

from collections.abc import Mapping

from node.queries.foreign_codes import foreign
from node.texts import Texts
from verifier.words import GENERAL

STATUS_WORDS = {
    "active": "valid",
    "locked": "offered for sale",
    "reserved": "sold, delivery follows",
    "retired": "retired",
    "expired": "expired",
    "withdrawn": "withdrawn",
}

STATUS_SENTENCES = {
    "active": "Valid and unused. It belongs to {holder}.",
    "locked": "It lies in an auction, or waits for somebody to accept it. It still belongs to {holder}.",
    "reserved": "Sold in an auction. It belongs to {holder} until it is paid; certificate and money move together.",
    "retired": "Used up for {beneficiary}. Once and for ever: nobody can sell or claim it again.",
    "expired": "Expired unused, held by {holder}. Nobody can trade or claim it any more.",
    "withdrawn": "Withdrawn after an error was proven. Nobody may claim it, and its number is never given out again.",
}

MOODS = {
    "active": "good",
    "locked": "warn",
    "reserved": "warn",
    "retired": "done",
    "expired": "bad",
    "withdrawn": "bad",
}

PURPOSE_WORDS = {
    "voluntary": "voluntary claim",
    "compliance": "compliance",
    "own_consumption": "own consumption",
}

VERDICT_WORDS = {
    "accept": "accepted",
    "hold": "held back",
    "reject": "rejected",
}

SOURCE_WORDS = {
    "solar": "solar power",
    "onshore wind": "wind power, on land",
    "offshore wind": "wind power, at sea",
    "wind": "wind power",
    "hydro": "hydropower",
    "marine": "power of the sea",
    "thermal": "power of burnt fuel",
    "nuclear": "nuclear power",
    "other": "another source of power",
}

SOURCE_NAMES = {
    "solar": "sun",
    "wind": "wind",
    "hydro": "water",
    "biomass": "biomass",
    "nuclear": "nuclear energy",
    "other": "another source",
}

ACTION_WORDS = {
    "register": "registration",
    "propose": "proposal to the consortium",
    "vote": "vote of a validator's organisation",
    "deposit": "money paid in",
    "payout": "money paid out",
    "issue": "issue of certificates, verdicts on days",
    "transfer": "transfer",
    "retire": "retirement",
    "open_auction": "opening of an auction",
    "offer": "offer in an auction",
    "bid": "bid in an auction",
    "cancel": "order taken back",
    "settle": "settlement of an auction",
    "evidence": "proof of two contradicting votes",
    "ask_payout": "payout asked for",
    "confirm_payout": "payout confirmed",
    "drop_payout": "payout declined or taken back",
    "replace": "order replaced",
    "reveal": "sealed order opened",
    "open_shares": "validator's shares that open sealed orders",
    "void": "auction without a settlement: everything goes back",
    "pay": "payment for an auction",
    "default": "default of a buyer on margin",
    "list": "lot posted at a fixed price",
    "buy": "purchase of a posted lot",
    "standing_bid": "standing bid",
    "end_standing_bid": "end of a standing bid",
    "rotate_key": "change of a participant's key",
    "name_recovery": "naming of a recovery key",
    "recover_key": "recovery of a key",
    "veto_recovery": "veto against a recovery",
    "rotate_credential": "change of a meter's key",
    "appeal": "objection to a verdict",
    "answer_appeal": "answer to an objection",
    "amend": "amendment of a statement",
    "hand_over": "transfer to be accepted",
    "answer_handover": "answer to a transfer",
    "set_standing": "standing share of an issue",
    "end_standing": "end of a standing share",
    "withdraw": "certificates withdrawn for an error",
    "pledge": "pledge as security",
    "unpledge": "notice of a pledge",
    "report_consumption": "metered consumption of a day",
}

APPEAL_WORDS = {
    "open": "not answered yet",
    "upheld": "upheld",
    "dismissed": "dismissed",
}

KEY_REASONS = {
    "rotation": "changed by its owner",
    "recovery": "recovered by the recovery key",
    "quorum": "replaced by a quorum of the validators",
}

STANDINGS = {
    "final": "final, and never undone",
    "waiting": "waiting for a block",
    "refused": "refused",
    "unknown": "not known here",
}

SORT_WORDS = {
    "number": "by number",
    "produced": "by date of production",
    "issued": "by date of issue",
    "quantity": "by quantity",
    "holder": "by holder",
}

ORDER_WORDS = {"up": "upwards", "down": "downwards"}

TABLES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("status", STATUS_WORDS),
    ("", STATUS_SENTENCES),
    ("", PURPOSE_WORDS),
    ("", VERDICT_WORDS),
    ("", SOURCE_WORDS),
    ("", SOURCE_NAMES),
    ("", ACTION_WORDS),
    ("", STANDINGS),
    ("", APPEAL_WORDS),
    ("", KEY_REASONS),
    ("", SORT_WORDS),
    ("", ORDER_WORDS),
)


def status(t: Texts, name: str) -> str:
    return t(STATUS_WORDS[name], "status")


def worded(t: Texts, table: Mapping[str, str], name: str) -> str:
    """The word for a code; the code itself where a newer ledger says one that this node does not know."""
    return t(table[name]) if name in table else name


def source(t: Texts, technology: str) -> str:
    return t(SOURCE_WORDS[foreign(technology).words])


def reason(t: Texts, name: str) -> str:
    """The sentence of a reason of a verdict."""
    return t(GENERAL[name], f"reason/{name}") if name in GENERAL else name


def purpose(t: Texts, name: str) -> str:
    return worded(t, PURPOSE_WORDS, name)
