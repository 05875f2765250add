"""``python -m deploy deploy|destroy|images|smoke|logs|open --project P``; the Makefile calls it."""

import argparse
import subprocess
import sys
import time
import webbrowser

from deploy import project
from deploy.images import build, digests, recall, remember
from deploy.programs import DeployError, FailedError, ask, gcloud, say
from deploy.release import is_stopped, release
from deploy.smoke import smoke
from deploy.target import Target
from deploy.teardown import destroy
from deploy.terraform import Terraform


def _deploy(target: Target, arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    terraform = Terraform(target)
    say(f"Terraform {terraform.check_version()}")
    if arguments.version is None:
        account = project.check_sign_in(target)
        say(f"As {account}, into {target.project}, {target.region}")
        if project.write_variables(target, account):
            say(f"Wrote {target.variables}: who may do what. Change it and deploy again as you like.")
        say("APIs, agents, the state's bucket")
        project.enable_apis(target)
        project.make_agents(target)
        project.make_state_bucket(target)
    elif not target.variables.exists():
        raise DeployError(f"{target.variables} is not in the repository: commit the file that `make deploy` wrote.")
    terraform.init()
    images = _images(target, terraform, arguments)
    outputs = release(target, terraform, images)
    remember(target, images)
    if is_stopped(target):
        say("The database is stopped, so nothing was migrated or tried.")
    else:
        say("Smoke test")
        smoke(target, outputs)
    say(f"Deployed in {(time.monotonic() - began) / 60:.0f} min: {outputs['web_url']}")


def _images(target: Target, terraform: Terraform, arguments: argparse.Namespace) -> dict[str, str]:
    if arguments.version is not None:
        return digests(target, arguments.version, gpu=arguments.gpu)
    if not arguments.build:
        return recall(target)
    say("The repository for images, and the account that builds them")
    terraform.apply(None, only=["module.delivery"])
    say("Images")
    return build(target, gpu=arguments.gpu)


def _destroy(target: Target, arguments: argparse.Namespace) -> None:
    if not arguments.yes:
        say(f"This deletes all of {target.name} in {target.project}: uploads, results, the database and its backups.")
        if input("Type the project's id to go on: ").strip() != target.project:
            raise DeployError("Nothing was deleted.")
    project.check_sign_in(target)
    destroy(target, Terraform(target))


def _smoke(target: Target, _arguments: argparse.Namespace) -> None:
    terraform = Terraform(target)
    terraform.init()
    smoke(target, terraform.outputs())


def _logs(target: Target, arguments: argparse.Namespace) -> None:
    """Show the log of a job from its event to its result, or of everything."""
    query = f'labels.job="{arguments.job}"' if arguments.job else 'jsonPayload.process:* severity>="INFO"'
    fields = "severity,jsonPayload.process,jsonPayload.message,jsonPayload.job,jsonPayload.error"
    line = f"value(timestamp.date('%H:%M:%S'),{fields})"
    command = gcloud(
        "logging", "read", query, f"--project={target.project}", f"--freshness={arguments.since}", "--order=asc",
        f"--format={line}", "--limit=1000",
    )  # fmt: skip
    sys.exit(subprocess.run(command, check=False).returncode)


def _open(target: Target, _arguments: argparse.Namespace) -> None:
    url = ask(
        gcloud(
            "run", "services", "describe", f"{target.name}-web", f"--project={target.project}",
            f"--region={target.region}", "--format=value(status.url)",
        )
    )  # fmt: skip
    say(url)
    webbrowser.open(url)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--project", required=True, help="project id")
    common.add_argument("--region", default="us-central1")
    common.add_argument("--name", default="spotmill", help="prefix of all names, for a second one in a project")
    common.add_argument("--environment", default="prod")
    common.add_argument("--state-bucket", help="bucket of Terraform's state (PROJECT-NAME-terraform)")
    common.add_argument("--repository", help="where the images are, if another project has built them")
    parser = argparse.ArgumentParser(prog="deploy", description=__doc__)
    verbs = parser.add_subparsers(required=True)

    one = verbs.add_parser("deploy", parents=[common], help="build, migrate, apply, prove")
    one.add_argument("--no-build", dest="build", action="store_false", help="the images that run already")
    one.add_argument("--version", help="images that are built already, by their tag (as Cloud Build does)")
    one.add_argument("--gpu", action="store_true", help="with the image for VMs with GPUs")
    one.set_defaults(do=_deploy)

    one = verbs.add_parser("destroy", parents=[common], help="delete everything")
    one.add_argument("--yes", action="store_true", help="ask nothing")
    one.set_defaults(do=_destroy)

    one = verbs.add_parser("smoke", parents=[common], help="try what is deployed")
    one.set_defaults(do=_smoke)

    one = verbs.add_parser("logs", parents=[common], help="what was logged")
    one.add_argument("--job", help="only about this job")
    one.add_argument("--since", default="1h", help="how far back, such as 30m or 2d")
    one.set_defaults(do=_logs)

    one = verbs.add_parser("open", parents=[common], help="open the pages")
    one.set_defaults(do=_open)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Do what is asked; return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        target = Target(
            arguments.project,
            arguments.region,
            arguments.name,
            arguments.environment,
            arguments.state_bucket,
            arguments.repository,
        )
        arguments.do(target, arguments)
    except (DeployError, ValueError) as error:
        if isinstance(error, FailedError) and error.output.strip():
            say(error.output.strip()[-2000:])
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted; run it again to go on where it stopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
