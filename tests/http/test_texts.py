"""Texts for people: nothing missing in any language, nothing stale, and the whole page in the language asked for."""

import html
import re
from string import Formatter

import pytest
from aiohttp.test_utils import TestClient

from contracts.transition import KINDS
from node.pages.figures import energy, moment, money
from node.pages.words import ACTION_WORDS
from node.texts import LANGUAGES, LOCALE, preferred, read_po, texts
from state.errors import BadField, BadNumber, Unknown, WrongClass
from state.numbering import parse_number
from tools.messages import messages, of_pages

TRANSLATED = [language for language in LANGUAGES if language != "en"]
NUMBER = "WAT-FR-0000001-201404-000000002-53"


def catalogue(language: str) -> dict[tuple[str, str], str]:
    return read_po((LOCALE / f"{language}.po").read_text(encoding="utf-8"))


# --- the catalogue


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_is_missing_and_nothing_is_stale(language: str) -> None:
    held, asked = set(catalogue(language)), set(messages())
    assert len(asked) > 300
    missing, stale = sorted(asked - held), sorted(held - asked)
    assert not missing, f"translate these in node/locale/{language}.po; `python tools/messages.py` prints them"
    assert not stale, f"nobody asks for these of node/locale/{language}.po any more"


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_names_what_the_english_names(language: str) -> None:
    for (context, text), translation in catalogue(language).items():
        assert fields(translation) == fields(text), (context, text)


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize(("language", "letters"), [("ru", "[а-яё]"), ("zh", "[\u4e00-\u9fff]")])
def test_a_translation_is_in_its_own_letters(language: str, letters: str) -> None:
    strange = [
        key for key, text in catalogue(language).items() if not re.search(letters, re.sub(r"\{.*?\}", "", text.lower()))
    ]
    assert strange in ([], [("", "{date}, {time} UTC")]), strange


BAD_FILES = [
    ('msgid "a"\nmsgstr ""\n', "has no translation"),
    ('msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "c"\n', "there twice"),
    ('#, fuzzy\nmsgid "a"\nmsgstr "b"\n', "no line of a message"),
    ('msgid "a"\nmsgid_plural "as"\nmsgstr "b"\n', "no line of a message"),
    ('msgid "a"\nmsgstr "b"\nmsgstr "c"\n', "a second msgstr"),
    ('msgid "a" + "b"\nmsgstr "b"\n', "quoted"),
]


