"""Terraform against the state bucket, with gcloud's own sign-in."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.programs import PAUSES, DeployError, FailedError, ask, gcloud, need, pause, run, say
from deploy.target import ROOT, Target

#: What a first apply in a new project may meet, and what mends it: nothing but time.
#: https://github.com/hashicorp/terraform-provider-google/issues/14584 (Eventarc), /25294 (storage and Pub/Sub agents)
HEALS = {
    r"[Pp]ermission denied while using the Eventarc Service Agent": "Eventarc's service agent has just been made",
    r"has not been used in project \S+ before or it is disabled": "an API has just been enabled",
    r"Service account \S+ does not exist": "a service account has just been made",
    r"service agent .* does not exist|gcp-sa-\S+ does not exist": "a service agent has just been made",
    r"does not have storage\.buckets\.get access": "a grant on a bucket has just been made",
    r"Cannot find metric\(s\) that match type": "a metric has just been described, which alerts name",
    r"[Rr]ole \S+ (does not exist|is not supported)": "a role has just been made",
    r"concurrent policy changes": "two grants on one resource met",
    r"Cloud Run Service Agent .* must have permission": "Cloud Run's service agent has just been made",
    r"Unable to impersonate|iam\.serviceAccounts\.actAs": "a grant on an account has just been made",
    r"Error code 16|error: gRPC .*UNAVAILABLE|Error 503|Error 429": "Google was busy",
}

#: What a destroy may meet that heals, too, but in an hour or two:
#: https://cloud.google.com/run/docs/configuring/vpc-direct-vpc#delete-subnet
SLOWLY = {
    r"already being used by .*serverless": "Cloud Run gives back addresses an hour or two after its services",
}
_SLOW_PAUSES = (600,) * 15


def healing(output: str, known: Mapping[str, str] = HEALS) -> str | None:
    """Return why trying again will help, if it is known to."""
    said = re.sub(r"[\s│]+", " ", output)  # Terraform breaks lines in its frames
    return next((reason for pattern, reason in known.items() if re.search(pattern, said)), None)


class Terraform:
    """One configuration with its variables; every command gets a fresh token, as they last an hour."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._directory = ROOT / "terraform"
        program = os.environ.get("SPOTMILL_TERRAFORM", "terraform")
        self._program = need(program, "See https://developer.hashicorp.com/terraform/install (1.9 or newer).")

    def check_version(self) -> str:
        """Return the version.

        Raises:
            DeployError: it is too old.
        """
        version: str = json.loads(ask([self._program, "version", "-json"]))["terraform_version"]
        if tuple(int(part) for part in version.partition("-")[0].split(".")[:2]) < (1, 9):
            raise DeployError(f"terraform {version} is too old: 1.9 or newer is needed.")
        return version

    def init(self) -> None:
        """Fetch the provider and find the state."""
        target = self._target
        backend = [f"-backend-config=bucket={target.state_bucket}", f"-backend-config=prefix={target.name}"]
        run(
            [self._program, "init", "-input=false", "-reconfigure", *backend],
            cwd=self._directory,
            environment=self._environment(),
        )

    def apply(self, images: Mapping[str, str] | None, *, only: Sequence[str] = (), **variables: Any) -> None:
        """Make what is described, all of it or only these parts; try again what is known to heal.

        Raises:
            FailedError: it did not work out.
        """
        self._change("apply", images, only, variables)

    def destroy(self, images: Mapping[str, str] | None, *, only: Sequence[str] = (), **variables: Any) -> None:
        """Take everything away that is in the state, or these parts."""
        self._change("destroy", images, only, variables)

    def _change(
        self, verb: str, images: Mapping[str, str] | None, only: Sequence[str], variables: Mapping[str, Any]
    ) -> None:
        command = [self._program, verb, "-input=false", "-auto-approve", *self._variables(images, variables)]
        command += [f"-target={part}" for part in only]
        quick, slow = iter(PAUSES), iter(_SLOW_PAUSES)
        while True:
            try:
                run(command, cwd=self._directory, environment=self._environment())
            except FailedError as error:
                patient = healing(error.output, SLOWLY)
                reason = patient or healing(error.output)
                seconds = next(slow if patient else quick, None)
                if reason is None or seconds is None:
                    raise
                say(f"  This heals by itself ({reason}); trying again in {seconds} s. Or stop here, and run it later.")
                pause(seconds)
            else:
                return

    def outputs(self) -> dict[str, Any]:
        """Return the configuration's outputs."""
        said = json.loads(ask([self._program, "output", "-json"], cwd=self._directory, environment=self._environment()))
        return {name: output["value"] for name, output in said.items()}

    def _variables(self, images: Mapping[str, str] | None, more: Mapping[str, Any]) -> list[str]:
        target = self._target
        known: dict[str, Any] = {
            "project": target.project,
            "region": target.region,
            "name": target.name,
            "state_bucket": target.state_bucket,
        }
        if images is not None:
            known["images"] = dict(images)
        flags = [f"-var-file={target.variables}"] if target.variables.exists() else []
        for name, value in {**known, **more}.items():
            flags.append(f"-var={name}={value if isinstance(value, str) else json.dumps(value)}")
        return flags

    def _environment(self) -> dict[str, str]:
        token = ask(gcloud("auth", "print-access-token"))
        return {
            "GOOGLE_OAUTH_ACCESS_TOKEN": token,
            # Of its own for each deployment, or one would write into the other's state.
            "TF_DATA_DIR": f".terraform/{self._target.project}-{self._target.name}",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }
