"""What is served while settings are missing or wrong: every address names them, nothing else starts."""

from flask import Flask, Response, request

from services.web import problems, security
from services.web.problems import Problem, respond
from services.web.shapes import FieldProblem


def misconfigured_app(reason: str) -> Flask:
    """Make an application that answers everything with what is wrong, settings named by their variables."""
    app = Flask(__name__)
    faults = tuple(FieldProblem(pointer="", detail=part.strip()) for part in reason.split(";") if part.strip())

    def explain() -> Response | None:
        if request.path.startswith("/static/"):
            return None
        detail = f"These settings are missing or wrong: {reason}"
        return respond(Problem(503, "Spotmill is not set up", detail, faults, {"Retry-After": "60"}))

    app.before_request(explain)
    problems.install(app)
    security.install_headers(app, "default-src 'self'; frame-ancestors 'none'; base-uri 'none'", https=False)
    return app
