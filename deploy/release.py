"""From images to a running mill: schema first, then services, then what Terraform cannot say, then proof."""

from collections.abc import Mapping
from typing import Any

from deploy.programs import FailedError, ask, gcloud, run, say
from deploy.target import Target
from deploy.terraform import Terraform

#: Seconds that Eventarc's subscriptions wait for an answer; 10 by default, the longest is 600. A push that takes longer
#: is sent again while the first is still at work.
ACK_DEADLINE_SECONDS = 600


def release(target: Target, terraform: Terraform, images: Mapping[str, str]) -> dict[str, Any]:
    """Bring these images into service; return Terraform's outputs."""
    say("Database and migration: the first time this takes about a quarter of an hour")
    terraform.apply(images, only=["module.database", "module.services.google_cloud_run_v2_job.this"])
    awake = not is_stopped(target)
    if awake:
        _execute(target, f"{target.name}-migrate")
    say("Everything else")
    terraform.apply(images)
    outputs = terraform.outputs()
    if awake:
        _execute(target, f"{target.name}-pipelines")
        _copy_models(target)
    patience(target, outputs)
    if awake:
        say("Looking for objects that came before their triggers, or while the database was stopped")
        schedule = f"{target.name}-reconcile"
        run(gcloud("scheduler", "jobs", "run", schedule, f"--project={target.project}", f"--location={target.region}"))
    return outputs


def is_stopped(target: Target) -> bool:
    """Tell whether the database is stopped on purpose: then nothing can be migrated, nor tried."""
    policy = ask(
        gcloud(
            "sql", "instances", "describe", target.name, f"--project={target.project}",
            "--format=value(settings.activationPolicy)",
        )
    )  # fmt: skip
    return policy == "NEVER"


def _execute(target: Target, job: str) -> None:
    say(f"Running the job {job}")
    try:
        run(gcloud("run", "jobs", "execute", job, f"--project={target.project}", f"--region={target.region}", "--wait"))
    except FailedError:
        say(f"  Its log: gcloud logging read 'resource.labels.job_name={job}' --project={target.project} --limit=50")
        raise


def _copy_models(target: Target) -> None:
    """Copy the hub's models into the bucket; what needs none of them works without, so a failure ends nothing."""
    try:
        _execute(target, f"{target.name}-models")
    except FailedError:
        say("  WARNING: a model was not copied. Unless an older copy is there, jobs that need it will fail.")
        say("  See its log, and deploy again; everything else goes on.")


def patience(target: Target, outputs: Mapping[str, Any]) -> None:
    """Give the dispatcher longer than 10 s for an event, which Terraform cannot say of subscriptions of Eventarc."""
    subscriptions = sorted(filter(None, outputs["transport_subscriptions"].values()))
    if len(subscriptions) < len(outputs["transport_subscriptions"]):
        listed = ask(
            gcloud(
                "eventarc", "triggers", "list", f"--project={target.project}", f"--location={target.region}",
                f"--filter=name~/{target.name}-", "--format=value(transport.pubsub.subscription)",
            )
        )  # fmt: skip
        subscriptions = sorted({*subscriptions, *listed.split()})
    for subscription in subscriptions:
        run(
            gcloud(
                "pubsub", "subscriptions", "update", subscription, f"--project={target.project}",
                f"--ack-deadline={ACK_DEADLINE_SECONDS}",
            )
        )  # fmt: skip
