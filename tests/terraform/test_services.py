"""Cloud Run: what the programs are told is what they read, and who reaches them."""

import re
from typing import Any

import pytest
from pydantic import AliasChoices

from shared.settings import (
    DatabaseSettings,
    DispatcherSettings,
    MigrationSettings,
    Settings,
    WebSettings,
    WorkerSettings,
)
from tests.terraform.deployments import EVERYTHING
from tests.terraform.terraform import PROJECT_NUMBER, REPOSITORY, Plan

_KINDS: dict[str, type[DatabaseSettings]] = {
    "web": WebSettings,
    "dispatcher": DispatcherSettings,
    "migrate": MigrationSettings,
    "models": WorkerSettings,
    "pipelines": Settings,
    "worker": WorkerSettings,
}


def containers(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the containers of services and jobs by the last part of their name."""
    found = {s["name"]: s["template"][0]["containers"][0] for s in plan.of("google_cloud_run_v2_service").values()}
    jobs = plan.of("google_cloud_run_v2_job").values()
    found |= {job["name"]: job["template"][0]["template"][0]["containers"][0] for job in jobs}
    return {name.rsplit("-", 1)[1]: container for name, container in found.items()}


def environments(plan: Plan) -> dict[str, dict[str, str]]:
    """Return what each program finds in its environment; a secret is its version."""
    found = {
        program: {
            env["name"]: env["value"] or env["value_source"][0]["secret_key_ref"][0]["version"]
            if env["value_source"]
            else env["value"] or ""
            for env in container["env"]
        }
        for program, container in containers(plan).items()
    }
    (template,) = plan.of("google_compute_region_instance_template").values()
    lines = re.findall(r"^ +([A-Z][A-Z0-9_]*)=(.*)$", template["metadata"]["user-data"], re.MULTILINE)
    return found | {"worker": {name: value for name, value in lines if name.startswith(("SPOTMILL_", "GOOGLE_"))}}


def known(kind: type[DatabaseSettings]) -> set[str]:
    """Return the environment variables that a process reads."""
    names = set()
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        names.add(str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"SPOTMILL_{name.upper()}")
    return names


@pytest.mark.parametrize("program", sorted(_KINDS))
def test_no_setting_is_misspelt(program: str, smallest: Plan, everything: Plan) -> None:
    """A program is told nothing that it does not read, but for secrets, which pipelines read."""
    # The job reads less than the workers, whose environment it has.
    readable = known(WorkerSettings if program == "pipelines" else _KINDS[program])
    assert set(environments(smallest)[program]) <= readable
    assert set(environments(everything)[program]) - set(EVERYTHING["secrets"]) <= readable


@pytest.mark.parametrize("program", sorted(_KINDS))
def test_the_programs_would_start(
    program: str, smallest: Plan, everything: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it is told, every program finds all its settings, and all of them right."""
    for plan in (smallest, everything):
        with monkeypatch.context() as environment:
            for name, value in environments(plan)[program].items():
                environment.setenv(name, value)
            settings = _KINDS[program]()
        assert settings.database_url is None
        assert settings.database_instance == plan.outputs["database_instance"]


def test_processes_agree(smallest: Plan) -> None:
    """What several programs are told, they are told alike; only who they are differs."""
    told = environments(smallest)
    for program in ("dispatcher", "models", "pipelines", "worker"):
        same = set(told["web"]) & set(told[program]) - {"SPOTMILL_DATABASE_USER"}
        assert {name: told[program][name] for name in same} == {name: told["web"][name] for name in same}
    users = {program: environment["SPOTMILL_DATABASE_USER"] for program, environment in told.items()}
    assert users == {
        "web": "spotmill-web@mill.iam",
        "dispatcher": "spotmill-dispatcher@mill.iam",
        "worker": "spotmill-worker@mill.iam",
        "models": "spotmill-worker@mill.iam",
        "pipelines": "spotmill-worker@mill.iam",
        "migrate": "spotmill-migrator@mill.iam",
    }


def test_web_knows_its_address(smallest: Plan, everything: Plan) -> None:
    """The web service knows the address that people use and the audience that IAP signs for."""
    web = environments(smallest)["web"]
    assert web["SPOTMILL_WEB_URL"] == f"https://spotmill-web-{PROJECT_NUMBER}.us-central1.run.app"
    assert web["SPOTMILL_IAP_AUDIENCE"] == f"/projects/{PROJECT_NUMBER}/locations/us-central1/services/spotmill-web"
    assert web["SPOTMILL_SIGNER_EMAIL"] == "spotmill-web@mill.iam.gserviceaccount.com"
    assert "SPOTMILL_DEV_USER" not in web
    assert environments(everything)["web"]["SPOTMILL_WEB_URL"] == "https://mill.example.com"
    assert environments(everything)["web"]["SPOTMILL_ADMINS"] == "ann@example.com,bob@example.com"


def test_a_form_fits_into_a_request(smallest: Plan) -> None:
    """The largest file of a form, with a margin for the form itself, is below the 32 MiB that Cloud Run takes."""
    assert int(environments(smallest)["web"]["SPOTMILL_FORM_UPLOAD_MAX_BYTES"]) <= 31 * 1024**2


def test_the_migration_lets_the_processes_in(smallest: Plan) -> None:
    """The migration job owns the schema as a role that outlives it, and gives each process the rights of its own."""
    job = environments(smallest)["migrate"]
    assert job["SPOTMILL_DATABASE_OWNER"] == "cloudsqlsuperuser"
    assert job["SPOTMILL_DATABASE_GRANTS"] == ",".join(
        f"{process}=spotmill-{process}@mill.iam" for process in ("web", "dispatcher", "worker")
    )


def test_commands(smallest: Plan) -> None:
    """Services run as their image says, jobs what a deployment wants of them."""
    run = containers(smallest)
    assert {program: (container["command"], container["args"]) for program, container in run.items()} == {
        "web": (None, None),
        "dispatcher": (None, None),
        "migrate": (["spotmill"], ["migrate"]),
        "models": (None, ["models", "sync"]),
        "pipelines": (None, ["pipelines", "sync"]),
    }
    images = {program: container["image"].split("/")[-1].split("@")[0] for program, container in run.items()}
    assert images == {
        "web": "web",
        "dispatcher": "dispatcher",
        "migrate": "dispatcher",
        "models": "worker",
        "pipelines": "worker",
    }


def test_accounts(smallest: Plan) -> None:
    """Every program has the account of its process."""
    services = {
        s["name"]: s["template"][0]["service_account"] for s in smallest.of("google_cloud_run_v2_service").values()
    }
    jobs = smallest.of("google_cloud_run_v2_job").values()
    services |= {job["name"]: job["template"][0]["template"][0]["service_account"] for job in jobs}
    assert {name: account.split("@")[0] for name, account in services.items()} == {
        "spotmill-web": "spotmill-web",
        "spotmill-dispatcher": "spotmill-dispatcher",
        "spotmill-migrate": "spotmill-migrator",
        "spotmill-models": "spotmill-worker",
        "spotmill-pipelines": "spotmill-worker",
    }


def test_limits(smallest: Plan, everything: Plan) -> None:
    """Services have limits on instances, memory and time, and probes that ask for their health."""
    for plan, most in ((smallest, {"web": 2, "dispatcher": 3}), (everything, {"web": 5, "dispatcher": 5})):
        for service in plan.of("google_cloud_run_v2_service").values():
            process = service["name"].rsplit("-", 1)[1]
            (template,) = service["template"]
            (container,) = template["containers"]
            assert service["scaling"][0]["max_instance_count"] == most[process]
            assert template["scaling"][0]["max_instance_count"] == most[process]
            assert template["execution_environment"] == "EXECUTION_ENVIRONMENT_GEN2"
            assert container["resources"][0]["limits"] == {"cpu": "1", "memory": "512Mi"}
            assert template["timeout"] == {"web": "120s", "dispatcher": "3600s"}[process]
            for probe in ("startup_probe", "liveness_probe"):
                assert container[probe][0]["http_get"][0]["path"] == "/health"


def test_concurrency_is_what_the_servers_have_threads_for(smallest: Plan) -> None:
    """No request waits inside an instance while another instance could take it."""
    concurrency = {
        s["name"]: s["template"][0]["max_instance_request_concurrency"]
        for s in smallest.of("google_cloud_run_v2_service").values()
    }
    assert concurrency == {"spotmill-web": _threads("web"), "spotmill-dispatcher": _threads("dispatcher")}


def _threads(service: str) -> int:
    text = (REPOSITORY / "services" / service / "gunicorn.conf.py").read_text()
    found = re.search(r"^threads = (\d+)$", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_only_private_addresses_go_through_the_network(smallest: Plan) -> None:
    """The way to the database is the VPC network; Google's APIs are reached without it."""
    services = [s["template"][0] for s in smallest.of("google_cloud_run_v2_service").values()]
    jobs = [job["template"][0]["template"][0] for job in smallest.of("google_cloud_run_v2_job").values()]
    assert {program["vpc_access"][0]["egress"] for program in services + jobs} == {"PRIVATE_RANGES_ONLY"}


def test_ways_in(smallest: Plan) -> None:
    """People come through IAP to the web service, events from inside to the dispatcher, and nobody comes otherwise."""
    ways = {s["name"]: (s["ingress"], s["iap_enabled"]) for s in smallest.of("google_cloud_run_v2_service").values()}
    assert ways == {
        "spotmill-web": ("INGRESS_TRAFFIC_ALL", True),
        "spotmill-dispatcher": ("INGRESS_TRAFFIC_INTERNAL_ONLY", False),
    }
    for service in smallest.of("google_cloud_run_v2_service").values():
        assert not service["invoker_iam_disabled"]


def test_secrets_are_mounted_by_version(everything: Plan) -> None:
    """Each program gets the secrets that name it, in the version that the plan says."""
    told = environments(everything)
    assert {program for program, environment in told.items() if "SPOTMILL_HOOK_SECRET" in environment} == {
        "web",
        "dispatcher",
    }
    assert {program for program, found in told.items() if "OPENAI_API_KEY" in found} == {"models", "pipelines"}
    assert told["pipelines"]["OPENAI_API_KEY"] == "3"
    (template,) = everything.of("google_compute_region_instance_template").values()
    assert "OPENAI_API_KEY projects/mill/secrets/openai/versions/3" in template["metadata"]["user-data"]
