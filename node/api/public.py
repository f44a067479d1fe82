"""Handlers of the public pages: HTML for people, with no login and no asset from elsewhere."""

import re
import secrets
from dataclasses import replace
from urllib.parse import quote

from aiohttp import web

from node.api.calls import Answer, Call
from node.api.ledger import status
from node.api.refusals import status_of
from node.api.search import answer
from node.api.services import Services
from node.api.supply import counted_supply
from node.pages import ledger, render
from node.pages.html import Frame, path_of
from node.pages.search import search as search_page
from node.pages.statement import statement as statement_page
from node.pages.trace import certificate as certificate_page
from node.pages.verifier import script, verifier_sha256, verifier_source
from node.queries import chain, ledger_pages, statements
from node.queries.ends import with_its_end
from node.queries.trace import trace_dict
from node.texts import LANGUAGES, preferred, texts
from state.errors import StoreError, Unknown, WattestError
from state.history import height_of, transaction_position
from state.keyspace import device_key, participant_key, statement_key
from state.store import Store

CHAIN_PREFIX_DIGITS = 8
BASE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


async def home(call: Call) -> Answer:
    """The node's front page: height, certificates, search, API document."""
    nonce = secrets.token_urlsafe(12)
    shown = await status(call)
    assert isinstance(shown, dict)
    supply = (await counted_supply(call)).show(call.store)
    latest, _ = statements.statements_page(call.store, None, None, render.LATEST_STATEMENTS)
    return _html(call, render.home(_frame(call), shown, supply, latest, nonce), nonce=nonce)


async def statement(call: Call) -> Answer:
    """A retirement statement for everybody: the page that its QR code leads to."""
    frame = _checking(call)
    try:
        shown = statements.statement_dict(call.store, call["id"], call.services.emissions)
    except WattestError as error:
        return refused(call, error, frame.t("No such statement"))
    prefix = call.services.chain.hex()[:CHAIN_PREFIX_DIGITS]
    url = f"{call.services.public_url.rstrip('/')}/statement/{shown['id']}?c={prefix}"
    foreign = "c" in call.given and call["c"].hex() != prefix
    return _html(call, statement_page(frame, shown, url, verifier_sha256(), foreign), nonce=frame.nonce)


async def certificate(call: Call) -> Answer:
    """A certificate for everybody: its whole life, from the meter to its retirement."""
    frame = _checking(call)
    try:
        shown = trace_dict(call.store, call["number"].strip().upper())
    except WattestError as error:
        return refused(call, error, frame.t("No such certificate"))
    url = f"{call.services.public_url.rstrip('/')}{path_of(shown['number'])}"
    return _html(call, certificate_page(frame, shown, url, verifier_sha256()), nonce=frame.nonce)


async def trace(call: Call) -> Answer:
    """The same page under the word that the first users looked for."""
    suffix = f"?lang={call['lang']}" if "lang" in call.given else ""
    return web.Response(status=303, headers={"Location": path_of(call["number"].strip().upper()) + suffix})


async def block(call: Call) -> Answer:
    """A block for everybody: when, by whom, and what it holds."""
    try:
        height = chain.block_height(call.store, call["block"])
        shown = ledger_pages.block_told(call.store, height)
    except WattestError as error:
        return refused(call, error, _frame(call).t("No such block"))
    return _html(call, ledger.block(_frame(call), shown))


async def transaction(call: Call) -> Answer:
    """A transaction for everybody: what it does, who signed, where it stands."""
    frame, txid = _frame(call), call["txid"]
    if transaction_position(call.store, txid) is not None:
        return _html(call, ledger.transaction(frame, ledger_pages.transaction_told(call.store, txid)))
    standing = call.services.standing(txid)
    if standing is None:
        return refused(call, Unknown(what="final transaction", id=txid.hex()), frame.t("No such transaction"))
    why = frame.t.refusal(with_its_end(call.store, standing.refusal)) if standing.refusal else ""
    shown = {"txid": txid.hex(), "status": standing.status, "why": why, "height": None, "time_ms": None}
    return _html(call, ledger.transaction(frame, {**shown, "signer_names": [], "told": [], "numbers": []}))


async def search(call: Call) -> Answer:
    """Leads from what was typed (`q`) to what it names; without it, a form and all ranges that fit its filters."""
    if "q" not in call.given:
        return await _search_page(call)
    frame = _frame(call)
    try:
        target = find(call.store, call["q"].strip())
    except WattestError as error:
        return refused(call, error, frame.t("No such statement"))
    if target is None:
        message = frame.t("Nothing here is called «{name}». Numbers, ids and hashes must be complete.", name=call["q"])
        return _html(call, render.refusal(frame, frame.t("Nothing found"), message), status=404)
    suffix = f"{'&' if '?' in target else '?'}lang={frame.t.language}" if frame.chosen else ""
    return web.Response(status=303, headers={"Location": target + suffix})


