"""The dashboard's language: what is said on a screen, through the project's one catalogue (`node/texts.py`).

One process shows one person one language, so the chosen one is kept here. English stands in the code; a test finds
what Russian or Chinese lacks. Names, numbers, codes and ids are the same in every language.
"""

import re
from collections.abc import Mapping

from node.texts import DEFAULT as DEFAULT
from node.texts import LANGUAGES as LANGUAGES
from node.texts import Texts, texts
from state.errors import WattestError
from verifier.words import explain

# Words that stand alone on a screen, as the ledger or the node spells them.
WORDS = (
    "open", "refused", "enacted", "overdue", "upheld", "dismissed", "answered", "closed",
    "accepted", "held", "attested", "in review",
    "active", "locked", "offered", "retired", "expired", "withdrawn", "live", "holds", "DIFFERS",
    "solar", "wind", "hydro", "marine",
    "technology", "source", "month", "zone", "country", "device", "scheme", "status",
    "reserved", "rejected", "attested, not yet on chain", "announced", "opening", "settled", "void", "period",
    "support", "yes", "no", "all",
    "accept", "hold", "reject", "equal", "differ", "unknown", "offer", "bid", "approve", "refuse", "none",
)  # fmt: skip

# Sentences that a branch chooses among and `t` gets by a variable.
TOLD = (
    "Uphold the objection to {date} of {plant}", "Dismiss the objection to {date} of {plant}", "second terminal",
    "The book is sealed: orders are read after the close.", "everybody can read it from now on",
    "the statement holds, checked offline by {proof} alone",
    "open to everybody", "sealed, opened by validators", "sealed, opened by their owners",
    "is whole: close it", "goes on: leave it open",
    "the other half", "meter of {plant}", "baseline of {plant}",
    "the statement DOES NOT HOLD, checked offline by {proof} alone",
)  # fmt: skip

# Why a node was not reached, as the client of a node says it.
UNREACHED = (
    "no answer in time", "connection refused", "connection reset by peer", "network is unreachable",
    "no route to host", "name or service not known", "broken pipe",
)  # fmt: skip

# The commands that Textual itself brings to the palette.
PALETTE = (
    "Theme", "Change the current theme", "Quit", "Quit the application as soon as possible", "Maximize",
    "Maximize the focused widget", "Minimize", "Minimize the widget and restore to normal size", "Screenshot",
    "Save an SVG 'screenshot' of the current screen", "Search for commands…", "Search for themes…",
)  # fmt: skip

# A counted thing: one, many. Russian has three forms, Chinese one: `|` parts them in the catalogue.
COUNTED = {
    "retirement": "retirements", "settlement": "settlements", "delivery": "deliveries", "issue": "issues",
    "verdict": "verdicts", "transfer": "transfers", "bid": "bids", "offer": "offers", "auction": "auctions",
    "deposit": "deposits", "payout": "payouts", "enactment": "enactments", "proposal": "proposals", "vote": "votes",
    "registration": "registrations", "withdrawn order": "withdrawn orders", "auction closed": "auctions closed",
    "certificate": "certificates", "bundle": "bundles", "expiry": "expiries",
    "plant": "plants", "reading": "readings", "objection": "objections", "validator": "validators",
    "day": "days", "month": "months", "time": "times", "share": "shares",
}  # fmt: skip


class _Chosen:
    language: Texts = texts(DEFAULT)


def speak(language: str) -> None:
    """From now on every text is in `en`, `ru` or `zh`."""
    _Chosen.language = texts(language)


def language() -> str:
    return _Chosen.language.language


def of_environment(environment: Mapping[str, str]) -> str:
    """What WATTEST_LANG, LC_ALL, LC_MESSAGES or LANG ask for; English where it is no language of ours."""
    names = ("WATTEST_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    asked = next((environment[name] for name in names if environment.get(name)), "")
    found = re.split(r"[_.@-]", asked.casefold())[0]
    return found if found in LANGUAGES else DEFAULT


def t(text: str, context: str = "", /, **values: object) -> str:
    """The text to show for an English one. A brace in a value is the value's."""
    return _Chosen.language(text, context, **values) if text else ""


def sentence(text: str) -> str:
    """What an action does, as the ledger says it, in the language."""
    return _Chosen.language.said(text)


def word(text: str) -> str:
    return t(text, "word")


def field_word(name: str) -> str:
    """The name of a field of the API, for people; the API's own where the language has none for it."""
    return t(name, "field")


def kind_word(name: str) -> str:
    """What the ledger calls by a code: a kind of action, event or record, a state, a role."""
    return t(name.replace("_", " "), "kind")


def choice_word(text: str) -> str:
    """A value of a form that can only be chosen."""
    return t(text, "choice")


def reason(code: str) -> str:
    """Why a day was not simply accepted, in a sentence."""
    return t(explain(code), f"reason/{code}")


def counted(number: int, thing: str) -> str:
    """`1 plant`, `3 plants`; `21 установка`, `3 установки`, `5 установок`; `3 座电站`."""
    one, many = "{number} " + thing, "{number} " + COUNTED.get(thing, thing + "s")
    found = _Chosen.language(f"{one}|{many}", "count").split("|")
    return found[min(_Chosen.language.form(number), len(found) - 1)].format(number=f"{number:,}")


def said(error: Exception) -> str:
    """What went wrong, in the language; of a refusal its code behind it."""
    if language() == DEFAULT or not isinstance(error, WattestError):
        return str(error)
    code = str(getattr(error, "reason", error.code))  # of a node's refusal the ledger's own code
    found = _refusal(error, code)
    return f"{found} [{code}]" if found else str(error)


def _refusal(error: WattestError, code: str) -> str:
    """Nothing where the sentence needs more than was told: then its English one stands."""
    kind = type(error) if code == error.code else _kinds(WattestError).get(code)
    if kind is None:
        return ""
    try:
        own = error if kind is type(error) else kind(**error.params)
    except TypeError:
        return ""
    text = _Chosen.language.refusal(own)
    return "" if "{" in text else text


def _kinds(kind: type[WattestError]) -> dict[str, type[WattestError]]:
    found = {kind.code: kind}
    for child in kind.__subclasses__():
        found |= _kinds(child)
    return found
