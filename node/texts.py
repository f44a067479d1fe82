"""The texts for people in English, Russian and Chinese: one gettext catalogue, the files `node/locale/*.po`.

The English text stands in the code and is the message id, so a page reads where it is written and English needs no
file. Where one English word needs two translations, or a sentence belongs to a code, a context tells them apart: the
refusal `bad_number` has its code as context, the verdict reason `flat` has `reason/flat`. A text without translation
is shown in English; `tools/messages.py` lists what is missing and what nobody asks for any more, and a test fails on
either.

The file has no plural forms: pages name a counted thing beside its number («Certificates: 3»), which is right in every
language. Where a sentence needs the noun itself, the forms stand in one message, parted by `|`. Log lines, codes
and JSON are English and do not pass through here.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from state.errors import WattestError, spoken
from state.spoken import Counted, Said

LOCALE = Path(__file__).parent / "locale"
LANGUAGES = {"en": "English", "ru": "Русский", "zh": "中文"}  # each under the name that its readers look for
TAGS = {"en": "en", "ru": "ru", "zh": "zh-Hans"}  # of <html lang> (BCP 47)
DEFAULT = "en"
VALUE = re.compile(r"\{(\w+)\}")
LONGEST_REASON = 300  # characters; a longer one is shown as it came

Key = tuple[str, str]  # context, English text


@dataclass(frozen=True, eq=False)
class Texts:
    """One language. Called with an English text it answers the text to show."""

    language: str
    messages: Mapping[Key, str]

    def __call__(self, text: str, context: str = "", /, **values: object) -> str:
        found = self.messages.get((context, text)) or text
        return found.format(**values) if values else found

    @property
    def tag(self) -> str:
        return TAGS[self.language]

    def refusal(self, error: WattestError) -> str:
        """The sentence of a refusal, without its code. What it names is said in the language where a word is known."""
        shown = spoken(error.params)
        for name in ("why", "what"):
            if isinstance(shown.get(name), str):
                shown[name] = self._named(name, error, shown)
        try:
            return self(error.sentence, error.code).format(**shown)
        except (KeyError, IndexError):
            return self(error.sentence, error.code)

    def said(self, text: str) -> str:
        """What an action does, in the language; a sentence without translation stays English as a whole."""
        if not isinstance(text, Said):
            return str(text)
        return self(text.template, "said").format(**{name: self._value(value) for name, value in text.values.items()})

    def _value(self, value: object) -> object:
        if isinstance(value, Counted):
            return self.counted(value.count, value.noun, f"{value.noun}s")
        if isinstance(value, tuple):
            return ", ".join(self.said(each) for each in value)
        return self.said(value) if isinstance(value, str) else value

    def counted(self, number: int, one: str, many: str) -> str:
        """`1 plant`, `3 plants`; `21 установка`, `3 установки`, `5 установок`; `3 座电站`."""
        found = self(f"{{number}} {one}|{{number}} {many}", "count").split("|")
        return found[min(self.form(number), len(found) - 1)].format(number=number)

    def form(self, number: int) -> int:
        """Which of the forms of a counted noun a number asks for."""
        if self.language != "ru":
            return int(number != 1)
        if number % 10 == 1 and number % 100 != 11:
            return 0
        return 1 if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14) else 2

    def _named(self, name: str, error: WattestError, shown: Mapping[str, object]) -> str:
        """A reason that carries its own template and numbers (`fault`) is filled in here, another is looked up."""
        template = getattr(error, "faults", {}).get(shown.get("fault"))
        if name == "why" and template is not None:
            return self(template, f"fault/{shown['fault']}").format(**shown)
        return self._reason(str(shown[name]), name)

    def _reason(self, text: str, context: str) -> str:
        """A reason of the catalogue, word for word or with its values; English where it is neither."""
        found = self.messages.get((context, text))
        if found or len(text) > LONGEST_REASON:
            return found or text
        for made, template in self._made:
            if made[0] == context and (match := made[1].fullmatch(text)):
                return template.format(**match.groupdict())
        return text

    @cached_property
    def _made(self) -> list[tuple[tuple[str, re.Pattern[str]], str]]:
        """Reasons with values in them, by their context, those that say most first."""
        templates = [key for key in self.messages if key[0] in ("why", "what") and VALUE.search(key[1])]
        templates.sort(key=lambda key: -len(VALUE.sub("", key[1])))
        return [((context, _pattern(text)), self.messages[context, text]) for context, text in templates]


def _pattern(text: str) -> re.Pattern[str]:
    """A value is a word, or words with commas between: so one text fits in one way, and fast."""
    parts = VALUE.split(text)  # literal, name, literal, ...
    values = (f"(?P<{name}>" + r"[^\s,]+(?:, [^\s,]+)*)" for name in parts[1::2])
    return re.compile(
        "".join(part for pair in zip(map(re.escape, parts[::2]), [*values, ""], strict=True) for part in pair)
    )


@cache
def texts(language: str) -> Texts:
    """Texts of `en`, `ru` or `zh`; read once."""
    path = LOCALE / f"{language}.po"
    return Texts(language, {} if language == DEFAULT else read_po(path.read_text(encoding="utf-8")))


def preferred(accept_language: str) -> str:
    """The language that an Accept-Language header likes best of ours (RFC 9110, 12.5.4); English if none."""
    best, best_weight = DEFAULT, 0.0
    for part in accept_language[:1_000].split(","):
        match = re.fullmatch(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*", part)
        if match is None:
            continue
        language, weight = match[1].lower(), float(match[2] or 1)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


# --- the file format

LINE = re.compile(r'(msgctxt|msgid|msgstr)\s+(".*")')


def read_po(text: str) -> dict[Key, str]:
    """The messages of a .po file: the part of the format without plural forms. ValueError names a line of another kind.

    Read here at start and not compiled by a build step: the file in the repository is the file that runs.
    """
    messages: dict[Key, str] = {}
    entry: dict[str, str] = {}
    field = ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        line = line.strip()
        if match := LINE.fullmatch(line):
            if match[1] in entry:
                raise ValueError(f"line {number}: a second {match[1]} without an empty line between")
            field = match[1]
            entry[field] = _unquoted(match[2], number)
        elif line.startswith('"') and field:
            entry[field] += _unquoted(line, number)
        elif not line:
            _enter(messages, entry, number)
            entry, field = {}, ""
        elif not line.startswith("#") or line.startswith("#,"):
            raise ValueError(f"line {number}: {line[:40]!r} is no line of a message")
    return messages


def _enter(messages: dict[Key, str], entry: dict[str, str], number: int) -> None:
    if not entry.get("msgid"):
        return  # the header, or a comment alone
    key = (entry.get("msgctxt", ""), entry["msgid"])
    if key in messages:
        raise ValueError(f"line {number}: {key[1][:40]!r} is there twice")
    if not entry.get("msgstr"):
        raise ValueError(f"line {number}: {key[1][:40]!r} has no translation")
    messages[key] = entry["msgstr"]


def _unquoted(text: str, number: int) -> str:
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        value = None
    if not isinstance(value, str):
        raise ValueError(f"line {number}: not a quoted text")
    return value
