"""What is installed, where one broken package does not take the others with it."""

from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, requires, version

from packaging.requirements import Requirement

from spotmill.pipeline import ENTRY_POINT_GROUP, Pipeline


def load_pipelines() -> tuple[dict[str, Pipeline], dict[str, str]]:
    """Load what is installed; return the pipelines by name, and why others cannot be loaded."""
    found: dict[str, Pipeline] = {}
    broken: dict[str, str] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if not _extras_installed(entry):
            continue
        try:
            loaded = entry.load()
        except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
            broken[entry.name] = f"{type(error).__name__}: {error}"
            continue
        if isinstance(loaded, Pipeline):
            found[loaded.name] = loaded
        else:
            broken[entry.name] = f"{entry.value} is not made by @pipeline"
    return found, broken


def _extras_installed(entry: EntryPoint) -> bool:
    """Tell whether what the entry's extras ask for is there; ``module:name [extra]`` names them."""
    if not entry.extras or entry.dist is None:
        return True
    for line in requires(entry.dist.name) or []:
        needed = Requirement(line)
        wanted = needed.marker is not None and any(needed.marker.evaluate({"extra": extra}) for extra in entry.extras)
        if not wanted or (needed.marker is not None and needed.marker.evaluate({"extra": ""})):
            continue
        try:
            version(needed.name)
        except PackageNotFoundError:
            return False
    return True
