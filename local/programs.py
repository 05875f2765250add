"""The programs of one local cloud: how each is called, what it is told, what it needs first."""

import os
import shlex
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from local import atomic, marked
from local.probes import answering, at_once, listening, postgres_ready
from local.site import INSTANCE_GROUP, OWNER, PROJECT, REGION, TICK_TOPIC, Site
from local.supervisor import Program

# -P: what lies in the current directory must never be imported in place of a library.
PYTHON = (sys.executable, "-P")
SPOTMILL = (*PYTHON, "-m", "spotmill")
DISPATCHER_SOURCE = Path(__file__).parents[1] / "services" / "dispatcher" / "main.py"

#: Settings of a real cloud in the user's shell that must not reach into this one.
FOREIGN = ("CLOUDSDK_", "DATABASE_URL", "GCE_METADATA_", "GCLOUD_", "GOOGLE_", "PUBSUB_", "STORAGE_EMULATOR_HOST")
LOOPBACK = "127.0.0.1,localhost"

JOBS = (
    ("tick", "* * * * *", '{"task": "tick"}'),
    ("reconcile", "17 3 * * *", '{"task": "reconcile"}'),
)

# Users of the servers end before the servers.
USERS, SERVERS = 2, 1


def base_environment(site: Site) -> dict[str, str]:
    """Return our own environment, less what points at other clouds; SPOTMILL_ variables of the shell stay and count."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    direct = ",".join(filter(None, (inherited.get("NO_PROXY") or inherited.get("no_proxy"), LOOPBACK)))
    return inherited | {"NO_PROXY": direct, "no_proxy": direct, "PYTHONUNBUFFERED": "1"} | marked.mark(site.data_dir)


def write_environments(site: Site, dev_user: str) -> dict[str, dict[str, str]]:
    """Write the file of each process (for VMs, it is the one they get), and return what is in them."""
    environments = {
        "web": site.environment("web") | {"SPOTMILL_DEV_USER": dev_user},
        "dispatcher": site.environment("dispatcher"),
        "worker": site.environment("worker"),
    }
    for name, values in environments.items():
        atomic.write(environment_file(site, name), env_lines(values))
    return environments


def environment_file(site: Site, name: str) -> Path:
    return site.data_dir / "env" / f"{name}.env"


def env_lines(values: dict[str, str]) -> str:
    """``KEY=VALUE`` lines, unquoted, as Docker and Compose read them."""
    return "".join(f"{name}={value}\n" for name, value in values.items())


def gunicorn(port: int, threads: int, application: str) -> tuple[str, ...]:
    """Return the command that serves a WSGI application with one process and several threads."""
    options = f"--bind 127.0.0.1:{port} --workers 1 --threads {threads} --worker-class gthread --keep-alive 75"
    return (*PYTHON, "-m", "gunicorn", *options.split(), "--graceful-timeout", "1", "--no-control-socket", application)


def programs(site: Site, dev_user: str) -> list[Program]:
    """All of them; the supervisor finds the order."""
    base, ports = base_environment(site), site.ports
    environments = write_environments(site, dev_user)
    function = f"target='dispatch', source={str(DISPATCHER_SOURCE)!r}, signature_type='cloudevent'"
    triggers = [word for pair in site.trigger_names().items() for word in ("--set", "=".join(pair))]
    jobs = [word for name, when, body in JOBS for word in ("--job", f"{name}={when}:{TICK_TOPIC}:{body}")]

    def local(name: str, *options: object) -> tuple[str, ...]:
        return (*SPOTMILL, "local", name, *map(str, options))

    def at(name: str) -> tuple[object, ...]:
        return ("--port", ports[name], "--data-dir", site.state_of(name))

    return _present(
        [
            Program(
                "postgres",
                "Postgres",
                local("postgres", *at("postgres")),
                base,
                ready=postgres_ready(site.state_of("postgres"), ports["postgres"]),
                layer=SERVERS,
            ),
            Program(
                "pubsub",
                "Pub/Sub",
                local("pubsub", *at("pubsub")),
                base,
                ready=listening(ports["pubsub"]),
                layer=SERVERS,
            ),
            Program(
                "gcs",
                "Cloud Storage",
                local("gcs", *at("gcs"), "--pubsub-host", site.pubsub_host, "--signer-key", site.signer_key),
                base,
                ready=answering(ports["gcs"], "/_spotmill/health", 200),
                layer=SERVERS,
            ),
            Program(
                "database",
                "Database schema",
                (*PYTHON, "-m", "local.bootstrap.database", str(site.data_dir)),
                base,
                after=("postgres",),
            ),
            Program(
                "cloud",
                "Buckets and topics",
                (*PYTHON, "-m", "local.bootstrap.cloud", str(site.data_dir)),
                base,
                after=("pubsub", "gcs"),
            ),
            Program(
                "pipelines",
                "Pipelines",
                (*SPOTMILL, "pipelines", "sync"),
                base | site.environment("worker"),
                after=("database",),
            ),
            Program(
                "compute",
                "Compute",
                local(
                    "compute",
                    *at("compute"),
                    *("--project", PROJECT, "--region", REGION, "--group", INSTANCE_GROUP),
                    *("--max-size", site.max_workers),
                    *("--vm-command", shlex.join((*SPOTMILL, "worker"))),
                    *("--vm-env-file", environment_file(site, "worker")),
                ),
                base,
                after=("database", "cloud"),
                ready=answering(ports["compute"], "/_spotmill/health", 200),
                layer=USERS,
                patience_seconds=3.0,
            ),
            Program(
                "dispatcher",
                "Dispatcher",
                gunicorn(ports["dispatcher"], 8, f"functions_framework:create_app({function})"),
                base | environments["dispatcher"],
                after=("database",),
                ready=answering(ports["dispatcher"], "/", 200, 405),
                layer=USERS,
            ),
            Program(
                "eventarc",
                "Eventarc",
                local(
                    "eventarc",
                    *("--port", ports["eventarc"], "--pubsub-host", site.pubsub_host),
                    *("--dispatcher-url", site.dispatcher_url, "--project", PROJECT, "--region", REGION),
                    # Eventarc's own first wait is 10 s; nobody waits so long for a dispatcher on the same machine.
                    *("--min-backoff", 1, "--max-backoff", 60),
                    *triggers,
                ),
                base,
                after=("pubsub",),
                ready=answering(ports["eventarc"], "/_spotmill/health", 200),
                layer=USERS,
            ),
            Program(
                "scheduler",
                "Scheduler",
                local("scheduler", "--pubsub-host", site.pubsub_host, "--project", PROJECT, *jobs),
                base,
                after=("cloud",),
                ready=at_once,
                layer=USERS,
            ),
            Program(
                "web",
                "Web",
                gunicorn(ports["web"], 16, "services.web.app:create_app()"),
                base | environments["web"],
                after=("database",),
                ready=answering(ports["web"], "/api/v1/health", 200),
                layer=USERS,
            ),
        ]
    )


def _present(found: list[Program]) -> list[Program]:
    modules = {"gcs": "local.gcs.server", "pipelines": "worker.registry", "web": "services.web.app"}
    missing = {name for name, module in modules.items() if find_spec(module) is None}
    return [replace(p, after=tuple(set(p.after) - missing)) for p in found if p.name not in missing]


def local_environment(site: Site) -> dict[str, str]:
    """Return what ``local.env`` says: all that a client on this machine needs, as the owner of the database."""
    return site.environment(OWNER)
