"""``/_spotmill/faults``: PUT a plan, GET what was injected, DELETE ends it. Without an HTTP library: servers differ."""

import json

from local.faults.injection import Faults
from local.faults.plan import Plan, PlanError

PATH = "/_spotmill/faults"


def answer(faults: Faults, method: str, body: bytes) -> tuple[int, bytes]:
    """Return status and JSON body of the answer to one request."""
    if method == "PUT":
        try:
            faults.follow(Plan.read(body, faults.kinds))
        except PlanError as error:
            return 400, json.dumps({"error": {"code": 400, "message": str(error)}}).encode()
    elif method == "DELETE":
        faults.follow(Plan())
    elif method != "GET":
        return 405, json.dumps({"error": {"code": 405, "message": f"{method} is not allowed here"}}).encode()
    return 200, json.dumps(faults.report()).encode()
