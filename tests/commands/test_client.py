"""The blocking client against servers that answer badly, late, or not at all."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from node import client as client_module
from node.client import NodeClient
from node.failures import NodeUnreachable, RefusedByNode, TimedOut

Answer = tuple[int, dict[str, str], bytes]
Script = Callable[[str, str, int], Answer | None]


class Server:
    """Answers by `script(method, path, count)`; None hangs up without an answer."""

    def __init__(self) -> None:
        self.script: Script = lambda method, path, count: (200, {}, b"{}")
        self.requests: list[tuple[str, str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append((self.command, self.path, body))
                answer = outer.script(self.command, self.path, len(outer.requests))
                if answer is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                status, headers, data = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.001)
    served = Server()
    yield served
    served.http.shutdown()
    served.http.server_close()


def answer(value: object, status: int = 200, **headers: str) -> Answer:
    return status, headers, json.dumps(value).encode()


def refusal(code: str, status: int, **params: object) -> Answer:
    return answer(
        {"schema": "error/1", "code": code, "message": f"No [{code}]", "params": params, "action_index": 1}, status
    )


def test_lost_connections_are_tried_again(server: Server) -> None:
    server.script = lambda method, path, count: None if count < 3 else answer({"height": 7})
    assert NodeClient(server.url).status()["height"] == 7
    assert len(server.requests) == 3


def test_busy_node_is_asked_again(server: Server) -> None:
    busy = refusal("busy", 429)
    server.script = lambda method, path, count: busy if count < 3 else answer({"txid": "ab"})
    assert NodeClient(server.url).submit(b"raw") == "ab"


def test_one_connection_serves_many_requests(server: Server) -> None:
    client = NodeClient(server.url)
    for _ in range(3):
        client.status()
    client.close()
    assert len(server.requests) == 3


def test_transaction_that_is_known_already_counts_as_handed_in(server: Server) -> None:
    server.script = lambda method, path, count: refusal("duplicate", 409, txid="cd", where="waiting")
    assert NodeClient(server.url).submit(b"raw") == "cd"


def test_pages_are_followed_to_the_end(server: Server) -> None:
    def script(method: str, path: str, count: int) -> Answer:
        return answer({"items": [count], "cursor": f"next{count}" if count < 3 else None})

    server.script = script
    assert list(NodeClient(server.url).pages("/v1/things", "items", kind="x")) == [1, 2, 3]
    assert "cursor" not in server.requests[0][1]
    assert "cursor=next1" in server.requests[1][1]
    assert "kind=x" in server.requests[2][1]


def test_a_cursor_that_does_not_move_ends_the_list(server: Server) -> None:
    server.script = lambda method, path, count: answer({"items": [1], "cursor": "same"})
    assert list(NodeClient(server.url).pages("/v1/things", "items")) == [1, 1]


def test_finality_is_waited_for(server: Server) -> None:
    server.script = lambda method, path, count: answer({"status": "final" if count > 2 else "waiting", "height": 9})
    assert NodeClient(server.url).wait_final("ab")["height"] == 9


def test_refuses_as_the_node_did(server: Server) -> None:
    server.script = lambda method, path, count: refusal("spent", 422, outpoint="00")
    with pytest.raises(RefusedByNode) as caught:
        NodeClient(server.url).submit(b"raw")
    assert (caught.value.reason, caught.value.status, caught.value.action_index) == ("spent", 422, 1)
    assert str(caught.value) == "No (action 1) [spent]"


def test_refuses_what_was_dropped_while_waiting(server: Server) -> None:
    server.script = lambda method, path, count: answer({"status": "refused", "code": "spent", "message": "Gone."})
    with pytest.raises(RefusedByNode, match="Gone"):
        NodeClient(server.url).wait_final("ab")


def test_refuses_to_wait_for_ever(server: Server) -> None:
    server.script = lambda method, path, count: answer({"status": "waiting"})
    with pytest.raises(TimedOut):
        NodeClient(server.url).wait_final("ab" * 32, timeout_s=0.2)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{", b"\xff"])
def test_refuses_answers_of_something_else(server: Server, body: bytes) -> None:
    server.script = lambda method, path, count: (200, {}, body)
    with pytest.raises(NodeUnreachable, match="no wattest node"):
        NodeClient(server.url).status()


@pytest.mark.parametrize("body", [b"", b"oops", b"[1]", b'{"code": 1}'])
def test_refuses_errors_without_a_code(server: Server, body: bytes) -> None:
    server.script = lambda method, path, count: (500, {}, body)
    with pytest.raises(NodeUnreachable, match="status 500"):
        NodeClient(server.url).status()


def test_refuses_an_answer_without_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_ANSWER_BYTES", 100)
    server.script = lambda method, path, count: (200, {}, b"x" * 200)
    with pytest.raises(NodeUnreachable, match="larger than"):
        NodeClient(server.url).status()


def test_refuses_when_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.001)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NodeUnreachable, match="connection refused"):
        NodeClient(url).status()


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://host:99999", "http://host:abc"])
def test_refuses_addresses_that_are_none(url: str) -> None:
    with pytest.raises(NodeUnreachable):
        NodeClient(url).status()
