"""Images: built by Cloud Build as cloudbuild.yaml says, run by digest, and noted beside Terraform's state."""

import json
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.programs import DeployError, FailedError, ask, gcloud, need, pause, run, say
from deploy.target import ROOT, Target

#: By the names that Terraform's variable ``images`` has for them.
IMAGES = {"web": "web", "dispatcher": "dispatcher", "worker": "worker", "worker_gpu": "worker-gpu"}

#: Waits for the grants of an account that has just been made, which may take seven minutes.
_GRANT_PAUSES = (90, 180, 180)
_EARLY_SECONDS = 120


def version() -> str:
    """Return the tag of what is built: the hash of all that goes into images, committed or not.

    Raises:
        DeployError: this is no git checkout.
    """
    need("git", "It tells which images are built already.")
    wanted = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"]
    paths = [*(path for path in wanted if not path.startswith("images/")), "images"]
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        try:
            ask(["git", "add", "--all", "--", *paths], cwd=ROOT, environment=index)
            return ask(["git", "write-tree"], cwd=ROOT, environment=index)
        except FailedError as error:
            raise DeployError(f"{ROOT} is no git checkout: {error.output.strip()}") from None


def build(target: Target, *, gpu: bool) -> dict[str, str]:
    """Build what this version has not built yet; return the images by digest."""
    tag = version()
    substitutions = {
        "_DEPLOY": "no",
        "_ENVIRONMENT": target.environment,
        "_GPU": "yes" if gpu else "no",
        "_NAME": target.name,
        "_PROJECT": target.project,
        "_REGION": target.region,
        "_STATE_BUCKET": target.state_bucket,
        "_TESTS": "no",
        "_VERSION": tag,
    }
    command = gcloud(
        "builds", "submit", str(ROOT), f"--config={ROOT / 'cloudbuild.yaml'}", f"--project={target.project}",
        f"--region={target.build_region}",
        f"--service-account=projects/{target.project}/serviceAccounts/{target.deployer}",
        f"--gcs-source-staging-dir=gs://{target.state_bucket}/source",
        "--substitutions=" + ",".join(f"{name}={value}" for name, value in sorted(substitutions.items())),
    )  # fmt: skip
    _submit(target, command)
    return digests(target, tag, gpu=gpu)


def _submit(target: Target, command: Sequence[str]) -> None:
    """Build. What fails within two minutes may only miss the builder's grants, which take as long to arrive."""
    for seconds in (*_GRANT_PAUSES, None):
        began = time.monotonic()
        try:
            run(command)
        except FailedError:
            if seconds is None or time.monotonic() - began > _EARLY_SECONDS:
                say(f"  Its log: gcloud logging read 'resource.type=\"build\"' --project={target.project} --limit=50")
                raise
            say(f"  The builder's account may not have its grants yet; trying again in {seconds} s.")
            pause(seconds)
        else:
            return


def digests(target: Target, tag: str, *, gpu: bool) -> dict[str, str]:
    """Return the images of a tag by digest."""
    found = {}
    for key, name in IMAGES.items():
        if key == "worker_gpu" and not gpu:
            continue
        image = f"{target.repository}/{name}"
        digest = ask(
            gcloud(
                "artifacts", "docker", "images", "describe", f"{image}:{tag}", "--format=value(image_summary.digest)"
            )
        )
        found[key] = f"{image}@{digest}"
    return found


def remember(target: Target, images: dict[str, str]) -> None:
    """Note which images run, and tag them, so that no clean-up deletes what is deployed."""
    for image in images.values():
        name = image.partition("@")[0]
        run(gcloud("artifacts", "docker", "tags", "add", image, f"{name}:deployed-{target.environment}"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "images.json"
        file.write_text(json.dumps(images, indent=1), encoding="utf-8")
        run(gcloud("storage", "cp", str(file), target.note("images.json")))


def recall(target: Target) -> dict[str, str] | None:
    """Return the images that run; None if nothing was deployed yet.

    Raises:
        FailedError: the note cannot be read.
    """
    text = read_note(target, "images.json")
    return None if text is None else json.loads(text)


def read_note(target: Target, name: str) -> str | None:
    """Return what was noted beside Terraform's state; None if nothing was."""
    try:
        return ask(gcloud("storage", "cat", target.note(name)))
    except FailedError as error:
        if re.search(r"404|not found|matched no objects|does not exist", error.output, re.IGNORECASE):
            return None
        raise
