"""The dashboard in a browser: every visitor gets a process of its own, so no session ever reaches another's key.

textual-serve carries the terminal; what it leaves open is closed here. Pages ask for nothing from elsewhere, only pages
of this server may open a session (another site could otherwise drive a visitor's dashboard), and there are only so many
at a time. Keys without a passphrase are not offered: whoever reaches the page could sign with them.
"""

import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

WEB = Path(__file__).parent / "web"
SESSIONS = 16  # at a time; each is a process of some 60 MB
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class DashboardServer(Server):
    """`public_url` is how visitors reach it where a reverse proxy stands in front."""

    def __init__(self, arguments: list[str], host: str, port: int, public_url: str | None = None) -> None:
        command = shlex.join([sys.executable, "-m", "cli.main", *arguments])
        super().__init__(command, host, port, "wattest", public_url, templates_path=WEB)
        self.sessions = 0

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        for name in ("dashboard.css", "dashboard.js"):
            app.router.add_get(f"/{name}", self._file(name))
        return app

    def _file(self, name: str) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.FileResponse(WEB / name)

        return answer

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only by the names that this server has, and sessions only from its own pages."""
        if request.host not in self.hosts():
            raise web.HTTPForbidden(text="This server is not called so; see `wattest dashboard --public-url`.")
        if request.path == "/ws":
            if urlsplit(request.headers.get("Origin", "")).netloc not in self.hosts():
                raise web.HTTPForbidden(text="Only the pages of this server open a session.")
            if self.sessions >= SESSIONS:
                raise web.HTTPServiceUnavailable(text=f"{SESSIONS} sessions are open; come back later.")
            return await self._session(request, handler)
        if request.path.startswith("/static") and request.path.endswith("/"):
            raise web.HTTPNotFound  # no listings
        response = await handler(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    async def _session(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.sessions += 1
        try:
            return await handler(request)
        finally:
            self.sessions -= 1

    def hosts(self) -> set[str]:
        """Host and port as visitors may write them."""
        public = urlsplit(self.public_url).netloc
        return {public, *(f"{name}:{self.port}" for name in (self.host, *LOOPBACK))}

    async def on_startup(self, app: web.Application) -> None:
        self.console.print(f"The dashboard is at {self.public_url}   Ctrl-C ends it and every session", highlight=False)
