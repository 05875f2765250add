"""The buckets: who may do what in them, and that browsers may send what the web service signs."""

import re
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from local.bootstrap import cloud
from services.web.backends import Backends
from services.web.shapes import NewUpload
from services.web.uploads import permit
from services.web.views import Person
from shared.objects import steps_prefix
from shared.settings import DispatcherSettings, WebSettings
from tests.terraform.conftest import Planner
from tests.terraform.terraform import REPOSITORY, Plan

MODULE = "modules/storage"
ORIGIN = "https://spotmill-web-123456789012.us-central1.run.app"
UPLOADS, RESULTS = "example-project-spotmill-uploads", "example-project-spotmill-results"
MEMBERS = {
    process: f"serviceAccount:{process}@example-project.iam.gserviceaccount.com"
    for process in ("dispatcher", "web", "worker")
}
SWEEPER = "projects/example-project/roles/spotmill_result_sweeper"
GIVEN = {
    "project": "example-project",
    "region": "us-central1",
    "web_origin": ORIGIN,
    "members": MEMBERS,
    "roles": {"result_sweeper": SWEEPER},
}
SCRIPTS = REPOSITORY / "services" / "web" / "static" / "js"


@pytest.fixture
def storage(plan: Planner) -> Plan:
    return plan(MODULE, **GIVEN)


def buckets(storage: Plan) -> dict[str, dict[str, Any]]:
    return {values["name"]: values for values in storage.of("google_storage_bucket").values()}


def grants(storage: Plan) -> set[tuple[str, str, str]]:
    return {(v["bucket"], v["member"], v["role"]) for v in storage.of("google_storage_bucket_iam_member").values()}


