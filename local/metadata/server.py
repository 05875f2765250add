"""Answers ``http://metadata.google.internal/computeMetadata/v1/…`` for one virtual machine, on a loopback port.

See https://cloud.google.com/compute/docs/metadata/querying-metadata for what is imitated here.
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from local.metadata.facts import Facts, Leaf, Tree
from local.metadata.rendering import as_json, find, listing, text

ROOT = "/computeMetadata/v1"
TOKEN_SECONDS = 3600

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MetadataServer:
    """One listener. ``facts`` is asked at each request; whoever changes what it says calls ``announce``."""

    def __init__(self, facts: Callable[[], Facts]) -> None:
        self._facts = facts
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on this port of 127.0.0.1; 0 takes a free one.

        Raises:
            OSError: somebody else has the port.
        """
        app = web.Application(middlewares=[_guard])
        app.router.add_get("/", _root)
        app.router.add_get("/computeMetadata/", _versions)
        app.router.add_get(f"{ROOT}/instance/service-accounts/{{account}}/token", self._token)
        app.router.add_get(f"{ROOT}/{{path:.*}}", self._value)
        # Handlers are cancelled with their connection: people wait for changes for hours, and hang up.
        # A shutdown time-out of 0 would be none at all.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def announce(self) -> None:
        """Wake everybody who waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _token(self, request: web.Request) -> web.Response:
        account = request.match_info["account"]
        if account not in ("default", self._facts().service_account):
            raise web.HTTPNotFound(text="no such service account\n")
        token = {"access_token": f"local.{secrets.token_urlsafe(32)}", "expires_in": TOKEN_SECONDS}
        return web.json_response({**token, "token_type": "Bearer"})

    async def _value(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        query = {key.lower(): value for key, value in request.query.items()}
        changed = self._changed  # taken before looking, so that no change slips between
        node = self._find(path)
        if isinstance(node, Mapping) and path and not path.endswith("/"):
            raise web.HTTPMovedPermanently(f"{request.path}/" + (f"?{request.query_string}" if query else ""))
        if query.get("wait_for_change", "").lower() == "true":
            node = await self._await_change(path, node, changed, query)
        return _answer(path, node, query)

    def _find(self, path: str) -> Leaf | Tree:
        node = find(self._facts().tree(), path)
        if node is None or (path.endswith("/") and not isinstance(node, Mapping)):
            raise web.HTTPNotFound(text=f"no metadata at {path}\n")
        return node

    async def _await_change(
        self, path: str, node: Leaf | Tree, changed: asyncio.Event, query: Mapping[str, str]
    ) -> Leaf | Tree:
        """The value once it is no longer the known one, or as it is when ``timeout_sec`` is over."""
        known = query.get("last_etag") or _etag(node)
        try:
            async with asyncio.timeout(_seconds(query.get("timeout_sec", "0"))):
                while _etag(node) == known:
                    await changed.wait()
                    changed = self._changed
                    node = self._find(path)
        except TimeoutError:
            return self._find(path)
        return node


def _seconds(word: str) -> float | None:
    try:
        seconds = float(word)
    except ValueError:
        raise web.HTTPBadRequest(text="timeout_sec is not a number\n") from None
    return seconds if seconds > 0 else None


def _etag(node: Leaf | Tree) -> str:
    return hashlib.sha256(as_json(node).encode()).hexdigest()[:16]


def _answer(path: str, node: Leaf | Tree, query: Mapping[str, str]) -> web.Response:
    recursive = query.get("recursive", "").lower() == "true"
    form = query.get("alt", "json" if recursive and isinstance(node, Mapping) else "text").lower()
    if form not in ("json", "text"):
        raise web.HTTPBadRequest(text="alt is json or text\n")
    if isinstance(node, Mapping) and not recursive:
        # A directory alone has no JSON form: its names are listed either way.
        body = json.dumps(listing(node).split()) if form == "json" else listing(node)
    else:
        body = as_json(node, path.rstrip("/").rpartition("/")[2]) if form == "json" else text(node)
    headers = {"ETag": _etag(node)}
    return web.Response(text=body, content_type=f"application/{form}", charset="utf-8", headers=headers)


async def _root(_request: web.Request) -> web.Response:
    return web.Response(text="computeMetadata/\n")


async def _versions(_request: web.Request) -> web.Response:
    return web.Response(text="v1/\n")


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a browser or a proxy could be tricked into sending; sign every answer."""
    flavor = {"Metadata-Flavor": "Google"}
    if "X-Forwarded-For" in request.headers:
        return web.Response(status=403, text="X-Forwarded-For is not allowed\n", headers=flavor)
    if request.headers.get("Metadata-Flavor") != "Google" and request.path != "/":
        return web.Response(status=403, text="Missing Metadata-Flavor:Google header.\n", headers=flavor)
    try:
        response = await handler(request)
    except web.HTTPException as answer:
        answer.headers.update(flavor)
        raise
    response.headers.update(flavor)
    response.headers["Server"] = "Metadata Server for VM"
    return response
