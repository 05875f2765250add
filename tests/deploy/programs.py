"""Stand-ins for gcloud and terraform: they note what they are asked, answer as the real ones do, and fail on demand."""

import json
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIGEST = "sha256:" + "a" * 64
#: The words of a command that say which project it is about.
PROJECT = ("--project", "my-mill")

_SCRIPT = f"""#!{sys.executable} -SE
import json, os, re, sys
from pathlib import Path

folder = Path(os.environ["STAND_IN"])
program = Path(sys.argv[0]).name
call = " ".join([program, *sys.argv[1:]])
token = os.environ.get("GOOGLE_OAUTH_ACCESS_TOKEN", "")
with (folder / "calls").open("a") as calls:
    said = {{"call": call, "argv": [program, *sys.argv[1:]], "token": token}}
    calls.write(json.dumps(said | {{"data_dir": os.environ.get("TF_DATA_DIR", "")}}) + "\\n")
for rule in json.loads((folder / "rules.json").read_text()):
    if not re.search(rule["when"], call):
        continue
    seen = folder / f"seen-{{rule['id']}}"
    times = int(seen.read_text()) if seen.exists() else 0
    if rule["times"] is not None and times >= rule["times"]:
        continue
    seen.write_text(str(times + 1))
    sys.stderr.write(rule["error"])
    sys.stdout.write(rule["output"])
    sys.exit(rule["status"])
"""


@dataclass(frozen=True)
class Call:
    """One call: all of it in one line, word by word, the token that it had, and Terraform's working directory."""

    text: str
    argv: list[str]
    token: str
    data_dir: str


class StandIns:
    """Puts both programs into a folder for PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rules: list[dict[str, Any]] = []
        for name in ("gcloud", "terraform"):
            program = folder / name
            program.write_text(_SCRIPT)
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self._write()

    @property
    def environment(self) -> dict[str, str]:
        """What finds them."""
        return {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", "STAND_IN": str(self.folder)}

    def answer(
        self, when: str, output: str = "", *, error: str = "", status: int = 0, times: int | None = None
    ) -> None:
        """Answer calls that match from now on (the latest rule first), at most so many times."""
        rule = {"when": when, "output": output, "error": error, "status": status, "times": times}
        self._rules.insert(0, rule | {"id": len(self._rules)})
        self._write()

    def fail(self, when: str, error: str, times: int | None = None) -> None:
        """Let calls that match fail."""
        self.answer(when, error=error, status=1, times=times)

    def calls(self, pattern: str = "") -> list[Call]:
        """What was asked, in order."""
        file = self.folder / "calls"
        said = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [Call(c["call"], c["argv"], c["token"], c["data_dir"]) for c in said if re.search(pattern, c["call"])]

    def position(self, pattern: str) -> int:
        """Where in the order of all calls the first of this kind stands."""
        first = self.calls(pattern)[0]
        return next(place for place, call in enumerate(self.calls()) if call.text == first.text)

    def _write(self) -> None:
        (self.folder / "rules.json").write_text(json.dumps(self._rules))
