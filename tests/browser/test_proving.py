"""A statement's page proves its statement in a real browser, and says honestly when it does not or cannot."""

import os
import random
from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from harness.browser import CHROMIUM, Browser, Page, chromium
from harness.finalized import hop_from, lively_world, proof_over_an_epoch
from harness.forger import replace
from harness.served import Served

from node.api.routes import PAGES
from node.api.server import LISTENING, make_app
from node.proof import StatementProof, build_proof
from node.serving import canonical_json
from state.codec import decode, encode

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here"),
    pytest.mark.timeout(240),
]

WHOLE = bool(os.environ.get("WATTEST_BROWSER"))  # `make browser`
SETTLED = (
    "['proved', 'refused', 'cannot', 'unproved'].find((state) => document.getElementById('proof').dataset.is === state)"
)
SEEN = "document.getElementById('proof').innerText"
WITHOUT_ED25519 = """
const imported = SubtleCrypto.prototype.importKey;
SubtleCrypto.prototype.importKey = function (form, key, algorithm, ...rest) {
  if ((algorithm.name ?? algorithm) === "Ed25519") return Promise.reject(new DOMException("", "NotSupportedError"));
  return imported.call(this, form, key, algorithm, ...rest);
};
"""


NUMBER = "WAT-FR-0000001-201404-000000002-53"


class Site:
    """The pages of one node, whose proof files can be spoilt."""

    def __init__(self) -> None:
        self.world = lively_world()
        self.identity = next(iter(self.world.store.scan(b"\x20", b"\x21")))[0][1:]
        self.proof = build_proof(self.world.store, self.identity)
        self.served = self.proof
        self.url = ""

    @property
    def statement(self) -> str:
        return f"{self.url}/statement/{self.identity.hex()}"

    @web.middleware
    async def spoil(self, request: web.Request, handler) -> web.StreamResponse:  # type: ignore[no-untyped-def]
        if not request.path.endswith("/proof"):
            return await handler(request)  # type: ignore[no-any-return]
        if not self.served:
            return web.Response(status=503)
        return web.Response(body=self.served, content_type="application/msgpack")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = make_app(Served(site.world).services, PAGES)
    app.middlewares.append(site.spoil)
    server = TestServer(app)
    await server.start_server(**LISTENING)
    site.url = f"http://127.0.0.1:{server.port}"
    yield site
    await server.close()


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with chromium(tmp_path / "profile") as browser:
        yield browser


async def settled(page: Page, url: str) -> tuple[str, str]:
    """The state that the page came to, and what one reads there."""
    await page.open(url)
    return await page.until(SETTLED), await page.value(SEEN)


async def test_page_tells_which_state_its_proof_is_in(site: Site, browser: Browser) -> None:
    """One browser for everything: its start costs more than most of what it is asked here."""
    await agrees_with_the_other_readers(site, browser)
    await proves_an_honest_statement(site, browser)
    await refuses_what_was_changed(site, browser)
    await says_what_it_cannot(site, browser)
    if WHOLE:
        await refuses_another_network_than_the_one_that_is_kept(site, browser)


async def proves_an_honest_statement(site: Site, browser: Browser) -> None:
    pages = (("phone", f"/statement/{site.identity.hex()}?lang=en"), ("desk", f"/certificate/{NUMBER}?lang=en"))
    for size, path in pages if WHOLE else pages[:1]:
        async with browser.page(size) as page:
            state, seen = await settled(page, site.url + path)
            assert (state, "Proved in this browser" in seen) == ("proved", True), seen
            assert "Bakery Dupont" in seen
            told = await page.value("document.querySelector('[data-fact=total_wh]').innerText")
            assert told == "1 MWh", "in the words of the page, so that both can be compared"
            assert site.world.chain.hex() in seen
            assert "not compared yet" in seen, "a genesis from the same node proves no network"
            assert "could serve another script" in seen, "nor does a script from it prove itself"
            head = await page.value("document.querySelector('a.state').innerText")
            assert head == "Proved in this browser", "it stands at the head too"
            wide = await page.value("document.documentElement.scrollWidth <= innerWidth")
            assert wide, f"{path} is wider than a {size}"


async def refuses_what_was_changed(site: Site, browser: Browser) -> None:
    proof = decode(StatementProof, site.proof)
    places = {
        site.proof.index(b"Bakery"): "facts",
        site.proof.index(proof.retire.transaction) + 80: "place",
        site.proof.index(proof.retire.finalization.signatures[1]) + 7: "votes",
        site.proof.index(proof.facts.chain): "chain",
        0: "form",
    }
    async with browser.page() as page:
        for place, about in list(places.items())[: None if WHOLE else 1]:
            site.served = site.proof[:place] + bytes((site.proof[place] ^ 1,)) + site.proof[place + 1 :]
            state, seen = await settled(page, f"{site.statement}?lang=en")
            assert (state, "Refused" in seen, "Proved" in seen) == ("refused", True, False), seen
            told = await page.value("document.querySelector('[data-about]:not([hidden])').dataset.about")
            assert told == about, seen
    site.served = site.proof


