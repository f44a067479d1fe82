"""The public pages: they say what the ledger says, carry everything they need, and escape what others wrote."""

import html
import re
import unicodedata
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.finalized import FinalizedWorld
from harness.served import Served

from cli.searching import export
from node.api.server import make_app
from node.pages.figures import energy, moment, money
from node.pages.html import Frame, page, paragraph
from node.pages.search import OPTIONS
from node.texts import texts
from state.numbering import CertificateNumber, format_number
from state.outputs import Bundle
from state.transaction import Beneficiary, Cancel

NUMBER = "WAT-FR-0000001-201404-000000002-53"


async def statement_id(client: TestClient) -> str:
    found = await (await client.get("/v1/statements")).json()
    return found["statements"][0]["id"]


async def pages(client: TestClient) -> dict[str, str]:
    paths = ["/", f"/statement/{await statement_id(client)}", f"/certificate/{NUMBER}", "/search"]
    return {path: await (await client.get(path)).text() for path in paths}


async def test_pages_load_nothing_from_elsewhere(client: TestClient) -> None:
    for path, text in (await pages(client)).items():
        links = re.findall(r'(?:src|href|action)="([^"]*)"', text)
        assert all(link.startswith(("/", "#")) for link in links if link), (path, links)
        assert "@import" not in text
        assert "url(" not in text
        assert text.count("<script") == (0 if path == "/search" else 1)
        assert 'name="viewport"' in text
        assert "prefers-color-scheme: dark" in text


async def test_pages_forbid_what_they_do_not_use(client: TestClient) -> None:
    policy = (await client.get("/")).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce
    other = (await client.get("/")).headers["Content-Security-Policy"]
    assert other != policy, "a nonce is used once"
    plain = await client.get("/search")
    assert "script-src" not in plain.headers["Content-Security-Policy"]


async def test_statement_loads_the_one_script_that_checks_its_proof(client: TestClient) -> None:
    statement = await client.get(f"/statement/{await statement_id(client)}")
    policy, text = statement.headers["Content-Security-Policy"], await statement.text()
    nonce = re.search(r"script-src 'nonce-([^']+)'; connect-src 'self'", policy)
    assert nonce
    assert re.findall(r"<script[^>]*>", text) == [f'<script type="module" nonce="{nonce[1]}" src="/page_check.js">']
    for name in ("page_check.js", "verify_statement.js"):
        script = await client.get(f"/{name}")
        assert script.content_type == "text/javascript"
        assert not re.search(r"https?://(?!www\.w3)", await script.text()), "it asks nobody else"


async def test_without_a_script_a_statement_says_that_it_is_not_proved_here(client: TestClient) -> None:
    text = await (await client.get(f"/statement/{await statement_id(client)}?lang=en")).text()
    states = dict(re.findall(r'<div data-state="(\w+)"( hidden)?>', text))
    assert states == {
        "unproved": "",
        "working": " hidden",
        "cannot": " hidden",
        "refused": " hidden",
        "proved": " hidden",
    }
    assert "Served by a node and not proved here" in text


async def test_home_shows_height_supply_and_statements(served: Served, client: TestClient) -> None:
    text = await (await client.get("/")).text()
    assert f'<b id="height">{served.world.height}</b>' in text
    assert "WIND-MWH" in text
    assert f"/statement/{await statement_id(client)}" in text
    assert "3 / 4" in text  # the first q validators sign in this world


async def test_statement_page_says_who_what_and_how_to_check(client: TestClient) -> None:
    identity = await statement_id(client)
    text = await (await client.get(f"/statement/{identity}")).text()
    for said in ("Bakery Dupont", "1 MWh", NUMBER, "La Haute Borne", "completed", f"/v1/statements/{identity}/proof"):
        assert said in text
    assert re.search(r'<svg[^>]* viewBox="0 0 [0-9]+ [0-9]+"', text), "without it a style sheet crops the QR code"
    assert "made for another network" not in text


