"""The blocking client of a node's HTTP API: what commands and scripts talk through.

Built on `http.client` alone, so that a wallet starts fast. A lost connection is tried again, which is safe for every
call: a transaction is idempotent by its id, a batch of readings by its sequence numbers.
"""

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from node.failures import NodeUnreachable, RefusedByNode, TimedOut, WrongNetwork

ATTEMPTS = 4
FIRST_PAUSE_S = 0.1  # doubled with every further attempt
MAX_ANSWER_BYTES = 64 * 1024 * 1024
STREAM_BYTES = 256 * 1024
PAGE = 200
STATUS = "/v1/status"  # asked by nobody in particular: it tells whose network answers
READER_HEADER = "X-Wattest-Reader"
OF_THE_LEDGER = (  # what a node answers about an earlier height too (`at`), and what below it has no past
    "search", "schemes", "validators", "supply", "participants", "devices", "appeals", "consumption", "certificates",
    "proposals", "statements", "auctions", "listings", "obligations", "standing-bids",
)  # fmt: skip
OF_THE_NODE = ("readings", "curve", "head", "evidence", "profile", "proof")
WAITING = ("waiting", "unknown")
BUSY = (429, 503)  # come again: too many requests, or too much waits

Answer = dict[str, Any]


class NodeClient:
    """One node at one address. Every method raises NodeUnreachable, or RefusedByNode with the node's own code."""

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        try:
            parts = urlsplit(url if "//" in url else f"http://{url}")
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # a port out of range, or brackets without an address
            usable = False
        if not usable:
            raise NodeUnreachable(url=url, why="this is not an http address")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._parts = parts
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self.reader = ""  # who asks: what `node.wallet.reader_header` made, empty for the public
        self.chain = ""  # the network, in hex, that whoever asks is at; empty = whichever answers
        self.at: int | None = None  # the height that reads of the ledger are about; None = the newest

    # --- the ledger's own state

    def status(self) -> Answer:
        """WrongNetwork where another network answers than the one that is named."""
        answer = self.get(STATUS)
        if self.chain and answer.get("chain_id") != self.chain:
            raise WrongNetwork(url=self.url, found=str(answer.get("chain_id")), named=self.chain)
        return answer

    def submit(self, raw: bytes) -> str:
        """Hand in one signed transaction; its id in hex. One that the node knows already is as good as accepted."""
        try:
            answer = self._json("POST", "/v1/transactions", raw, "application/msgpack")
        except RefusedByNode as refusal:
            if refusal.reason == "duplicate" and "txid" in refusal.params:
                return str(refusal.params["txid"])
            raise
        return str(answer["txid"])

    def submit_batch(self, raws: list[bytes]) -> list[Answer]:
        """Up to 1,000 signed transactions; one result each, in order: `{txid}` or `{code, message}`."""
        from state.codec import encode

        answer = self._json("POST", "/v1/transactions/batch", encode(raws), "application/msgpack")
        return list(answer["results"])

    def transaction(self, txid: str) -> Answer:
        return self.get(f"/v1/transactions/{txid}")

    def wait_final(self, txid: str, timeout_s: float = 60.0) -> Answer:
        """The transaction's record once it is final; RefusedByNode when it was dropped, TimedOut otherwise."""
        deadline = time.monotonic() + timeout_s
        pause = 0.05
        while True:
            answer = self.transaction(txid)
            if answer["status"] == "final":
                return answer
            if answer["status"] not in WAITING:
                why = str(answer.get("message") or f"the transaction was {answer['status']}")
                code = str(answer.get("code") or answer["status"])
                raise RefusedByNode(code, why, answer.get("params") or {}, answer.get("action_index"), 200)
            if time.monotonic() + pause > deadline:
                raise TimedOut(what=f"Finality of transaction {txid[:16]}…", seconds=int(timeout_s))
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def participant(self, participant: int) -> Answer:
        return self.get(f"/v1/participants/{participant}")

    def participant_of_key(self, public: bytes) -> Answer | None:
        """The participant whose current key this is, or None."""
        try:
            answer = self.get("/v1/participants", key=public.hex())
        except RefusedByNode as refusal:
            if refusal.status == 404:
                return None
            raise
        found = answer.get("participants", [answer] if "id" in answer else [])
        return found[0] if found else None

    def outputs(self, participant: int, kind: str | None = None) -> Iterator[Answer]:
        """Live outputs of a participant, page by page."""
        return self.pages(f"/v1/participants/{participant}/outputs", "outputs", kind=kind)

    def pages(self, path: str, field: str, **query: Any) -> Iterator[Answer]:
        """Every item of a paged list: `cursor` of an answer, while there is one, leads to the next page."""
        cursor: Any = None
        while True:
            answer = self.get(path, **query, limit=PAGE, cursor=cursor)
            yield from answer[field]
            following = answer.get("cursor")
            if not following or following == cursor:
                return
            cursor = following

    # --- readings

    def post_readings(self, readings: list[str], signature: bytes, public: bytes) -> Answer:
        body = {"readings": readings, "signature": signature.hex(), "key": public.hex()}
        return self._json("POST", "/v1/readings", json.dumps(body).encode(), "application/json")

    def post_day(self, close: list[Any], signature: bytes, public: bytes) -> Answer:
        body = {"close": close, "signature": signature.hex(), "key": public.hex()}
        return self._json("POST", "/v1/days", json.dumps(body).encode(), "application/json")

    # --- requests

    def get(self, path: str, **query: Any) -> Answer:
        """The JSON object at `path`; query values of None are left out."""
        if self.at is not None and has_a_past(path):
            query["at"] = self.at
        return self._json("GET", _with_query(path, query), None, None)

    def get_bytes(self, path: str) -> bytes:
        status, _, body = self.request("GET", path, None, None)
        if status >= 400:
            raise _refusal(status, body, self.url)
        return body

    def stream(self, path: str, **query: Any) -> tuple[http.client.HTTPMessage, Iterator[bytes]]:
        """Headers and body of a long answer, as it arrives and never as a whole; not tried again once it began."""
        address = _with_query(path, query)
        self.close()
        try:
            response = self._ask("GET", address, None, None)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NodeUnreachable(url=self.url, why=_reason(error)) from None
        if response.status >= 400:
            raise _refusal(response.status, response.read(MAX_ANSWER_BYTES), self.url)
        return response.headers, self._pieces(response)

    def _pieces(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while piece := response.read1(STREAM_BYTES):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise NodeUnreachable(url=self.url, why=f"the answer broke off: {_reason(error)}") from None
        finally:
            self.close()

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """The JSON object that answers a POST, here or at a gateway."""
        return self._json("POST", path, body, content_type)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _json(self, method: str, path: str, body: bytes | None, content_type: str | None) -> Answer:
        status, _, data = self.request(method, path, body, content_type)
        if status >= 400:
            raise _refusal(status, data, self.url)
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise NodeUnreachable(url=self.url, why=f"what answers {path} is no wattest node")
        return answer

    def request(
        self, method: str, path: str, body: bytes | None, content_type: str | None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request, tried again over lost connections and a busy node; `(status, headers, body)`."""
        pause = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status, headers, data = self._once(method, path, body, content_type)
            except (OSError, http.client.HTTPException, UnicodeError) as error:  # the last: a host that is no name
                self.close()
                if attempt == ATTEMPTS:
                    raise NodeUnreachable(url=self.url, why=_reason(error)) from None
            else:
                if status not in BUSY or attempt == ATTEMPTS:
                    return status, headers, data
                pause = max(pause, _retry_after_s(headers))
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(
        self, method: str, path: str, body: bytes | None, content_type: str | None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        response = self._ask(method, path, body, content_type)
        data = response.read(MAX_ANSWER_BYTES + 1)
        if len(data) > MAX_ANSWER_BYTES:
            self.close()
            raise NodeUnreachable(url=self.url, why=f"the answer to {path} is larger than {MAX_ANSWER_BYTES} bytes")
        return response.status, response.headers, data

    def _ask(self, method: str, path: str, body: bytes | None, content_type: str | None) -> http.client.HTTPResponse:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout_s)
        headers = {"Accept": "application/json"}
        if self.reader and path != STATUS:
            headers[READER_HEADER] = self.reader
        if content_type:
            headers["Content-Type"] = content_type
        self._connection.request(method, self._parts.path.rstrip("/") + path, body, headers)
        return self._connection.getresponse()


def has_a_past(path: str) -> bool:
    """Whether a node can tell what it would have answered at an earlier height."""
    parts = path.split("?")[0].split("/")
    return len(parts) > 2 and parts[2] in OF_THE_LEDGER and parts[-1] not in OF_THE_NODE


def _with_query(path: str, query: dict[str, Any]) -> str:
    given = {name.rstrip("_"): value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _refusal(status: int, data: bytes, url: str) -> RefusedByNode | NodeUnreachable:
    try:
        answer = json.loads(data)
        return RefusedByNode(
            str(answer["code"]),
            str(answer["message"]),
            answer.get("params") or {},
            answer.get("action_index"),
            status,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return NodeUnreachable(url=url, why=f"it answered with status {status} and no code")


def _retry_after_s(headers: http.client.HTTPMessage) -> float:
    text = headers.get("Retry-After", "")
    return min(float(text), 5.0) if text.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