def rules(bucket: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return what each lifecycle rule does, and the conditions that are set."""
    return [
        (
            rule["action"][0]["type"],
            {name: value for name, value in rule["condition"][0].items() if value not in (None, [], False)},
        )
        for rule in bucket["lifecycle_rule"]
    ]


def headers(storage: Plan) -> set[str]:
    """Return what pages may send to the upload bucket, and read of its answers."""
    return {name.lower() for name in buckets(storage)[UPLOADS]["cors"][0]["response_header"]}


def test_names(storage: Plan) -> None:
    """The buckets are called after the project."""
    assert set(buckets(storage)) == {UPLOADS, RESULTS}
    assert storage.outputs == {"upload_bucket": UPLOADS, "result_bucket": RESULTS}


def test_project_of_a_domain(plan: Planner) -> None:
    """A project's colon and dots are not in a bucket's name, where they are forbidden or belong to a domain."""
    made = plan(MODULE, **GIVEN | {"project": "example.com:mill"})
    assert set(buckets(made)) == {"example-com-mill-spotmill-uploads", "example-com-mill-spotmill-results"}


@pytest.mark.parametrize("name", [UPLOADS, RESULTS])
def test_private(name: str, storage: Plan) -> None:
    """No object is public or has an access list of its own, and only what is empty can be destroyed."""
    bucket = buckets(storage)[name]
    assert bucket["public_access_prevention"] == "enforced"
    assert bucket["uniform_bucket_level_access"] is True
    assert bucket["force_destroy"] is False
    assert (bucket["location"], bucket["storage_class"]) == ("US-CENTRAL1", "STANDARD")


def test_who_may(storage: Plan) -> None:
    """Every process has what it calls, on its bucket, and nobody has more."""
    assert grants(storage) == {
        (UPLOADS, MEMBERS["web"], "roles/storage.objectCreator"),
        (UPLOADS, MEMBERS["dispatcher"], "roles/storage.objectViewer"),
        (UPLOADS, MEMBERS["worker"], "roles/storage.objectViewer"),
        (RESULTS, MEMBERS["web"], "roles/storage.legacyObjectReader"),
        (RESULTS, MEMBERS["dispatcher"], SWEEPER),
        (RESULTS, MEMBERS["worker"], "roles/storage.objectCreator"),
        (RESULTS, MEMBERS["worker"], "roles/storage.objectViewer"),
    }


def test_allowed_buckets(plan: Planner, storage: Plan) -> None:
    """In a bucket of another system, the dispatcher looks at objects and the workers read them."""
    assert grants(plan(MODULE, **GIVEN, allowed_buckets=["archive"])) - grants(storage) == {
        ("archive", MEMBERS["dispatcher"], "roles/storage.objectViewer"),
        ("archive", MEMBERS["worker"], "roles/storage.objectViewer"),
    }


def test_origins(storage: Plan) -> None:
    """Pages of the web service use the buckets, and no others."""
    assert [bucket["cors"][0]["origin"] for bucket in buckets(storage).values()] == [[ORIGIN], [ORIGIN]]


@pytest.mark.parametrize(("name", "local"), [(UPLOADS, cloud.UPLOAD_METHODS), (RESULTS, cloud.RESULT_METHODS)])
def test_cors_of_the_local_cloud(name: str, local: list[str], storage: Plan) -> None:
    """What browsers may do here is what they may do in the local cloud, where the pages are tested."""
    (cors,) = buckets(storage)[name]["cors"]
    assert set(cors["method"]) == set(local)
    assert set(cors["response_header"]) == {*cloud.EXPOSED_HEADERS, *cloud.UPLOAD_HEADERS}


@pytest.mark.parametrize("size", [1, 10**9])
def test_signed_headers(size: int, storage: Plan) -> None:
    """A page may send every header of a permission to upload, small or large, by the method that goes with it."""
    settings = WebSettings.model_construct(upload_bucket=UPLOADS)
    signer = SimpleNamespace(upload=lambda *_, **__: "https://storage.example/")
    backends = cast(Backends, SimpleNamespace(settings=settings, links=SimpleNamespace(signer=signer)))
    wish = NewUpload(filename="talk.wav", content_type="audio/wav", size=size, pipeline="audio")
    ticket = permit(wish, Person("ann@example.com", admin=False), backends)
    assert {name.lower() for name in ticket.headers} <= headers(storage)
    assert ticket.method in buckets(storage)[UPLOADS]["cors"][0]["method"]


def test_headers_of_the_page(storage: Plan) -> None:
    """A page may send and read every header that its scripts name when they talk to Cloud Storage."""
    code = "".join((SCRIPTS / name).read_text() for name in ("storage.js", "transfer.js"))
    read = set(re.findall(r'\.header\("([\w-]+)"\)', code))
    sent = set(re.findall(r'headers: \{ "?([\w-]+)"?:', code))
    assert "Location" in read
    assert "Content-Range" in sent
    assert {name.lower() for name in read | sent} <= headers(storage)


def test_methods_of_the_page(storage: Plan) -> None:
    """A page may send every request that its scripts make."""
    methods = set(re.findall(r'\bsend\("([A-Z]+)"', (SCRIPTS / "storage.js").read_text()))
    assert methods == {"PUT", "DELETE"}  # and the method of the permission, see above
    assert methods <= set(buckets(storage)[UPLOADS]["cors"][0]["method"])


def test_lifecycle(storage: Plan) -> None:
    """Unfinished uploads and old generations go by themselves, and so do steps that were forgotten."""
    unfinished = ("AbortIncompleteMultipartUpload", {"age": 7})
    replaced = ("Delete", {"days_since_noncurrent_time": 30, "with_state": "ARCHIVED"})
    steps = ("Delete", {"age": 60, "matches_prefix": ["steps/"]})
    assert rules(buckets(storage)[UPLOADS]) == [unfinished, replaced]
    assert rules(buckets(storage)[RESULTS]) == [unfinished, replaced, steps]


def test_steps_are_kept_for_a_retry(storage: Plan) -> None:
    """The rule for steps is about those of the workers, and later than the dispatcher's own."""
    (steps,) = [condition for _, condition in rules(buckets(storage)[RESULTS]) if "matches_prefix" in condition]
    assert [steps_prefix(UUID(int=0)).startswith(prefix) for prefix in steps["matches_prefix"]] == [True]
    assert steps["age"] > DispatcherSettings.model_fields["steps_retention_days"].default


@pytest.mark.parametrize(("days", "seconds"), [(7, 604800), (30, 2592000), (0, 0)])
def test_soft_delete(days: int, seconds: int, plan: Planner) -> None:
    """What was deleted can be had back for a week unless told otherwise."""
    made = plan(MODULE, **GIVEN, soft_delete_days=days) if days != 7 else plan(MODULE, **GIVEN)
    policies = [bucket["soft_delete_policy"] for bucket in buckets(made).values()]
    assert [[policy["retention_duration_seconds"] for policy in one] for one in policies] == [[seconds], [seconds]]


@pytest.mark.parametrize("versioning", [False, True])
def test_versioning(versioning: bool, plan: Planner) -> None:
    """Versioning is on for both buckets or for none."""
    made = plan(MODULE, **GIVEN, versioning=versioning)
    assert [bucket["versioning"] for bucket in buckets(made).values()] == [[{"enabled": versioning}]] * 2


def test_for_good(plan: Planner) -> None:
    """`make destroy` can be told to take the files with it."""
    made = plan(MODULE, **GIVEN, force_destroy=True)
    assert [bucket["force_destroy"] for bucket in buckets(made).values()] == [True, True]
