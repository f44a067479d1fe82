"""What stands before every handler: a request id, the buckets of the caller, and refusals turned into JSON.

Nothing that a caller sends may become a 5xx: whatever is raised on purpose has a 4xx, and what is raised by accident is
logged with the request id and answered without a word about the inside.
"""

import secrets
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from aiohttp import web

from node.api.calls import SERVICES
from node.api.limits import Allowance, Throttle
from node.api.refusals import (
    SCHEMA,
    Busy,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    RequestRefusal,
    refusal_dict,
    status_of,
)
from state.errors import StoreError, WattestError

log = structlog.get_logger("api")

THROTTLE: web.AppKey[Throttle] = web.AppKey("throttle", Throttle)

UNMEASURED = frozenset({"/livez", "/readyz", "/metrics"})  # probes must not starve when a caller floods the node

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


class InFlight:
    """How many requests are being answered right now."""

    def __init__(self) -> None:
        self.count = 0


IN_FLIGHT: web.AppKey[InFlight] = web.AppKey("in_flight", InFlight)


@web.middleware
async def guard(request: web.Request, handler: Next) -> web.StreamResponse:
    """Outermost layer of every answer."""
    request_id = secrets.token_hex(8)
    services = request.app[SERVICES]
    started = services.monotonic()
    in_flight = request.app[IN_FLIGHT]
    in_flight.count += 1
    allowance: Allowance | None = None
    try:
        if request.path not in UNMEASURED:
            allowance = admit(request)
            if in_flight.count > services.limits.requests_at_once:
                raise Busy(limit=services.limits.requests_at_once, what="requests", retry_after_s=1)
        response = await handler(request)
    except WattestError as error:
        response = refuse(error)
        if isinstance(error, StoreError):
            log.error("store unusable", request=request_id, path=request.path, error=str(error))
            services.failed(error)
    except web.HTTPException as error:
        response = refuse(_of_router(error, request)) if error.status >= 400 else error
    except Exception:
        log.exception("request failed", request=request_id, method=request.method, path=request.path)
        response = web.json_response(
            {
                "schema": SCHEMA,
                "code": "internal",
                "message": "This node made a mistake; its log has more under the request id.",
                "params": {},
                "action_index": None,
            },
            status=500,
        )
    finally:
        in_flight.count -= 1
    if not response.prepared:
        finish(response, request_id, allowance)
    measure(request, response.status, services.monotonic() - started)
    return response


def admit(request: web.Request) -> Allowance:
    """Take the request's cost from its address's bucket; RateLimited where that is empty."""
    throttle = request.app[THROTTLE]
    address = request.remote or ""
    allowance = throttle.read(address) if request.method in ("GET", "HEAD") else throttle.write(address)
    if not allowance.retry_after_s and request.content_length:
        size = throttle.body(address, request.content_length)
        if size.retry_after_s:
            allowance = size
    if allowance.retry_after_s:
        raise RateLimited(retry_after_s=allowance.retry_after_s)
    return allowance


def refuse(error: WattestError) -> web.Response:
    response = web.Response(
        body=msgspec.json.encode({"schema": SCHEMA, **refusal_dict(error)}),
        status=status_of(error),
        content_type="application/json",
    )
    if response.status == 429:
        response.headers["Retry-After"] = str(error.params.get("retry_after_s", 1))
    return response


def finish(response: web.StreamResponse, request_id: str, allowance: Allowance | None) -> None:
    response.headers["X-Request-Id"] = request_id
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    if allowance is not None:
        response.headers["RateLimit-Limit"] = str(allowance.limit)
        response.headers["RateLimit-Remaining"] = str(allowance.remaining)
        response.headers["RateLimit-Reset"] = str(allowance.reset_s)


def measure(request: web.Request, status: int, seconds: float) -> None:
    metrics = request.app[SERVICES].metrics
    resource = request.match_info.route.resource
    metrics.requests.of(resource.canonical if resource is not None else "none", status).inc()
    metrics.request_seconds.observe(seconds)


def _of_router(error: web.HTTPException, request: web.Request) -> RequestRefusal:
    if error.status == 405:
        return MethodNotAllowed(method=request.method[:16], path=request.path[:100])
    if error.status == 404:
        return NotFound(path=request.path[:100])
    return RequestRefusal(why=error.reason[:100])
