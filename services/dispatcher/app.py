"""The dispatcher as its server loads it.

``gunicorn -c services/dispatcher/gunicorn.conf.py 'services.dispatcher.app:create_app()'``
"""

from pathlib import Path

import functions_framework
from flask import Flask, Response


def create_app() -> Flask:
    """Make the application: the one function, and for probes a path beside it."""
    source = str(Path(__file__).with_name("main.py"))
    app: Flask = functions_framework.create_app(  # type: ignore[no-untyped-call]
        target="dispatch", source=source, signature_type="cloudevent"
    )
    app.add_url_rule("/health", view_func=_show_health, methods=["GET"])
    return app


def _show_health() -> Response:
    """Say that the process is up; it is no better for a restart while the database is away."""
    return Response('{"status":"ok"}', mimetype="application/json")
