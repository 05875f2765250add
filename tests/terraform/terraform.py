"""Terraform in the tests: where the program comes from, and what it says about a directory below ``terraform/``."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
#: The project's number in every plan.
PROJECT_NUMBER = "123456789012"
#: What the stand-in answers for data sources, and what Google would.
_ANSWERS = {
    r"fake-number-[0-9a-f]{8}": PROJECT_NUMBER,
    r"fake-member-[0-9a-f]{8}": f"serviceAccount:service-{PROJECT_NUMBER}@gs-project-accounts.iam.gserviceaccount.com",
}
#: What a copy needs: the modules, and the file of triggers that they read.
_COPIED = ("terraform", "eventarc")
_LOCAL_BACKEND = 'terraform {\n  backend "local" {}\n}\n'


class TerraformError(Exception):
    """Terraform refused; the text has the summary and the detail of each of its errors."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that other test processes wait for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_terraform() -> Path | None:
    """Return the program: ``SPOTMILL_TERRAFORM``, one made by terraform-offline beside the repository, or PATH's."""
    if (named := os.environ.get("SPOTMILL_TERRAFORM")) is not None:
        return Path(named)
    setup = REPOSITORY.parent / "shared" / "terraform-offline" / "setup"
    if setup.exists():
        return _set_up(setup)
    found = shutil.which("terraform")
    return Path(found) if found else None


def _set_up(setup: Path) -> Path:
    """Make the offline Terraform once for each version of its files, in the user's cache."""
    digest = hashlib.sha256()
    for part in sorted(path for path in setup.parent.iterdir() if path.is_file()):
        digest.update(part.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spotmill"
    home = cache / f"terraform-{digest.hexdigest()[:16]}"
    with locked(home.with_suffix(".lock")):
        if not (home / "ready").exists():
            subprocess.run([setup, home], check=True, capture_output=True)
            (home / "ready").touch()
    return home / "bin" / "terraform"


@dataclass(frozen=True, slots=True)
class Resource:
    """A planned resource. What is known only after an apply is missing from ``values``."""

    address: str
    type: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What ``terraform show -json`` says about a plan."""

    document: dict[str, Any]

    @cached_property
    def resources(self) -> dict[str, Resource]:
        """All planned resources by address, those of child modules included; no data sources."""
        return {r.address: r for r in _resources(self.document["planned_values"]["root_module"])}

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The outputs that are known before an apply."""
        outputs = self.document["planned_values"].get("outputs", {})
        return {name: output["value"] for name, output in outputs.items() if "value" in output}

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the values of all resources of a type by address."""
        return {r.address: r.values for r in self.resources.values() if r.type == kind}

    def one(self, address: str) -> dict[str, Any]:
        """Return the values of the resource at this address."""
        return self.resources[address].values


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for resource in module.get("resources", ()):
        if resource["mode"] == "managed":
            yield Resource(resource["address"], resource["type"], resource["values"])
    for child in module.get("child_modules", ()):
        yield from _resources(child)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A directory in a copy of the tree, initialised."""

    terraform: Path
    path: Path

    def validate(self) -> None:
        """Check the configuration.

        Raises:
            TerraformError: it is not valid, or deprecated in part.
        """
        answer = json.loads(self._run("validate", "-json", check=False).stdout)
        if answer["diagnostics"]:
            raise TerraformError("\n".join(map(_told, answer["diagnostics"])))

    def plan(self, variables: Mapping[str, Any], scratch: Path) -> Plan:
        """Plan with these variables; ``scratch`` is a directory for what lies in between.

        Raises:
            TerraformError: an error in the plan: a validation, a precondition, the schema.
        """
        given, planned = scratch / "given.tfvars.json", scratch / "plan"
        given.write_text(json.dumps(variables))
        options = ("-input=false", "-lock=false", "-refresh=false", "-json", f"-var-file={given}", f"-out={planned}")
        done = self._run("plan", *options, check=False)
        if done.returncode:
            lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            told = [_told(line["diagnostic"]) for line in lines if line.get("@level") == "error"]
            raise TerraformError("\n".join(told) or done.stdout + done.stderr)
        return Plan(json.loads(_as_google_says(self._run("show", "-json", str(planned)).stdout)))

    def test(self) -> str:
        """Run the module's own tests; return what Terraform prints.

        Raises:
            TerraformError: one failed.
        """
        done = self._run("test", "-no-color", check=False)
        if done.returncode:
            raise TerraformError(done.stdout + done.stderr)
        return done.stdout

    def init(self) -> None:
        """Fetch providers; a remote state is replaced by a file."""
        if any('backend "' in file.read_text() for file in self.path.glob("*.tf")):
            (self.path / "backend_override.tf").write_text(_LOCAL_BACKEND)
        self._run("init", "-input=false", "-no-color")

    @property
    def stands_in(self) -> bool:
        """Tell whether the provider is the stand-in, which answers data sources without Google."""
        plugins = self.path.glob(".terraform/providers/**/terraform-provider-google*")
        return all(plugin.read_bytes()[:2] == b"#!" for plugin in plugins)

    def _run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.terraform, *words], cwd=self.path, capture_output=True, text=True, check=False, timeout=240
        )
        if check and done.returncode:
            raise TerraformError(f"terraform {words[0]} in {self.path.name}:\n{done.stdout}{done.stderr}")
        return done


def _as_google_says(document: str) -> str:
    for invented, true in _ANSWERS.items():
        document = re.sub(invented, true, document)
    return document


def _told(diagnostic: Mapping[str, Any]) -> str:
    where = diagnostic.get("address") or diagnostic.get("range", {}).get("filename", "")
    return f"{diagnostic['summary']}: {diagnostic.get('detail', '')} ({where})"


class Tree:
    """A copy of the modules for one test run, in which every process initialises a directory once."""

    def __init__(self, terraform: Path, home: Path) -> None:
        self.terraform = terraform
        self._home = home
        with locked(home / "copy.lock"):
            if not (home / "tree").exists():
                for part in _COPIED:
                    shutil.copytree(
                        REPOSITORY / part,
                        home / "new" / part,
                        ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"),
                    )
                (home / "new").rename(home / "tree")

    def workspace(self, directory: str) -> Workspace:
        """Return a directory below ``terraform/`` ("" is the root module), initialised."""
        workspace = Workspace(self.terraform, self._home / "tree" / "terraform" / directory)
        with locked(self._home / (directory.replace("/", "-") + ".lock")):
            if not (ready := workspace.path / ".terraform" / "ready").exists():
                workspace.init()
                ready.touch()
        return workspace

    def add_example(self, name: str, source: str) -> str:
        """Write code that uses ``./modules/…`` into a directory of its own, and return that below ``terraform/``."""
        path = self._home / "tree" / "terraform" / "examples" / name
        path.mkdir(parents=True)
        (path / "main.tf").write_text(source.replace('"./modules/', '"../../modules/'))
        return f"examples/{name}"
