"""Handlers of the public pages: HTML for people, with no login and no asset from elsewhere."""

import re
import secrets
from urllib.parse import quote

from aiohttp import web

from node.api.calls import Answer, Call
from node.api.ledger import status
from node.api.refusals import status_of
from node.api.supply import counted_supply
from node.pages import render
from node.queries import certificates, chain, statements
from state.errors import StoreError, WattestError
from state.history import height_of, transaction_position
from state.keyspace import participant_key, statement_key
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
    return _html(render.home(_frame(call), shown, supply, latest, nonce), nonce=nonce)


async def statement(call: Call) -> Answer:
    """A retirement statement for everybody: the page that its QR code leads to."""
    try:
        shown = statements.statement_dict(call.store, call["id"])
    except WattestError as error:
        return _refused(call, error, "No such statement")
    identity, prefix = shown["id"], call.services.chain.hex()[:CHAIN_PREFIX_DIGITS]
    url = f"{call.services.public_url.rstrip('/')}/statement/{identity}?c={prefix}"
    foreign = "c" in call.given and call["c"].hex() != prefix
    return _html(render.statement(_frame(call), shown, url, foreign))


async def certificate(call: Call) -> Answer:
    """A certificate for everybody: where it is and its whole life."""
    try:
        shown = certificates.certificate_dict(call.store, call["number"])
    except WattestError as error:
        return _refused(call, error, "No such certificate")
    return _html(render.certificate(_frame(call), shown))


async def search(call: Call) -> Answer:
    """Leads from whatever was typed to the page or record that it names."""
    target = find(call.store, call["q"].strip())
    if target is None:
        message = f"Nothing here is called «{call['q']}». Numbers, ids and hashes must be complete."
        return _html(render.refusal(_frame(call), "Nothing found", message), status=404)
    return web.Response(status=303, headers={"Location": target})


def find(store: Store, text: str) -> str | None:
    """The path for a certificate number, statement, transaction, block hash, height or device number."""
    upper, lower = text.upper(), text.lower()
    if re.fullmatch(r"[A-Z]{3}-[A-Z0-9/-]{20,60}", upper, re.ASCII):
        return f"/certificate/{quote(upper)}"
    if re.fullmatch(r"[0-9a-f]{32}", lower, re.ASCII):
        return f"/statement/{lower}" if store.get(statement_key(bytes.fromhex(lower))) is not None else None
    if re.fullmatch(r"[0-9a-f]{64}", lower, re.ASCII):
        name = bytes.fromhex(lower)
        if transaction_position(store, name) is not None:
            return f"/v1/transactions/{lower}"
        return f"/v1/blocks/{lower}" if height_of(store, name) is not None else None
    device = re.fullmatch(r"device\s*([0-9]{1,7})", lower, re.ASCII)
    if device:
        return f"/v1/devices/{int(device[1])}"
    participant = re.fullmatch(r"participant\s*([0-9]{1,9})", lower, re.ASCII)
    if participant and store.get(participant_key(int(participant[1]))) is not None:
        return f"/v1/participants/{int(participant[1])}"
    if re.fullmatch(r"[0-9]{1,15}", text, re.ASCII) and int(text) <= chain.tip_height(store):
        return f"/v1/blocks/{int(text)}"
    return None


def _frame(call: Call) -> render.Frame:
    return render.Frame(chain.parameters_of(call.store).name, call.services.chain.hex())


def _refused(call: Call, error: WattestError, title: str) -> web.Response:
    if isinstance(error, StoreError):
        raise error
    message = str(error).removesuffix(f" [{error.code}]")
    return _html(render.refusal(_frame(call), title, message), status=status_of(error))


def _html(text: str, status: int = 200, nonce: str = "") -> web.Response:
    script = f"; script-src 'nonce-{nonce}'; connect-src 'self'" if nonce else ""
    policy = BASE_POLICY + script
    return web.Response(text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": policy})
