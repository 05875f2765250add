"""What is deployed where."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: Regions in which Cloud Build takes every project; terraform/modules/delivery has the same.
BUILD_REGIONS = (
    "asia-east1",
    "australia-southeast1",
    "europe-west1",
    "southamerica-east1",
    "us-central1",
    "us-west2",
)


#: Regions in which Google has a free tier of Cloud Storage.
FREE_REGIONS = ("us-central1", "us-east1", "us-west1")


def variables_of(project: str, name: str) -> Path:
    """Return the file of Terraform variables that a person keeps for a project."""
    return ROOT / "deploy" / "projects" / (f"{project}.tfvars" if name == "spotmill" else f"{project}-{name}.tfvars")


def region_in(file: Path) -> str | None:
    """Return the region that a file of variables names."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    found = re.search(r'^\s*region\s*=\s*"([^"]+)"', text, re.MULTILINE)
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Target:
    """One Spotmill in one project. Names follow from these by the same rules as in terraform/."""

    project: str
    region: str = "us-central1"
    name: str = "spotmill"
    environment: str = "prod"  #: tags the images that it runs, so that no clean-up deletes them
    state: str | None = None  #: bucket of Terraform's state, if not the one that is made for it
    images_from: str | None = None  #: repository of another project, where they were built

    def __post_init__(self) -> None:
        """Refuse what Google would refuse a quarter of an hour later.

        Raises:
            ValueError: a name that cannot be one.
        """
        if not re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", self.project):
            raise ValueError(f"PROJECT is a project id such as my-media-mill, not {self.project!r}")
        if not re.fullmatch(r"[a-z]+-[a-z]+[0-9]+", self.region):
            raise ValueError(f"REGION is a region such as us-central1, not {self.region!r}")
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,15}[a-z0-9]", self.name):
            raise ValueError(f"NAME has 2 to 17 lower-case letters, digits and hyphens, not {self.name!r}")
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", self.environment):
            raise ValueError(f"ENVIRONMENT is a word such as prod or staging, not {self.environment!r}")

    @property
    def state_bucket(self) -> str:
        """Bucket of Terraform's state and of the note which images run."""
        return self.state or f"{self.project}-{self.name}-terraform"

    def note(self, name: str) -> str:
        """Where something about this deployment is noted, beside its state."""
        return f"gs://{self.state_bucket}/{self.name}/{name}"

    @property
    def deployer(self) -> str:
        """Account that builds run as."""
        return f"{self.name}-deployer@{self.project}.iam.gserviceaccount.com"

    @property
    def repository(self) -> str:
        """Address of the images, before their names."""
        return self.images_from or f"{self.region}-docker.pkg.dev/{self.project}/{self.name}"

    @property
    def build_region(self) -> str:
        """Where Cloud Build works: not every region takes new projects.

        Source: https://cloud.google.com/build/docs/locations#restricted_regions_for_some_projects
        """
        return self.region if self.region in BUILD_REGIONS else "us-central1"

    @property
    def variables(self) -> Path:
        """File of Terraform variables that a person keeps for this project."""
        return variables_of(self.project, self.name)
