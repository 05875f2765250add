"""Writes down what a process of the product asks Google; loaded by Python itself where this folder is on PYTHONPATH.

Each line of ``$SPOTMILL_TEST_RECORD/PID.jsonl`` is a request as it leaves: over HTTP ``{process, method, url}``, over
gRPC ``{process, call, thing}``. What was written once is not written again.
"""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Words of the command lines by which processes are told; all others ask in nobody's name.
_PROCESSES = {
    "services.web.app:create_app()": "web",
    "services.dispatcher.app:create_app()": "dispatcher",
    "worker": "worker",
    "worker.child": "child",
}
_CALLS = ("__call__", "with_call", "future")


def _watch(process: str, folder: Path) -> None:
    import grpc._channel  # noqa: PLC0415 - only where something is recorded
    import requests  # noqa: PLC0415

    written: set[str] = set()

    def write(**said: str) -> None:
        line = json.dumps({"process": process, **said})
        if line not in written:
            written.add(line)
            with (folder / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    send = requests.Session.send

    def send_and_write(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        write(method=str(request.method), url=str(request.url))
        if str(request.url).endswith("/batch/storage/v1"):  # a request of requests
            body = request.body if isinstance(request.body, str) else bytes(request.body or b"").decode()
            for method, path in re.findall(r"^(DELETE|GET|PATCH|POST|PUT) (\S+) HTTP/1\.1", body, re.MULTILINE):
                write(method=method, url=path)
        return send(self, request, **options)

    requests.Session.send = send_and_write  # type: ignore[method-assign]

    def call_and_write(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(self: Any, request: Any, *rest: Any, **options: Any) -> Any:
            method = self._method.decode() if isinstance(self._method, bytes) else self._method
            write(call=method, thing=str(getattr(request, "topic", "") or getattr(request, "subscription", "")))
            return call(self, request, *rest, **options)

        return called

    stub = grpc._channel._UnaryUnaryMultiCallable
    for name in _CALLS:
        setattr(stub, name, call_and_write(getattr(stub, name)))


def _begin() -> None:
    folder = os.environ.get("SPOTMILL_TEST_RECORD")
    words = sys.orig_argv
    process = next((process for word, process in _PROCESSES.items() if word in words), None)
    if folder is not None and process is not None:
        _watch(process, Path(folder))


_begin()
