"""What must be there before Terraform can begin: a project with billing, a few APIs, agents, the state's bucket."""

import json
import re

from deploy.images import read_note, recall
from deploy.programs import PAUSES, DeployError, FailedError, ask, gcloud, pause, run, say
from deploy.target import FREE_REGIONS, Target, region_in

#: What the last deployment was made with, noted beside the state.
_VARIABLES = "variables.tfvars"
#: Terraform enables the rest.
_APIS = (
    "artifactregistry",
    "cloudbilling",
    "cloudbuild",
    "cloudresourcemanager",
    "eventarc",
    "iam",
    "iap",
    "pubsub",
    "run",
    "serviceusage",
    "storage",
)
#: Google makes these accounts on first use, which is too late for the grants that name them.
_AGENTS = ("eventarc", "iap", "pubsub", "run")

#: What an API answers that was enabled a moment ago.
_NOT_YET = r"PERMISSION_DENIED|SERVICE_DISABLED|has not been used|not enabled|UNAVAILABLE|\b503\b"


def check_sign_in(target: Target) -> str:
    """Return the e-mail that gcloud is signed in with.

    Raises:
        DeployError: it is not, or the project is not to be seen, or has no billing.
    """
    signed_in = ask(gcloud("auth", "list", "--filter=status:ACTIVE", "--format=value(account)"))
    account = signed_in.partition("\n")[0]
    if not account:
        raise DeployError("gcloud is not signed in: run `gcloud auth login`.")
    try:
        ask(gcloud("projects", "describe", target.project, "--format=value(projectNumber)"))
    except FailedError as error:
        raise DeployError(
            f"{account} cannot see the project {target.project}: {error.output.strip() or error}"
        ) from None
    if not billing_account(target):
        raise DeployError(
            f"The project {target.project} has no billing account: "
            f"gcloud billing projects link {target.project} --billing-account=ACCOUNT"
        )
    return account


def billing_account(target: Target) -> str:
    """Return the id of the account that pays for the project; empty if none does."""
    name = ask(gcloud("billing", "projects", "describe", target.project, "--format=value(billingAccountName)"))
    return name.removeprefix("billingAccounts/")


def enable_apis(target: Target) -> None:
    """Enable the APIs that deploying itself needs."""
    services = [f"{name}.googleapis.com" for name in _APIS]
    run(gcloud("services", "enable", *services, f"--project={target.project}"))


def make_agents(target: Target) -> None:
    """Make the service agents that grants name; an agent that is there already stays."""
    for name in _AGENTS:
        for seconds in (*PAUSES, None):
            try:
                run(
                    gcloud(
                        "beta", "services", "identity", "create",
                        f"--service={name}.googleapis.com", f"--project={target.project}",
                    )
                )  # fmt: skip
            except FailedError as error:
                if seconds is None or not re.search(_NOT_YET, error.output):
                    raise
                say(f"  The API has just been enabled; trying again in {seconds} s.")
                pause(seconds)
            else:
                break


def make_state_bucket(target: Target) -> None:
    """Make the bucket of Terraform's state, with the versions that a person needs if a state is ever broken."""
    bucket = f"gs://{target.state_bucket}"
    try:
        ask(gcloud("storage", "buckets", "describe", bucket, "--format=value(name)"))
    except FailedError:
        run(
            gcloud(
                "storage", "buckets", "create", bucket, f"--project={target.project}", f"--location={target.region}",
                "--uniform-bucket-level-access", "--public-access-prevention",
            )
        )  # fmt: skip
    run(gcloud("storage", "buckets", "update", bucket, "--versioning"))


def settle_variables(target: Target, account: str) -> None:
    """See that there is a file of variables: this checkout's, the one last deployed, or, the first time, a new one.

    Raises:
        DeployError: something runs already, and nobody knows with which; or it runs somewhere else.
    """
    file = target.variables
    if not fetch_variables(target):
        if recall(target) is not None:
            raise DeployError(f"{file} is missing, and something is deployed already: bring it here, or write it anew.")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_first_variables(target, account), encoding="utf-8")
        say(f"Wrote {file}: who may do what. Change it and deploy again as you like.")
    run(gcloud("storage", "cp", str(file), target.note(_VARIABLES)))


def fetch_variables(target: Target) -> bool:
    """Have the variables of the last deployment, if this checkout has none; tell whether there are any.

    Raises:
        DeployError: they say that it is in another region than the one that was taken for it without them.
    """
    file = target.variables
    if not file.exists() and (text := read_note(target, _VARIABLES)) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
        say(f"Fetched {file} from the last deployment.")
        if (there := region_in(file)) not in (None, target.region):
            raise DeployError(f"{target.project} is in {there}, not in {target.region}: run it again, without REGION.")
    return file.exists()


def _first_variables(target: Target, account: str) -> str:
    # A service account opens no pages.
    person = not account.endswith(".gserviceaccount.com")
    emails = json.dumps([account] if person else [])
    anywhere = "" if target.region in FREE_REGIONS else "allow_any_region = true\n"
    return f"""# Everything is there. It cannot be moved.
region = "{target.region}"
{anywhere}
# Who may open the pages (user:…, group:… or domain:…), who of them sees everybody's jobs, who gets mails.
people              = {json.dumps([f"user:{account}"] if person else [])}
admins              = {emails}
notification_emails = {emails}

# Limits in the account's currency a month; see `make cost`.
budget = {{ billing_account = "{billing_account(target)}" }}

# All variables: terraform/variables.tf. For example:
# workers  = {{ max = 4, machine_types = ["e2-standard-4", "n2d-standard-4"] }}
# database = {{ tier = "db-g1-small" }}
# budget   = {{ billing_account = "…", project_amount = 20, workers_amount = 10 }}
"""
