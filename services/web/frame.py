"""What every page has around it, and the sentence about what the last form did."""

import uuid

from flask import redirect, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from services.web.operations import caller
from services.web.overview import read_budget, read_pause
from services.web.views import Shell

#: Said on the next page. The address carries the word, never the sentence.
_NOTICES = {
    "uploaded": "The file is stored. It appears in the list within a second or two.",
    "started": "The workers are starting.",
    "stopped": "The workers finish what they hold, then they leave.",
    "stopped-now": "The workers are leaving; what they held is going back to the queue.",
    "paused": "The queue is paused: jobs at hand are finished, nothing new starts.",
    "resumed": "The queue moves again.",
    "replayed": "The jobs of the undelivered messages are announced anew. What is left cannot be replayed.",
    "discarded": "The undelivered messages are discarded.",
    "retried": "The job is in the queue again.",
    "retried-all": "The jobs are in the queue again. Those left here are for no pipeline that is installed.",
    "retried-many": "Many jobs are in the queue again. Press again for the rest.",
    "cancelled": "The job is cancelled.",
    "named": "The speaker has a new name, everywhere in the job.",
}


def shell(connection: Connection, current: str) -> Shell:
    """Read what the frame of a page shows; ``current`` names the page."""
    return Shell(
        caller(), current, _NOTICES.get(request.args.get("notice", "")), read_pause(connection), read_budget(connection)
    )


def done(notice: str, job_id: uuid.UUID | None = None) -> Response:
    """Lead from a form to the page that shows what it did."""
    if job_id is None:
        return redirect(url_for("pages.show_processing", notice=notice), 303)
    return redirect(url_for("pages.show_job", job_id=job_id, notice=notice), 303)