async def _search_page(call: Call) -> web.Response:
    typed = {name: text for name, text in call.request.query.items() if text and name != "lang"}
    frame = _frame(call)
    try:
        return _html(call, search_page(frame, typed, await answer(call)))
    except WattestError as error:
        return refused(call, error, frame.t("Nothing found"))


async def verifier(call: Call) -> Answer:
    """The stand-alone verifier of proof files, one file of Python: the same bytes as `cli/verify_statement.py`."""
    return _download(verifier_source(), "verify_statement.py", "text/x-python")


async def verifier_script(call: Call) -> Answer:
    """The same check for browsers and Node.js, one module that asks nobody: `verifyProof(proof, genesis)`."""
    return _script("verify_statement.js")


async def page_script(call: Call) -> Answer:
    """What proves a statement in its page with that module and says so."""
    return _script("page_check.js")


def _script(name: str) -> web.Response:
    return web.Response(body=script(name), content_type="text/javascript", charset="utf-8")


async def genesis(call: Call) -> Answer:
    """The canonical genesis whose hash is the chain id, as the file that the verifier takes."""
    return _download(call.services.genesis, "genesis.json", "application/json")


def _download(data: bytes, name: str, media: str) -> web.Response:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=data, content_type=media, headers=disposition)


def find(store: Store, text: str) -> str | None:
    """The path for a certificate number, statement (code or id), transaction, block or plant."""
    upper, lower = text.upper(), text.lower()
    if re.fullmatch(r"[A-Z]{3}-[A-Z0-9]+-T[A-Z0-9-]{30,80}", upper, re.ASCII):
        return f"/statement/{statements.identity_of_code(store, upper).hex()}"
    if re.fullmatch(r"[A-Z]{3}-[A-Z0-9/-]{20,60}", upper, re.ASCII):
        return f"/certificate/{quote(upper)}"
    if re.fullmatch(r"[0-9a-f]{32}", lower, re.ASCII):
        return f"/statement/{lower}" if store.get(statement_key(bytes.fromhex(lower))) is not None else None
    if re.fullmatch(r"[0-9a-f]{64}", lower, re.ASCII):
        name = bytes.fromhex(lower)
        if transaction_position(store, name) is not None:
            return f"/tx/{lower}"
        height = height_of(store, name)
        return f"/block/{height}" if height is not None else None
    device = re.fullmatch(r"device\s*([0-9]{1,7})", lower, re.ASCII)
    if device:
        return f"/search?device={int(device[1])}" if store.get(device_key(int(device[1]))) is not None else None
    participant = re.fullmatch(r"participant\s*([0-9]{1,9})", lower, re.ASCII)
    if participant and store.get(participant_key(int(participant[1]))) is not None:
        return f"/search?holder={int(participant[1])}"
    if re.fullmatch(r"[0-9]{1,15}", text, re.ASCII) and int(text) <= chain.tip_height(store):
        return f"/block/{int(text)}"
    return None


def _frame(call: Call) -> Frame:
    request = call.request
    language = call.get("lang") or preferred(request.headers.get("Accept-Language", ""))
    return Frame(
        network=chain.parameters_of(call.store).name,
        chain=call.services.chain.hex(),
        t=texts(language),
        path=request.rel_url.raw_path,
        query="&".join(f"{name}={quote(value)}" for name, value in request.query.items() if name != "lang"),
        chosen="lang" in call.given,
        others=tuple(url for url in call.services.public_urls if url != call.services.public_url.rstrip("/")),
    )


def _checking(call: Call) -> Frame:
    """A page that loads the script which checks its proof, and no other."""
    return replace(_frame(call), nonce=secrets.token_urlsafe(12))


def mistyped(services: Services, request: web.Request, error: WattestError) -> web.Response:
    """An address of a page with a parameter that cannot be, as a page."""
    language = request.query.get("lang")
    call = Call(services, request, {"lang": language} if language in LANGUAGES else {})
    return refused(call, error, _frame(call).t("This address has a mistake"))


def refused(call: Call, error: WattestError, title: str) -> web.Response:
    if isinstance(error, StoreError):
        raise error
    frame = _frame(call)
    return _html(call, render.refusal(frame, title, frame.t.refusal(error)), status=status_of(error))


def _html(call: Call, text: str, status: int = 200, nonce: str = "") -> web.Response:
    script = f"; script-src 'nonce-{nonce}'; connect-src 'self'" if nonce else ""
    headers = {
        "Content-Security-Policy": BASE_POLICY + script,
        "Content-Language": _frame(call).t.tag,
        "Vary": "Accept-Language",
    }
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
