"""Headers of every answer, and the check that a write comes from our own pages."""

from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, g, request

from services.web.identity import Gate, is_loopback
from services.web.problems import Problem
from shared.settings import WebSettings
from shared.tracing import fields_of_request

_READS = ("GET", "HEAD", "OPTIONS")
#: What anybody may fetch: is the service up, and the files of the pages.
_OPEN_PATHS = ("/health", "/healthz", "/api/v1/health", "/favicon.ico")
_OPEN_PREFIX = "/static/"


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL as browsers write an origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def policy(settings: WebSettings) -> str:
    """Write the Content-Security-Policy: our own files and the storage, nothing inline, nobody frames us."""
    storage = origin_of(settings.storage_public_url or "https://storage.googleapis.com")
    return "; ".join((
        "default-src 'self'",
        f"connect-src 'self' {storage}",
        f"img-src 'self' data: {storage}",
        f"media-src 'self' {storage}",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ))  # fmt: skip


def _check_source(own_origin: str) -> None:
    """Refuse a write that another site's page started (https://web.dev/articles/fetch-metadata).

    Programs send neither header and carry their own sign-in; a browser always sends one of them.
    """
    if request.method in _READS:
        return
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    parts = urlsplit(origin or "")
    same = origin in {None, own_origin} or (is_loopback(parts.hostname or "") and parts.netloc == request.host)
    if site not in {"same-origin", "none"} or not same:
        raise Problem(
            403, "Not from this site", f"Only pages of {own_origin} may change anything here (SPOTMILL_WEB_URL)."
        )


def install(app: Flask, settings: WebSettings, gate: Gate) -> None:
    """Put the gate, the check of writes and the headers around every request."""
    own_origin = origin_of(settings.web_url)

    def trace() -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**fields_of_request(request.headers.get))

    def admit() -> None:
        if request.path in _OPEN_PATHS or request.path.startswith(_OPEN_PREFIX):
            return
        g.person = gate.admit(request.environ)
        _check_source(own_origin)

    app.before_request(trace)
    app.before_request(admit)
    install_headers(app, policy(settings), https=own_origin.startswith("https:"))


def install_headers(app: Flask, content_policy: str, *, https: bool) -> None:
    """Set the headers of every answer, errors included."""
    headers = {
        "Content-Security-Policy": content_policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000"

    def protect(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    app.after_request(protect)
