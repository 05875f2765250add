"""The web service: ``gunicorn -c services/web/gunicorn.conf.py 'services.web.app:create_app()'``."""

import json
from typing import Any

import structlog
from flask import Flask, Response

from services.web import problems, security
from services.web.api import artifacts, dead_letters, health, hls, jobs, queue, runs, search, transcripts, uploads
from services.web.backends import Backends, check_signer
from services.web.identity import open_gate
from services.web.library import library
from services.web.listing import API
from services.web.misconfigured import misconfigured_app
from services.web.openapi import document
from services.web.operations import Api, merged
from services.web.pages import pages
from shared.logging import configure, configure_from
from shared.settings import SettingsError, WebSettings, load

_PARTS: tuple[Api, ...] = (
    artifacts.api,
    dead_letters.api,
    health.api,
    hls.api,
    jobs.api,
    queue.api,
    runs.api,
    search.api,
    transcripts.api,
    uploads.api,
)
#: Bodies of calls that say nothing else.
_BODY_MAX_BYTES = 64 * 1024

log = structlog.get_logger()


def describe(*, iap: bool) -> dict[str, Any]:
    """Return the API's OpenAPI document."""
    return document(merged(_PARTS), prefix=API, iap=iap)


def create_app(settings: WebSettings | None = None) -> Flask:
    """Make the application; with missing or wrong settings, one that does nothing but name them."""
    try:
        if settings is None:
            settings = load(WebSettings)
            configure_from("web", settings)
        gate = open_gate(settings)
        check_signer(settings)
    except SettingsError as error:
        configure("web")
        log.critical("settings.wrong", reason=str(error))
        return misconfigured_app(str(error))
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _BODY_MAX_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = _BODY_MAX_BYTES
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    backends = Backends(settings)
    app.extensions["spotmill"] = backends
    problems.install(app)
    security.install(app, settings, gate)
    app.register_blueprint(pages)
    app.register_blueprint(library)
    for part in _PARTS:
        app.register_blueprint(part.blueprint)
    described = json.dumps(describe(iap=settings.iap_audience is not None), indent=1)

    def show_openapi() -> Response:
        return Response(described, mimetype="application/json")

    app.add_url_rule(f"{API}/openapi.json", "openapi", show_openapi)
    backends.warm()
    log.info("web.ready", url=settings.web_url, sign_in="IAP" if settings.iap_audience else "development user")
    return app