async def test_statement_page_warns_of_a_link_for_another_network(served: Served, client: TestClient) -> None:
    path = f"/statement/{await statement_id(client)}"
    right = await (await client.get(path, params={"c": served.world.chain.hex()[:8]})).text()
    wrong = await (await client.get(path, params={"c": "00000000"})).text()
    assert "made for another network" not in right
    assert "made for another network" in wrong


async def test_certificate_page_tells_its_life(client: TestClient) -> None:
    text = await (await client.get(f"/certificate/{NUMBER}")).text()
    assert "retired" in text
    life = text[text.index("The life of this certificate") :]
    steps = ["is generated", "Weather check: accepted", "Signed by 3 of 4", "is issued", "Retired for Bakery Dupont"]
    places = [life.index(step) for step in steps]
    assert places == sorted(places)
    assert "14 November 2023" in life
    assert life.index("production time") < life.index("2 April 2014") < life.index("ledger time")
    assert f"/statement/{await statement_id(client)}" in text


async def test_trace_of_a_number_leads_to_its_page(client: TestClient) -> None:
    answer = await client.get(f"/trace/{NUMBER.lower()}?lang=ru", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, f"/certificate/{NUMBER}?lang=ru")


async def test_range_of_certificates_has_a_page_too(client: TestClient) -> None:
    text = await (await client.get("/certificate/WAT-FR-0000001-201404-000000001/000000003-19")).text()
    assert text.count("WAT-FR-0000001-201404-00000000") >= 4
    assert "offered for sale, retired, valid" in text
    assert "went different ways" in text
    assert all(status in text for status in ("offered for sale", "retired", "valid"))


async def test_range_over_two_issues_is_refused_in_words() -> None:
    world = FinalizedWorld()
    world.register("owner")
    world.device("owner")
    for day in (16_162, 16_163):
        world.issue(1, 2_000_000, day=day)
    text = format_number(CertificateNumber("WAT", "FR", 1, 201_404, 1, 3, 9))
    async with TestClient(TestServer(make_app(Served(world).services))) as client:
        page = await client.get(f"/certificate/{text}")
        answer = await client.get(f"/v1/certificates/{text}")
        assert (page.status, answer.status) == (400, 400)
        assert "ends beyond 2, the last certificate of its issue" in await page.text()
        assert (await answer.json())["code"] == "bad_number"


SEARCHES = [
    (NUMBER, f"/certificate/{NUMBER}"),
    (f" {NUMBER.lower()} ", f"/certificate/{NUMBER}"),
    ("3", "/block/3"),
    ("device 1", "/search?device=1"),
    ("participant 7", "/search?holder=7"),
]


@pytest.mark.parametrize(("text", "target"), SEARCHES)
async def test_search_leads_to_what_was_named(client: TestClient, text: str, target: str) -> None:
    response = await client.get("/search", params={"q": text}, allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, target)
    assert (await client.get(target)).status == 200


async def test_search_finds_statement_transaction_and_block(served: Served, client: TestClient) -> None:
    identity, txid = await statement_id(client), served.world.last_txid().hex()
    block = served.world.ledger.tip.hash.hex()
    targets = {identity: f"/statement/{identity}", txid: f"/tx/{txid}", block: f"/block/{served.world.height}"}
    for text, target in targets.items():
        response = await client.get("/search", params={"q": text}, allow_redirects=False)
        assert response.headers["Location"] == target


async def test_block_page_leads_to_its_neighbours_and_transactions(served: Served, client: TestClient) -> None:
    height, txid = served.world.height, served.world.last_txid().hex()
    text = await (await client.get(f"/block/{height}")).text()
    assert f'href="/block/{height - 1}"' in text
    assert f'href="/block/{height + 1}"' not in text
    assert f'href="/tx/{txid}"' in text
    assert "bid in an auction" in text
    assert "Organisation 0, Organisation 1, Organisation 2" in text
    for unknown in (f"/block/{height + 1}", f"/block/{'0' * 64}"):
        response = await client.get(unknown)
        assert (response.status, response.content_type) == (404, "text/html")
    assert (await client.get("/block/0")).status == 200
    assert (await client.get("/block/x")).content_type == "text/html"


