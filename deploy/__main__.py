"""``python -m deploy deploy|destroy|smoke|logs|open --project P``; the Makefile calls it."""

import argparse
import json
import re
import sys
import time
import webbrowser

from deploy import project
from deploy.images import build, digests, recall, remember, version
from deploy.programs import DeployError, FailedError, ask, gcloud, heed_signals, say
from deploy.release import is_stopped, release
from deploy.smoke import smoke
from deploy.target import FREE_REGIONS, Target, region_in, variables_of
from deploy.teardown import destroy
from deploy.terraform import Terraform

_REGION = "us-central1"
#: Lines of the log that are shown at most.
_LOG_LINES = 1000


def _deploy(target: Target, arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    terraform = Terraform(target)
    say(f"Terraform {terraform.check_version()}")
    if arguments.version is None:
        _prepare(target, arguments)
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


def _prepare(target: Target, arguments: argparse.Namespace) -> None:
    """Check everything that can be checked, and make what must be there before Terraform."""
    if target.region not in FREE_REGIONS and not (target.variables.exists() or arguments.any_region):
        raise DeployError(
            f"{target.region} has no free tier; {', '.join(FREE_REGIONS)} have. With ARGS=--any-region it is taken."
        )
    account = project.check_sign_in(target)
    say(f"As {account}, into {target.project}, {target.region}")
    if arguments.build:
        version()  # fails here where it would later
    say("APIs, agents, the state's bucket")
    project.enable_apis(target)
    project.make_agents(target)
    project.make_state_bucket(target)
    project.settle_variables(target, account)


def _images(target: Target, terraform: Terraform, arguments: argparse.Namespace) -> dict[str, str]:
    gpu = arguments.gpu or bool(re.search(r"\bgpu\s*=\s*\{", target.variables.read_text(encoding="utf-8")))
    if arguments.version is not None:
        return digests(target, arguments.version, gpu=gpu)
    if not arguments.build:
        images = recall(target)
        if images is None:
            raise DeployError(f"Nothing was deployed to {target.project} yet: leave --no-build out.")
        return images
    say("The repository for images, and the account that builds them")
    terraform.apply(None, only=["module.delivery"])
    say("Images")
    return build(target, gpu=gpu)


def _destroy(target: Target, arguments: argparse.Namespace) -> None:
    if not arguments.yes:
        say(f"This deletes all of {target.name} in {target.project}: uploads, results, the database and its backups.")
        try:
            answer = input("Type the project's id to go on: ")
        except EOFError:
            answer = ""
        if answer.strip() != target.project:
            raise DeployError("Nothing was deleted.")
    project.check_sign_in(target)
    destroy(target, Terraform(target))


def _smoke(target: Target, _arguments: argparse.Namespace) -> None:
    terraform = Terraform(target)
    terraform.init()
    smoke(target, terraform.outputs())


def _logs(target: Target, arguments: argparse.Namespace) -> None:
    """Show the log of a job from its event to its result, or of everything; the newest lines, oldest first."""
    if arguments.job and not re.fullmatch(r"[0-9a-f-]{1,36}", arguments.job):
        raise DeployError(f"JOB is the id of a job, not {arguments.job!r}")
    query = f'labels.job="{arguments.job}"' if arguments.job else 'jsonPayload.process:* severity>="INFO"'
    fields = "severity,jsonPayload.process,jsonPayload.message,jsonPayload.job,jsonPayload.error"
    lines = ask(
        gcloud(
            "logging", "read", query, f"--project={target.project}", f"--freshness={arguments.since}", "--order=desc",
            f"--format=value(timestamp.date('%H:%M:%S'),{fields})", f"--limit={_LOG_LINES}",
        )
    ).splitlines()  # fmt: skip
    if len(lines) >= _LOG_LINES:
        say(f"(the newest {_LOG_LINES} lines; --since says how far back)")
    say("\n".join(reversed(lines)) or "Nothing was logged.")


def _open(target: Target, _arguments: argparse.Namespace) -> None:
    """Open the pages where they say they are, which may be a domain of their own."""
    described = ask(
        gcloud(
            "run", "services", "describe", f"{target.name}-web", f"--project={target.project}",
            f"--region={target.region}", "--format=json",
        )
    )  # fmt: skip
    [container, *_] = json.loads(described)["spec"]["template"]["spec"]["containers"]
    url = next(one["value"] for one in container["env"] if one["name"] == "SPOTMILL_WEB_URL")
    say(url)
    webbrowser.open(url)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--project", required=True, help="project id")
    common.add_argument("--region", help=f"where it is; as its variables say, else {_REGION}")
    common.add_argument("--name", default="spotmill", help="prefix of all names, for a second one in a project")
    common.add_argument("--environment", default="prod")
    common.add_argument("--state-bucket", help="bucket of Terraform's state (PROJECT-NAME-terraform)")
    common.add_argument("--repository", help="where the images are, if another project has built them")
    parser = argparse.ArgumentParser(prog="deploy", description=__doc__)
    verbs = parser.add_subparsers(required=True)

    one = verbs.add_parser("deploy", parents=[common], help="build, migrate, apply, prove")
    one.add_argument("--no-build", dest="build", action="store_false", help="the images that run already")
    one.add_argument("--version", help="images that are built already, by their tag (as Cloud Build does)")
    one.add_argument("--gpu", action="store_true", help="with the image for VMs with GPUs, if no variable asks for it")
    one.add_argument("--any-region", action="store_true", help="a first deployment where there is no free tier")
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


def _target(arguments: argparse.Namespace) -> Target:
    """Read what is meant.

    Raises:
        ValueError: it cannot be, or is somewhere else.
    """
    there = region_in(variables_of(arguments.project, arguments.name))
    if arguments.region and there and arguments.region != there:
        raise ValueError(
            f"{arguments.project} is in {there}, as its variables say, and cannot move to {arguments.region}."
        )
    return Target(
        arguments.project,
        arguments.region or there or _REGION,
        arguments.name,
        arguments.environment,
        arguments.state_bucket,
        arguments.repository,
    )


def main(argv: list[str] | None = None) -> int:
    """Do what is asked; return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.do(_target(arguments), arguments)
    except (DeployError, ValueError) as error:
        if isinstance(error, FailedError) and not error.shown:
            say(error.output.strip()[-2000:])
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted; run it again to go on where it stopped.")
        return 130
    return 0


if __name__ == "__main__":
    heed_signals()
    sys.exit(main())