async def refuses_another_network_than_the_one_that_is_kept(site: Site, browser: Browser) -> None:
    async with browser.page() as page:
        await settled(page, f"{site.statement}?lang=en")
        for typed, expected, words in (
            ("00" * 32, "refused", "keep in this browser"),
            (site.world.chain.hex().upper(), "proved", "is the one that you keep"),
        ):
            await page.value("document.getElementById('proof').dataset.is = ''")
            await page.value(f"document.querySelector('#keep input').value = ' {typed} '")
            await page.value("document.querySelector('#keep button').click()")
            assert await page.until(SETTLED) == expected
            assert words in await page.value(SEEN)
        state, seen = await settled(page, f"{site.statement}?lang=en")
        assert (state, "is the one that you keep" in seen) == ("proved", True), "it is kept for the next visit"
        await page.value("document.querySelector('#keep input').value = 'no chain'")
        await page.value("document.querySelector('#keep button').click()")
        assert await page.value("localStorage.getItem('wattest.chain')") == site.world.chain.hex()


async def says_what_it_cannot(site: Site, browser: Browser) -> None:
    async with browser.page() as page:
        await page.before(WITHOUT_ED25519)
        state, seen = await settled(page, f"{site.statement}?lang=ru")
        assert (state, "Ed25519" in seen, ".proof" in await page.value("document.body.innerText")) == (
            "cannot",
            True,
            True,
        )
    if not WHOLE:
        return
    async with browser.page() as page:
        await page.before("Object.defineProperty(window, 'isSecureContext', { get: () => false })")
        state, seen = await settled(page, f"{site.statement}?lang=en")
        assert (state, "over https" in seen) == ("cannot", True)
    async with browser.page() as page:
        site.served = b""
        state, seen = await settled(page, f"{site.statement}?lang=zh")
        assert (state, "503" in seen) == ("unproved", True)
        site.served = site.proof
    async with browser.page() as page:
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(f"{site.statement}?lang=en")
        seen = await page.value(SEEN)
        assert ("not proved here" in seen, "Proved in" in seen, "Keep" in seen) == (True, False, False), seen


async def agrees_with_the_other_readers(site: Site, browser: Browser) -> None:
    """Its BLAKE2b with that of Python, and damaged files; all bytes in turn in the whole form (`make browser`)."""
    chance = random.Random(20_261_122)
    async with browser.page() as page:
        await page.call("Page.setBypassCSP", enabled=True)
        await page.open(f"{site.url}/?lang=en")
        for size in (0, 1, 127, 128, 129, 300, 4_108):
            data, person = chance.randbytes(size), chance.randbytes(16)
            expected = blake2b(data, digest_size=32, person=person).hexdigest()
            script = f"m.hex(m.blake2b(m.bytesOf('{data.hex()}'), 32, m.bytesOf('{person.hex()}')))"
            assert await page.value(f"import('/verify_statement.js').then((m) => {script})") == expected
        genesis = canonical_json(site.world.genesis_text)
        step = 1 if WHOLE else 97
        script = f"""
        const proof = m.bytesOf('{site.proof.hex()}'), genesis = m.bytesOf('{genesis.hex()}'), free = [];
        let tried = 0;
        for (let place = 0; place < proof.length; place += {step}) {{
          proof[place] ^= 1 << place % 8;
          const refused = (error) => tried += error instanceof m.NotProven;
          await m.verifyProof(proof, genesis).then(() => free.push(place), refused);
          proof[place] ^= 1 << place % 8;
        }}
        await m.verifyProof(proof, genesis);
        return [free.length, tried]"""
        told = await page.value(f"import('/verify_statement.js').then(async (m) => {{ {script} }})")
        assert told == [0, len(range(0, len(site.proof), step))]
        world, honest = proof_over_an_epoch()
        early = replace(honest, hops=(hop_from(world, 31, honest.hops[0]),))
        files = ", ".join(f"m.bytesOf('{encode(proof).hex()}')" for proof in (honest, early))
        script = f"""
        const genesis = m.bytesOf('{canonical_json(world.genesis_text).hex()}'), told = [];
        for (const proof of [{files}])
          await m.verifyProof(proof, genesis).then(() => told.push(''), (error) => told.push(error.message));
        return told"""
        told = await page.value(f"import('/verify_statement.js').then(async (m) => {{ {script} }})")
        assert (told[0], "not the ends of the epochs" in told[1]) == ("", True), told