async def test_transaction_page_says_what_it_did_and_where_it_stands(served: Served, client: TestClient) -> None:
    shown = await (await client.get(f"/v1/statements/{await statement_id(client)}")).json()
    text = await (await client.get(f"/tx/{shown['txid']}")).text()
    for said in ("retirement", "retire 1 certificate for Bakery Dupont", "owner", NUMBER, "final, and never undone"):
        assert said in text, said
    assert f'href="/block/{shown["height"]}"' in text
    waiting = served.world.transaction(Cancel(1, bytes(34)), by=("owner",))
    unknown = await client.get(f"/tx/{waiting.txid.hex()}")
    assert (unknown.status, unknown.content_type) == (404, "text/html")


async def test_no_link_of_a_page_leads_a_reader_to_raw_data(client: TestClient) -> None:
    identity = await statement_id(client)
    shown = await (await client.get(f"/v1/statements/{identity}")).json()
    more = [f"/tx/{shown['txid']}", f"/block/{shown['height']}"]
    texts = {**await pages(client), **{path: await (await client.get(path)).text() for path in more}}
    for path, text in texts.items():
        data = set(re.findall(r'href="(/v1/[^"?]*)', text))
        assert data <= {"/v1/openapi.json", "/v1/search/export", f"/v1/statements/{identity}/proof"}, path


@pytest.mark.parametrize("text", ["nothing", "999999", "0" * 64, "0" * 32, "//elsewhere.example", "participant 999"])
async def test_search_that_finds_nothing_says_so(client: TestClient, text: str) -> None:
    response = await client.get("/search", params={"q": text}, allow_redirects=False)
    assert response.status == 404
    assert "Nothing found" in await response.text()


async def test_search_page_filters_counts_and_leads_on(client: TestClient) -> None:
    everything = await (await client.get("/search")).text()
    assert "Ranges: 3 · certificates: 3 · 3 MWh" in everything
    assert f'href="/certificate/{quote(NUMBER)}"' in everything
    assert f'href="/statement/{await statement_id(client)}"' in everything
    empty_fields = {"source": "wind", "zone": "", "device": "", "from": "2014-04-02", "to": "", "limit": "1"}
    first = await (await client.get("/search", params=empty_fields)).text()
    assert '<option value="wind" selected>' in first
    assert 'value="2014-04-02"' in first
    further = re.search(r'href="(/search\?[^"]*cursor=[^"]*)"', first)
    assert further
    second = await (await client.get(html.unescape(further[1]))).text()
    assert "000000001-56" in first
    assert "000000001-56" not in second
    assert NUMBER in second
    assert "/v1/search/export?format=csv&amp;source=wind&amp;from=2014-04-02" in first
    command = "wattest certificate export certificates.parquet --source wind --produced-from 2014-04-02"
    assert f"Parquet: <code>{command}</code>" in first
    asked = set(re.findall(r'<(?:select|input)[^>]* name="([a-z]+)"', first)) - {"sort", "order"}
    taken = {name for option in export.params for name in option.opts}
    assert {f"--{OPTIONS.get(name, name)}" for name in asked} <= taken, "the command takes every filter of the page"
    assert "No certificate is like that" in await (await client.get("/search?source=solar")).text()


async def test_search_page_says_what_was_mistyped(client: TestClient) -> None:
    for query in ("technology=wind", "device=R1", "from=yesterday", "from=2014-04-03&to=2014-04-02", "holder=-1"):
        response = await client.get(f"/search?{query}")
        assert (response.status, response.content_type) == (400, "text/html"), query
        assert "is not allowed" in await response.text()
    unknown = await client.get(f"/search?statement={'0' * 32}")
    assert (unknown.status, unknown.content_type) == (404, "text/html")


