"""The readings side of a validator's HTTP API, as little of it as a gateway talks to."""

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from node.gateway import read_body, refusals_to_json
from node.intake import Intake, closed_by
from state.errors import DecodeError
from verifier.reading import guarded_json

MAX_BODY_BYTES = 1024 * 1024


class ReadingsApi:
    """POST /v1/readings and /v1/days in front of an intake. `down` answers 503; `deaf` takes and does not answer."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.down = False
        self.deaf = False
        self.batches: list[int] = []  # readings of each
        app = web.Application(middlewares=[refusals_to_json])
        app.router.add_post("/v1/readings", self._readings)
        app.router.add_post("/v1/days", self._day)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    async def _readings(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        raws = body.get("readings")
        if not isinstance(raws, list) or not all(isinstance(raw, str) for raw in raws):
            raise DecodeError(why="readings is not a list of texts")
        accepted = await self.intake.accept_batch(raws, _bytes(body, "key", 32), _bytes(body, "signature", 64))
        self.batches.append(len(raws))
        return self._answer({"accepted": accepted.accepted, "duplicates": accepted.duplicates})

    async def _day(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        values = body.get("close")
        if not isinstance(values, list):
            raise DecodeError(why="close is not a list")
        values = [int(value) if index < 4 else value for index, value in enumerate(values)]
        new = await self.intake.accept_close(closed_by(values), _bytes(body, "key", 32), _bytes(body, "signature", 64))
        return self._answer({"new": new})

    async def _body(self, request: web.Request) -> dict[str, Any]:
        if self.down:
            raise web.HTTPServiceUnavailable
        body = guarded_json(await read_body(request, MAX_BODY_BYTES), MAX_BODY_BYTES)
        if not isinstance(body, dict):
            raise DecodeError(why="not an object")
        return body

    def _answer(self, answer: dict[str, Any]) -> web.Response:
        if self.deaf:
            raise web.HTTPGatewayTimeout
        return web.json_response(answer)


def _bytes(body: dict[str, Any], name: str, size: int) -> bytes:
    try:
        data = bytes.fromhex(body[name])
    except (KeyError, TypeError, ValueError):
        data = b""
    if len(data) != size:
        raise DecodeError(why=f"{name} is not {size} bytes in hex")
    return data
