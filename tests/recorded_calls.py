"""What the product's processes asked the local cloud, in the names that Google has for it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Set it to a folder, and put ``RECORDER`` on PYTHONPATH.
VARIABLE = "SPOTMILL_TEST_RECORD"
RECORDER = Path(__file__).parent / "recorder"

_OBJECT = r"/storage/v1/b/(?P<thing>[^/]+)/o"
#: Method and path of a request, and the call that it is. The first that fits counts.
_HTTP = (
    ("GET", rf"(/download)?{_OBJECT}/.+", "storage.objects.get"),
    ("GET", rf"{_OBJECT}", "storage.objects.list"),
    ("DELETE", rf"{_OBJECT}/.+", "storage.objects.delete"),
    ("POST", r"(/resumable)?/upload" + _OBJECT, "storage.objects.insert"),
    ("PUT", r"(/resumable)?/upload" + _OBJECT, "storage.objects.insert"),
    ("POST", r"/batch/storage/v1", ""),  # what is in it is written by itself
    *(
        (
            method,
            rf".*/regions/[^/]+/instanceGroupManagers/(?P<thing>[^/]+){path}",
            f"compute.regionInstanceGroupManagers.{call}",
        )
        for method, path, call in (
            ("GET", "", "get"),
            ("POST", "/listManagedInstances", "listManagedInstances"),
            ("GET", "/listErrors", "listErrors"),
            ("POST", "/resize", "resize"),
            ("POST", "/deleteInstances", "deleteInstances"),
        )
    ),
    ("GET", r"/computeMetadata/.*", ""),  # the machine's own, which asks for no permission
)
_GRPC = {
    "/google.pubsub.v1.Publisher/Publish": "pubsub.topics.publish",
    "/google.pubsub.v1.Subscriber/Acknowledge": "pubsub.subscriptions.acknowledge",
    "/google.pubsub.v1.Subscriber/ModifyAckDeadline": "pubsub.subscriptions.modifyAckDeadline",
    "/google.pubsub.v1.Subscriber/Pull": "pubsub.subscriptions.pull",
}


@dataclass(frozen=True, slots=True, order=True)
class Recorded:
    """A call by a process, on a bucket or group (its name) or on ``topics/NAME`` or ``subscriptions/NAME``."""

    process: str
    call: str
    thing: str


def read(folder: Path) -> set[Recorded]:
    """Return what was recorded so far. A request that is no known call is its own name."""
    said = [json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_text("utf-8").splitlines()]
    found = {_grpc(one) if "call" in one else _http(one) for one in said}
    return {recorded for recorded in found if recorded.call}


def _grpc(said: dict[str, str]) -> Recorded:
    return Recorded(said["process"], _GRPC.get(said["call"], said["call"]), "/".join(said["thing"].split("/")[2:]))


def _http(said: dict[str, str]) -> Recorded:
    path = urlsplit(said["url"]).path
    for method, pattern, call in _HTTP:
        fits = re.fullmatch(pattern, path) if said["method"] == method else None
        if fits is not None:
            return Recorded(said["process"], call, unquote(fits.groupdict().get("thing") or ""))
    return Recorded(said["process"], f"{said['method']} {said['url']}", "")
