"""Stands in for docker and others that tests must not run: writes down each call, and answers as they do.

``docker run`` lasts until SIGTERM (``STAND_IN_SIGNALS`` of them) and then says so in a file; ``docker stop`` sends that
signal and waits for the end.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

calls = Path(os.environ["STAND_IN_CALLS"])
name, words = Path(sys.argv[0]).name, sys.argv[1:]
with calls.open("a") as file:
    file.write(json.dumps([name, *words]) + "\n")

if name in ("iptables", "ip6tables") and "-C" in words:
    sys.exit(0 if calls.with_suffix(".walled").exists() else 1)
if name != "docker":
    sys.exit(0)
container, pulled = calls.with_suffix(".container"), calls.with_suffix(".pulled")
if words[:2] == ["image", "inspect"]:
    sys.exit(0 if pulled.exists() else 1)
if words[0] == "pull":
    pulled.touch()
if words[0] == "run":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    whole = calls.with_suffix(".new")
    whole.write_text(str(os.getpid()))
    whole.rename(container)
    for _ in range(int(os.environ.get("STAND_IN_SIGNALS", "1"))):
        signal.sigwait({signal.SIGTERM})
    calls.with_suffix(".handed_over").write_text("SIGTERM")
    container.unlink()
if words[0] in ("kill", "stop", "wait") and not container.exists():
    sys.exit("Error response from daemon: No such container: spotmill-worker")
if words[0] in ("kill", "stop"):
    os.kill(int(container.read_text()), signal.SIGTERM)
if words[0] in ("stop", "wait"):
    while container.exists():
        time.sleep(0.01)
