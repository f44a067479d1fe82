"""A form: fields that a person fills in, and what becomes of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.deeds.deed import Deed, Mistake
from tui.texts import choice_word, t

if TYPE_CHECKING:
    from node.client import NodeClient
    from tui.account import Account

Values = dict[str, str]

LARGEST = 2**63 - 1  # of what the ledger writes


@dataclass(frozen=True)
class Field:
    """`choices` are the only values where there are any; `hint` stands in the empty field."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Form:
    """`make` asks the node what it needs and runs in a thread: Mistake or WattestError say what is wrong.

    It is handed the account that is signed in, None where nobody is.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    make: "Callable[[NodeClient, Account | None, Values], Deed]"
    remark: str = ""

    def check(self, values: Values) -> None:
        """Mistake for what is missing or no choice."""
        for each in self.fields:
            given = values.get(each.name, "").strip()
            if each.required and not given:
                raise Mistake(t("{label}: this is needed.", label=each.label))
            if any("\ud800" <= letter <= "\udfff" for letter in given):
                raise Mistake(t("{label}: it holds a character that cannot be written.", label=each.label))
            if given and each.choices and given not in each.choices:
                raise Mistake(
                    t("{label}: one of {choices}.", label=each.label, choices=", ".join(map(choice_word, each.choices)))
                )


def signed_in(account: "Account | None") -> "Account":
    """Mistake where nobody is signed in, or only somebody whom the ledger does not know."""
    if account is None:
        raise Mistake(t("Nobody is signed in: Escape, then S."))
    if not account.id:
        raise Mistake(t("The key {key_name} is not registered yet: Escape, then S.", key_name=account.key_name))
    return account


def whole(values: Values, name: str, label: str, least: int = 0) -> int:
    """A whole number as people type it, with or without separators."""
    text = values[name].strip().replace(",", "").replace(" ", "").replace("_", "")
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise Mistake(
            t("{label}: a whole number from {least} on, not {values!r}.", label=label, least=least, values=values[name])
        )
    return _fitting(int(text), label)


def scaled(text: str, digits: int, label: str) -> int:
    """A decimal number as an integer with so many places: no float touches it."""
    sign, _, bare = ("-", "", text.strip()[1:]) if text.strip().startswith("-") else ("", "", text.strip())
    before, _, after = bare.partition(".")
    if not (before + after).isdigit() or not (before + after).isascii() or len(after) > digits:
        raise Mistake(
            t("{label}: a number with at most {digits} places, not {text!r}.", label=label, digits=digits, text=text)
        )
    return _fitting(int(f"{sign}{before or '0'}{after.ljust(digits, '0')}"), label)


def _fitting(number: int, label: str) -> int:
    if abs(number) > LARGEST:
        raise Mistake(t("{label}: that number is too large.", label=label))
    return number
