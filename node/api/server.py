"""The aiohttp application of one node: the table of routes behind the guard."""

from dataclasses import replace
from typing import Any

import msgspec
from aiohttp import web

from node.api.access import HEADER, reader_of
from node.api.calls import SERVICES, Call, Route
from node.api.chain import CHAINS, Chains
from node.api.guard import IN_FLIGHT, THROTTLE, InFlight, Next, guard
from node.api.limits import Throttle
from node.api.moments import MOMENTS, Moments
from node.api.parameters import Parameter
from node.api.public import mistyped
from node.api.refusals import BadParameter
from node.api.requests import media_type
from node.api.routes import HTML, ROUTES
from node.api.search import SEARCHES, Searches
from node.api.services import Services
from node.api.streams import STREAMS, Streams
from node.api.supply import SUPPLY
from node.log import UNHEARD
from node.queries.access import shown
from node.queries.supply import Supply

LISTENING: dict[str, Any] = {
    "access_log": None,
    "keepalive_timeout": 30,
    "max_line_size": 8_190,
    "max_field_size": 8_190,
    "logger": UNHEARD,
    "auto_decompress": False,  # encoded bodies are refused, so nobody need unpack them first
}
HARD_BODY_LIMIT = 5 * 1024 * 1024  # above every route's own limit, in case one forgot


def make_app(services: Services, routes: tuple[Route, ...] = ROUTES) -> web.Application:
    app = web.Application(middlewares=[guard], client_max_size=HARD_BODY_LIMIT)
    app[SERVICES] = services
    app[THROTTLE] = Throttle(services.limits, services.monotonic)
    app[IN_FLIGHT] = InFlight()
    app[STREAMS] = Streams(services.limits)
    app[SUPPLY] = Supply()
    app[CHAINS] = Chains()
    app[SEARCHES] = Searches(services.ranges)
    app[MOMENTS] = Moments(services.past)
    for route in routes:
        app.router.add_route(route.method, router_path(route), _answer(route))
    app.on_shutdown.append(_close_streams)
    return app


async def serve(services: Services, host: str, port: int, routes: tuple[Route, ...] = ROUTES) -> web.AppRunner:
    """Listen at host:port until the returned runner's `cleanup()`; OSError if the port is taken."""
    runner = web.AppRunner(
        make_app(services, routes),
        shutdown_timeout=2,
        **LISTENING,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


def router_path(route: Route) -> str:
    """Certificate ranges hold a slash, so a number takes the rest of the path."""
    return route.path.replace("{number}", "{number:.+}")


def _answer(route: Route) -> Next:
    async def answer(request: web.Request) -> web.StreamResponse:
        if route.body is not None:
            media_type(request, route.body.media)
        services = request.app[SERVICES]
        try:
            call = Call(services, request, parse(route, request))
        except BadParameter as error:
            if route.produces != HTML:
                raise
            return mistyped(services, request, error)
        if "at" in call.given:
            call = replace(call, moment=await request.app[MOMENTS].of(call["at"]))
        result = await route.handler(call)
        if isinstance(result, web.StreamResponse):
            return result
        reader = reader_of(services.store, services.chain, request.headers.get(HEADER))
        body = msgspec.json.encode({"schema": route.answer, **shown(result, reader)})
        return web.Response(body=body, status=route.status, content_type="application/json")

    return answer


def parse(route: Route, request: web.Request) -> dict[str, object]:
    """Path and query parameters by the route's declaration; an undeclared or repeated one is refused."""
    known = {parameter.name: parameter for parameter in route.query}
    given: dict[str, object] = {}
    for parameter in route.where:
        given[parameter.name] = parameter.read(request.match_info[parameter.name])
    for name, text in request.query.items():
        if not text and route.produces == HTML and name in known:
            continue  # a field of a form that was left empty
        if name not in known or name in given:
            raise BadParameter(name=name[:40], why="given twice" if name in given else "not known here")
        given[name] = known[name].read(text)
    _require(route.query, given)
    return given


def _require(parameters: tuple[Parameter, ...], given: dict[str, object]) -> None:
    for parameter in parameters:
        if parameter.required and parameter.name not in given:
            raise BadParameter(name=parameter.name, why="needed")


async def _close_streams(app: web.Application) -> None:
    await app[STREAMS].close()
