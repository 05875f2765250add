"""Taking it all away: nothing that costs anything stays."""

from typing import Any

from deploy.images import IMAGES, recall
from deploy.programs import FailedError, gcloud, run, say
from deploy.project import fetch_variables
from deploy.target import Target
from deploy.terraform import Terraform

#: Stands in for images of a deployment that never came to have any: a destroy starts none.
_NONE = dict.fromkeys(IMAGES, f"none-docker.pkg.dev/none/none@sha256:{'0' * 64}")


def destroy(target: Target, terraform: Terraform) -> None:
    """Delete everything that a deployment made, with all uploads, results and the database."""
    images = recall(target) or _NONE
    protected: dict[str, Any] = {"force_destroy": True, "unprotected": True}
    if not fetch_variables(target):
        protected["people"] = []
    terraform.init()
    say("Opening what is protected against deletion")
    terraform.apply(images, only=["module.database", "module.storage"], **protected)
    say("Deleting")
    terraform.destroy(images, only=["module.database"], **protected)
    _cut_peering(target)
    terraform.destroy(images, **protected)
    run(gcloud("storage", "rm", "--recursive", f"gs://{target.state_bucket}"))
    say("Gone. Enabled APIs stay enabled, and cost nothing; so do logs until their retention is over (30 days).")


def _cut_peering(target: Target) -> None:
    """End our side of the connection to Cloud SQL, which keeps its own for days and the network with it."""
    try:
        run(
            gcloud(
                "compute", "networks", "peerings", "delete", "servicenetworking-googleapis-com",
                f"--network={target.name}", f"--project={target.project}",
            )
        )  # fmt: skip
    except FailedError:
        say("  The network has no peering any more.")
