"""What must be there before Terraform can begin: a project with billing, a few APIs, agents, the state's bucket."""

import json

from deploy.programs import PAUSES, DeployError, FailedError, ask, gcloud, pause, run, say
from deploy.target import Target

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


def check_sign_in(target: Target) -> str:
    """Return the e-mail that gcloud is signed in with.

    Raises:
        DeployError: it is not, or the project is not to be seen, or has no billing.
    """
    account = ask(gcloud("auth", "list", "--filter=status:ACTIVE", "--format=value(account)"))
    if not account:
        raise DeployError("gcloud is not signed in: run `gcloud auth login`.")
    try:
        ask(gcloud("projects", "describe", target.project, "--format=value(projectNumber)"))
    except FailedError as error:
        raise DeployError(
            f"{account} cannot see the project {target.project}: {error.output.strip().splitlines()[-1]}"
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
            except FailedError:
                if seconds is None:
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


def write_variables(target: Target, account: str) -> bool:
    """Write a file of variables for a project that has none; return whether it was written."""
    if target.variables.exists():
        return False
    kind = "serviceAccount" if account.endswith(".gserviceaccount.com") else "user"
    target.variables.parent.mkdir(parents=True, exist_ok=True)
    admins = [] if kind == "serviceAccount" else [account]
    target.variables.write_text(
        f"""# Who may open the pages (user:…, group:… or domain:…), who of them sees everybody's jobs, who gets mails.
people              = {json.dumps([f"{kind}:{account}"])}
admins              = {json.dumps(admins)}
notification_emails = {json.dumps(admins)}

# Limits in the account's currency a month; see `make cost`.
budget = {{ billing_account = "{billing_account(target)}" }}

# All variables: terraform/variables.tf. For example:
# workers  = {{ max = 4, machine_types = ["e2-standard-4", "n2d-standard-4"] }}
# database = {{ tier = "db-g1-small" }}
# budget   = {{ billing_account = "…", project_amount = 20, workers_amount = 10 }}
""",
        encoding="utf-8",
    )
    return True
