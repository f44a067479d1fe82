"""The API as a part of a node: listens when the node starts, stops with it."""

from aiohttp import web

from node.api.server import serve
from node.api.services import Services
from node.config import parse_address


class ApiPart:
    """`listen` is host:port; port 0 takes a free one, which `address` tells once it is started."""

    def __init__(self, services: Services, listen: str) -> None:
        self._services = services
        self._listen = listen
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """OSError if the port is taken."""
        host, port = parse_address(self._listen)
        self._runner = await serve(self._services, host, port)

    @property
    def address(self) -> str:
        assert self._runner is not None, "asked before start"
        host, port = self._runner.addresses[0][:2]
        return f"{host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
