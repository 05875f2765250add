"""The proof that a deployment works: doors that must be shut are shut, and an object becomes a job."""

import secrets
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.programs import DeployError, FailedError, ask, gcloud, pause, run, say
from deploy.target import Target

#: The smallest GIF there is: one pixel.
_PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
#: Looks at the log, seconds apart, before the object counts as lost; a first start of everything is slow.
_LOOKS, _LOOK_SECONDS = 50, 6
#: Looks after which another object is put there.
_LOOKS_FOR_ONE = 10


class _Still(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: where the door leads is what is asked."""


def knock(url: str) -> tuple[int, str]:
    """Ask for a page as a stranger does; return status and where it leads."""
    try:
        with urllib.request.build_opener(_Still).open(url, timeout=30) as answer:
            return answer.status, answer.headers.get("Location", "")
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Location", "")
    except OSError as error:
        raise DeployError(f"{url} cannot be reached: {error}") from None


def smoke(target: Target, outputs: Mapping[str, Any]) -> None:
    """Try the deployment from outside.

    Raises:
        DeployError: something is not as it must be.
    """
    if "web_url" not in outputs:
        raise DeployError(f"Nothing is deployed in {target.project} under the name {target.name}.")
    _shut_to_strangers(target, outputs)
    _becomes_a_job(target, outputs)


def _shut_to_strangers(target: Target, outputs: Mapping[str, Any]) -> None:
    url = outputs["web_url"]
    status, location = knock(url)
    if not ((status == 302 and "accounts.google.com" in location) or status in (401, 403)):
        raise DeployError(
            f"A stranger who asks for {url} gets {status} instead of Google's sign-in: is IAP on? "
            f"gcloud run services describe {outputs['services']['web']} --project={target.project} "
            f"--region={target.region}"
        )
    say(f"  {url} sends strangers to Google's sign-in ({status})")
    dispatcher = ask(
        gcloud(
            "run", "services", "describe", outputs["services"]["dispatcher"], f"--project={target.project}",
            f"--region={target.region}", "--format=value(status.url)",
        )
    )  # fmt: skip
    status, _ = knock(dispatcher)
    if status not in (401, 403, 404):
        raise DeployError(f"The dispatcher answers a stranger with {status}: {dispatcher}")
    say(f"  The dispatcher lets no stranger in ({status})")


def _becomes_a_job(target: Target, outputs: Mapping[str, Any]) -> None:
    """Put objects into the bucket until one has become a job, and take them away again, which ends their jobs.

    One a minute: what comes before a new trigger is at work, which takes up to two minutes, is not announced.
    """
    uris: dict[str, str] = {}
    try:
        for look in range(_LOOKS):
            if look % _LOOKS_FOR_ONE == 0:
                uri = f"gs://{outputs['upload_bucket']}/smoke/{secrets.token_hex(8)}.gif"
                uris[uri] = ""  # to be deleted whatever comes
                uris[uri] = _put(uri)
            if job := _job_of(target, outputs, list(uris.values())):
                say(f"  An object became a job ({job})")
                return
            pause(_LOOK_SECONDS)
        raise DeployError(
            f"{', '.join(uris)} became no job in {_LOOKS * _LOOK_SECONDS} s. The dispatcher's log may say why: "
            f"make logs PROJECT={target.project}"
        )
    finally:
        for uri in uris:
            try:
                run(gcloud("storage", "rm", uri))
            except FailedError:
                say(f"  {uri} could not be deleted; nothing depends on it.")


def _put(uri: str) -> str:
    """Upload a picture; return its generation."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pixel.gif"
        file.write_bytes(_PIXEL)
        run(gcloud("storage", "cp", str(file), uri, "--content-type=image/gif"))
    return ask(gcloud("storage", "objects", "describe", uri, "--format=value(generation)"))


def _job_of(target: Target, outputs: Mapping[str, Any], generations: Sequence[str]) -> str:
    """Return the job that the dispatcher's log has for one of these; empty if none."""
    wanted = " OR ".join(f'"{generation}"' for generation in generations)
    query = (
        f'resource.type="cloud_run_revision" resource.labels.service_name="{outputs["services"]["dispatcher"]}" '
        f'jsonPayload.message="job.recorded" jsonPayload.generation=({wanted})'
    )
    return ask(
        gcloud(
            "logging", "read", query, f"--project={target.project}", "--limit=1", "--freshness=1h",
            "--format=value(jsonPayload.job)",
        )
    )  # fmt: skip
