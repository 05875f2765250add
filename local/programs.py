"""The programs of one local cloud: how each is called, what it is told, what it needs first."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from local import atomic, marked
from local.probes import Probe, answering, at_once, listening, postgres_ready
from local.site import INSTANCE_GROUP, OWNER, PROJECT, REGION, TICK_TOPIC, Site
from local.supervisor import Program

# -P: what lies in the current directory must never be imported in place of a library.
PYTHON = (sys.executable, "-P")
SPOTMILL = (*PYTHON, "-m", "spotmill")
SERVICES = Path(__file__).parents[1] / "services"
HEALTH = "/_spotmill/health"

#: Settings of a real cloud in the user's shell that must not reach into this one.
FOREIGN = ("CLOUDSDK_", "DATABASE_URL", "GCE_METADATA_", "GCLOUD_", "GOOGLE_", "PUBSUB_", "STORAGE_EMULATOR_HOST")
LOOPBACK = "127.0.0.1,localhost"

JOBS = (
    ("tick", "* * * * *", '{"task": "tick"}'),
    ("reconcile", "17 3 * * *", '{"task": "reconcile"}'),
)

Environment = Mapping[str, str]

# Users of the servers end before the servers, then tasks that are still running; five seconds in all. The first take
# longest: VMs release what they hold.
USERS, SERVERS, TASKS = 2, 1, 0
PATIENCE_SECONDS = {USERS: 2.7, SERVERS: 1.9, TASKS: 0.1}


def base_environment(site: Site) -> dict[str, str]:
    """Return our own environment, less what points at other clouds; SPOTMILL_ variables of the shell stay and count."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    direct = ",".join(filter(None, (inherited.get("NO_PROXY") or inherited.get("no_proxy"), LOOPBACK)))
    return inherited | {"NO_PROXY": direct, "no_proxy": direct, "PYTHONUNBUFFERED": "1"} | marked.mark(site.data_dir)