@pytest.mark.parametrize(("text", "why"), BAD_FILES)
def test_refuses_a_file_that_is_not_kept_well(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_po(text)


def test_reads_contexts_comments_escapes_and_long_lines() -> None:
    text = (
        'msgid ""\nmsgstr "header"\n\n# said once\nmsgctxt "c"\nmsgid "one "\n"two"\nmsgstr "\\"eins\\" "\n"zwei\\n"\n'
    )
    assert read_po(text) == {("c", "one two"): '"eins" zwei\n'}


ACCEPTED = [
    ("", "en"),
    ("ru", "ru"),
    ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
    ("de-DE, fr;q=0.9", "en"),
    ("de, ru;q=0.7, zh;q=0.8", "zh"),
    ("en;q=0.1, ru;q=0", "en"),
    ("ru;q=x,,;q=1, zh ; q=0.2", "zh"),
    ("x" * 100_000, "en"),
]


@pytest.mark.parametrize(("header", "language"), ACCEPTED)
def test_language_is_the_one_that_the_browser_likes_best(header: str, language: str) -> None:
    assert preferred(header) == language


# --- refusals


def test_a_refusal_speaks_one_language_to_its_last_word() -> None:
    with pytest.raises(BadNumber) as refused:
        parse_number("WAT-DK-OOO1234-202611-000004567-16")
    assert texts("en").refusal(refused.value) == str(refused.value).removesuffix(" [bad_number]")
    russian = texts("ru").refusal(refused.value).replace(refused.value.params["number"], "")  # type: ignore[arg-type]
    assert "на месте 8 стоит буква O" in russian
    assert "place" not in russian
    assert texts("zh").refusal(Unknown(what="certificate", id="X")) == "这里没有证书 X。"


def test_a_refusal_with_a_reason_unknown_to_the_catalogue_says_it_in_english() -> None:
    assert texts("ru").refusal(Unknown(what="dragon", id=7)) == "Здесь нет dragon 7."


# --- pages


async def paths(client: TestClient) -> list[str]:
    found = await (await client.get("/v1/statements")).json()
    statement = found["statements"][0]["id"]
    ranged = "/certificate/WAT-FR-0000001-201404-000000001/000000003-19"
    locked = "/certificate/WAT-FR-0000001-201404-000000001-56"
    return [
        f"/statement/{statement}",
        f"/certificate/{NUMBER}",
        ranged,
        locked,
        "/",
        "/certificate/WAT-1",
        "/search?q=x",
        "/search",
        "/search?status=retired&limit=1",
        "/search?source=solar",
        "/search?technology=x",
        "/block/3",
        "/block/999",
        f"/tx/{found['statements'][0]['txid']}",
        f"/tx/{'0' * 64}",
    ]


@pytest.mark.parametrize("language", TRANSLATED)
async def test_the_whole_page_is_in_one_language(client: TestClient, language: str) -> None:
    english = [text for _, text in of_pages() if len(text) > 5 and "{" not in text]
    for path in await paths(client):
        mark = "&" if "?" in path else "?"
        page = html.unescape(await (await client.get(f"{path}{mark}lang={language}")).text())
        assert f'<html lang="{texts(language).tag}">' in page
        ours = re.sub(r'<p class="soft" lang="en">.*?</p>', "", page)  # the ledger's own sentence, English everywhere
        shown = re.sub(
            r"<style>.*?</style>|<script.*?</script>|<code>wattest .*?</code>|<[^>]*>", "\n", ours, flags=re.DOTALL
        )
        left = [text for text in english if re.search(rf"(?<![\w.-]){re.escape(text)}(?![\w.-])", shown)]
        assert not left, (path, left)


async def test_language_is_asked_for_in_the_address_or_by_the_browser(client: TestClient) -> None:
    path = f"/certificate/{NUMBER}"
    by_browser = await client.get(path, headers={"Accept-Language": "ru-RU,ru;q=0.9"})
    assert "Жизнь этого сертификата" in await by_browser.text()
    assert (by_browser.headers["Content-Language"], by_browser.headers["Vary"]) == ("ru", "Accept-Language")
    by_address = await client.get(path, params={"lang": "zh"}, headers={"Accept-Language": "ru"})
    assert "这张证书的全过程" in await by_address.text()
    assert (await client.get(path, params={"lang": "xx"})).status == 400


async def test_a_chosen_language_goes_on_with_the_links_and_can_be_switched(client: TestClient) -> None:
    path = (await paths(client))[0]
    page = await (await client.get(path, params={"lang": "ru", "c": "00000000"})).text()
    assert f'href="{path}?lang=zh&amp;c=00000000"' in page
    assert re.search(r'href="/certificate/[^"]*\?lang=ru"', page)
    assert "?lang=" not in re.sub(r"<nav.*?</nav>", "", await (await client.get(path)).text(), flags=re.DOTALL)


def test_numbers_of_each_language() -> None:
    assert energy(texts("ru"), 1_234_567) == "1\u00a0234,567 кВт·ч"
    assert energy(texts("zh"), 2_050_000) == "2.05 兆瓦时"
    assert money(texts("ru"), 3_100_000, "EUR") == "3,10 EUR"
    assert moment(texts("zh"), 1_396_396_800) == "2014年4月2日 00:00:00（UTC）"


def test_every_kind_of_action_has_a_word_on_the_public_pages() -> None:
    assert {kind.name for kind in KINDS.values()} == set(ACTION_WORDS)


# --- reasons within a refusal


def test_a_reason_with_values_is_said_in_the_language_with_its_values() -> None:
    refused = WrongClass(auction=3, why="its technology is T020001")
    assert texts("ru").refusal(refused) == "Лот не подходит к классу аукциона 3: его технология T020001."
    several = BadField(field="dimension", why="technology is one of T01, T02, or any")
    assert "technology: одно из T01, T02 или any" in texts("ru").refusal(several)
    assert "technology 为 T01, T02 之一" in texts("zh").refusal(several)


def test_a_reason_that_begins_like_another_is_not_taken_for_it() -> None:
    both = BadField(field="close", why="1 to 60 for a sealed book, 0 for an open one")
    assert "для закрытой книги" in texts("ru").refusal(both)


@pytest.mark.parametrize(
    "why",
    ["a reason that nobody wrote down", "{0.__class__}", "its technology is " + "a" * 100_000, "a, " * 90 + "to b"],
)
def test_a_reason_that_nobody_translated_stays_as_it_came(why: str) -> None:
    assert why in texts("ru").refusal(BadField(field="x", why=why))
