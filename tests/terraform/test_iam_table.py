"""Who may do what, as an exact table: ``terraform/iam.yaml`` against the plan."""

from tests.terraform.conftest import Planner
from tests.terraform.deployments import EVERYTHING, SMALLEST
from tests.terraform.grants import planned, planned_roles, written, written_roles
from tests.terraform.terraform import Plan

#: The variables that make grants of their own.
_OPTIONS = (
    "allowed_buckets",
    "github",
    "image_readers",
    "image_taggers",
    "ingest_publishers",
    "language_model",
    "models",
    "secrets",
)


def test_grants(smallest: Plan) -> None:
    """The defaults grant what the table says, and nothing else."""
    assert planned(smallest) == written(options=False)


def test_grants_of_options(plan: Planner) -> None:
    """Options grant what the table says besides, and nothing else."""
    widest = plan("", **SMALLEST, **{name: EVERYTHING[name] for name in _OPTIONS})
    assert planned(widest) == written(options=True)


def test_no_other_option_grants(plan: Planner) -> None:
    """No option but those of the table grants anybody anything."""
    others = {name: value for name, value in EVERYTHING.items() if name not in (*_OPTIONS, *SMALLEST, "name", "region")}
    kept = ("upload_bucket", "result_bucket", "workers")  # they rename what is granted, or want an image besides
    wide = plan("", **SMALLEST, **{name: value for name, value in others.items() if name not in kept})
    assert planned(wide) == written(options=False)


def test_custom_roles(smallest: Plan) -> None:
    """Custom roles have the permissions of the table, and those that no option grants are all held by somebody."""
    assert planned_roles(smallest) == written_roles()
    for plan, options in ((planned(smallest), False), (written(options=True), True)):
        held = {grant.role for grant in plan if grant.role.startswith("projects/")}
        assert set(written_roles()) - held == (set() if options else {"projects/mill/roles/spotmill_model_asker"})


def test_workers_hold_no_compute_role(smallest: Plan) -> None:
    """A worker, which runs what strangers upload, can touch no VM, its own included."""
    permissions = planned_roles(smallest)
    held = [grant.role for grant in planned(smallest) if "-worker@" in grant.member]
    assert held
    for role in held:
        assert "compute" not in role
        assert not [permission for permission in permissions.get(role, []) if permission.startswith("compute.")]


def test_nobody_reads_all_secrets(smallest: Plan) -> None:
    """Secrets are handed out one by one: nobody may read those of the whole project."""
    for grant in planned(smallest):
        assert not (grant.type == "project" and "secret" in grant.role and "secret_granter" not in grant.role)