def write_environments(site: Site, dev_user: str) -> dict[str, dict[str, str]]:
    """Write the file of each process (for VMs, it is the one they get), and return what is in them."""
    environments = {
        # Whoever is alone on a machine decides everything there.
        "web": site.environment("web")
        | {"SPOTMILL_DEV_USER": dev_user, "SPOTMILL_ADMINS": os.environ.get("SPOTMILL_ADMINS", dev_user)},
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


def programs(site: Site, dev_user: str) -> list[Program]:
    """All of them; the supervisor finds the order."""
    base, environments = base_environment(site), write_environments(site, dev_user)
    told = {name: base | values for name, values in environments.items()}
    return [*_servers(site, base), *_preparations(site, base), *_users(site, base), *_services(site, told)]


def _servers(site: Site, base: Environment) -> list[Program]:
    """What keeps data."""
    ports = site.ports

    def server(name: str, title: str, ready: Probe, *options: object) -> Program:
        arguments = _local(name, "--port", ports[name], "--data-dir", site.state_of(name), *options)
        return Program(name, title, arguments, base, ready=ready, layer=SERVERS)

    return [
        *_cable(site, base),
        server("postgres", "Postgres", postgres_ready(site.state_of("postgres"), ports["postgres"])),
        server("pubsub", "Pub/Sub", listening(ports["pubsub"])),
        server(
            "gcs",
            "Cloud Storage",
            answering(ports["gcs"], HEALTH, 200),
            *("--pubsub-host", site.pubsub_host, "--signer-key", site.signer_key),
        ),
    ]


def _cable(site: Site, base: Environment) -> list[Program]:
    """What breaks connections to Postgres on request, if that was asked for."""
    if not site.cable:
        return []
    ports = site.ports
    where = ("--port", ports["cable"], "--control-port", ports["cable_control"])
    cable = _local("cable", "--to", f"127.0.0.1:{ports['postgres']}", *where)
    ready = answering(ports["cable_control"], HEALTH, 200)
    return [Program("cable", "Cable", cable, base, ready=ready, layer=SERVERS)]


def _preparations(site: Site, base: Environment) -> list[Program]:
    """What a deployment does once; here it does nothing from the second start on."""

    def preparation(name: str, title: str, *after: str) -> Program:
        return Program(name, title, (*PYTHON, "-m", f"local.bootstrap.{name}", str(site.data_dir)), base, after)

    return [
        preparation("settings", "Settings"),
        preparation("database", "Database", "postgres", "settings"),
        preparation("cloud", "Buckets and topics", "pubsub", "gcs"),
    ]


def _users(site: Site, base: Environment) -> list[Program]:
    """What moves between the servers and our own services."""
    ports = site.ports
    triggers = [word for pair in site.trigger_names().items() for word in ("--set", "=".join(pair))]
    jobs = [word for name, when, body in JOBS for word in ("--job", f"{name}={when}:{TICK_TOPIC}:{body}")]
    compute = _local(
        "compute",
        *("--port", ports["compute"], "--data-dir", site.state_of("compute")),
        *("--project", PROJECT, "--region", REGION, "--group", INSTANCE_GROUP, "--max-size", site.max_workers),
        *("--vm-command", shlex.join((*SPOTMILL, "worker")), "--vm-env-file", environment_file(site, "worker")),
    )
    eventarc = _local(
        "eventarc",
        *("--port", ports["eventarc"], "--pubsub-host", site.pubsub_host, "--project", PROJECT, "--region", REGION),
        # Eventarc's own first wait is 10 s; nobody waits so long for a dispatcher on the same machine.
        *("--dispatcher-url", site.dispatcher_url, "--min-backoff", 1, "--max-backoff", 60, *triggers),
    )
    scheduler = _local("scheduler", "--pubsub-host", site.pubsub_host, "--project", PROJECT, *jobs)
    return [
        Program(
            "compute",
            "Compute",
            compute,
            base,
            ("database", "cloud"),
            ready=answering(ports["compute"], HEALTH, 200),
            layer=USERS,
        ),
        Program(
            "eventarc",
            "Eventarc",
            eventarc,
            base,
            ("pubsub",),
            ready=answering(ports["eventarc"], HEALTH, 200),
            layer=USERS,
        ),
        # Last: ticks are for the dispatcher and its login, and nobody who waits for the page waits for them.
        Program(
            "scheduler",
            "Scheduler",
            scheduler,
            base,
            ("dispatcher", "database", "cloud", "web"),
            ready=at_once,
            layer=USERS,
        ),
    ]


def _services(site: Site, told: Mapping[str, Environment]) -> list[Program]:
    """Our own, as their images start them, but on loopback.

    They load while Postgres starts, as they connect to it only when somebody asks them for something.
    """
    ports = site.ports
    bound = ("--bind", f"127.0.0.1:{ports['dispatcher']}")
    dispatcher = _gunicorn("dispatcher", *bound)
    web = _gunicorn("web")
    return [
        Program(
            "dispatcher",
            "Dispatcher",
            dispatcher,
            told["dispatcher"],
            ("pubsub",),
            ready=answering(ports["dispatcher"], "/health", 200),
            layer=USERS,
        ),
        Program(
            "web",
            "Web",
            web,
            told["web"],
            ("pubsub",),
            ready=answering(ports["web"], "/api/v1/health", 200),
            layer=USERS,
        ),
    ]


def _local(name: str, *options: object) -> tuple[str, ...]:
    return (*SPOTMILL, "local", name, *map(str, options))


def _gunicorn(service: str, *options: str) -> tuple[str, ...]:
    config = str(SERVICES / service / "gunicorn.conf.py")
    application = f"services.{service}.app:create_app()"
    return (*PYTHON, "-m", "gunicorn", "--config", config, "--graceful-timeout", "1", *options, application)


def local_environment(site: Site) -> dict[str, str]:
    """Return what ``local.env`` says: all that a client on this machine needs, as the owner of the database."""
    return site.environment(OWNER)
