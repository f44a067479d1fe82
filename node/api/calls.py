"""A route, and one call of it: the shapes that the table, the handlers and the server share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from node.api.parameters import MAX_PAGE, Parameter
from node.api.services import Services
from state.store import Store

if TYPE_CHECKING:
    from node.api.moments import Moment

SERVICES: web.AppKey[Services] = web.AppKey("services", Services)

Answer = dict[str, Any] | web.StreamResponse


@dataclass(frozen=True)
class Body:
    """What a POST carries: the media types, the most bytes, and the shape in words."""

    media: tuple[str, ...]
    limit: int
    shape: str


@dataclass(frozen=True)
class Call:
    """One request to a route, its parameters parsed; those that were not given are absent. `moment` is the earlier
    height that was asked about, None for the tip."""

    services: Services
    request: web.Request
    given: dict[str, Any] = field(default_factory=dict)
    moment: "Moment | None" = None

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.given.get(name, default)

    @property
    def store(self) -> Store:
        return self.services.store if self.moment is None else self.moment.store

    @property
    def page(self) -> tuple[bytes | None, int]:
        """Where the page begins, and how many items it may have."""
        return self.given.get("cursor"), self.given.get("limit", MAX_PAGE)


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """One line of the API. `answer` names the schema of a JSON answer and `fields` its keys beside `schema`;
    `produces` is the media type of any other answer. The handler's docstring says what it does."""

    method: str
    path: str
    handler: Handler
    answer: str = ""
    fields: tuple[str, ...] = ()
    where: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    body: Body | None = None
    produces: str = "application/json"
    status: int = 200

    @property
    def summary(self) -> str:
        """First line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().split("\n")[0]