async def test_what_others_wrote_is_escaped() -> None:
    world = FinalizedWorld()
    world.register("owner")
    world.device("owner")
    point = world.issue(1, 1_000_000)
    assert point is not None
    assert isinstance(world.live()[point], Bundle)
    evil = '<script>alert("x")</script>'
    action = world.retire_action("owner", point, 1, 1, beneficiary=Beneficiary(evil, evil, evil, "FR"), note=evil)
    world.do(action, by=("owner",))
    async with TestClient(TestServer(make_app(Served(world).services))) as client:
        text = await (await client.get(f"/statement/{await statement_id(client)}")).text()
        search = await (await client.get("/search", params={"q": evil})).text()
        search += await (await client.get("/search", params={"zone": evil})).text()
    assert "<script>" not in text + search
    assert (text.count("<script "), search.count("<script")) == (1, 0), "ours alone"
    assert "&lt;script&gt;" in text
    assert "&lt;script&gt;" in search


@pytest.mark.parametrize("path", [f"/statement/{'0' * 32}", "/certificate/WAT-FR-0000001-201404-000000009-32"])
async def test_unknown_names_are_a_page_with_404(client: TestClient, path: str) -> None:
    response = await client.get(path)
    assert response.status == 404
    assert response.content_type == "text/html"


async def test_typed_text_that_turns_others_round_is_refused(client: TestClient) -> None:
    text = await (await client.get("/search", params={"q": "\u202egnp.exe\u200b"})).text()
    assert not {"\u202e", "\u200b"} & set(text)


def test_characters_that_turn_hide_or_steer_others_are_inert_on_every_page() -> None:
    """The ledger takes none; what comes from elsewhere, as a typed address or a newer ledger, is shown as such."""
    frame = Frame(network="\x1b[31mred", chain="00" * 32, t=texts("en"))
    text = page(frame, "\u202etitle", paragraph("a\u2066b\u200f\ufeff\x00"))
    assert "<p>a\ufffdb\ufffd\ufffd\ufffd</p>" in text
    assert "\ufffd[31mred" in text
    assert not any(unicodedata.category(character) in ("Cc", "Cf") and character != "\n" for character in text)


def test_energy_is_shown_exactly() -> None:
    t = texts("en")
    shown = [energy(t, wh) for wh in (0, 999, 1_000, 1_500, 1_234_567, 2_050_000, 10**9, 10**18)]
    assert shown == ["0 Wh", "999 Wh", "1 kWh", "1.5 kWh", "1,234.567 kWh", "2.05 MWh", "1 GWh", "1,000,000,000 GWh"]


def test_deadline_beyond_the_calendar_has_words() -> None:
    t = texts("en")
    assert moment(t, 0) == "1 January 1970, 00:00:00 UTC"
    assert moment(t, 2**64 - 1) == "without end"


def test_money_has_two_decimals_or_as_many_as_it_needs() -> None:
    t = texts("en")
    assert [money(t, micro, "EUR") for micro in (0, 3_100_000, 30_001, 1_234_000_000)] == [
        "0.00 EUR",
        "3.10 EUR",
        "0.030001 EUR",
        "1,234.00 EUR",
    ]


class Balance(HTMLParser):
    """Opens and closes, as a browser would not insist on."""

    VOID = frozenset({"meta", "input", "link", "br", "path", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, f"</{tag}> closes something else"


async def test_every_tag_is_closed_and_no_placeholder_is_left(client: TestClient) -> None:
    for path, text in (await pages(client)).items():
        balance = Balance()
        balance.feed(text)
        assert balance.open == [], path
        assert not re.search(r"\$[a-z]", text), path
        assert len(text) < 60_000
