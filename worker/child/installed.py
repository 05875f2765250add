"""What is installed, where one broken package does not take the others with it."""

from importlib.metadata import entry_points

from spotmill.pipeline import ENTRY_POINT_GROUP, Pipeline


def load_pipelines() -> tuple[dict[str, Pipeline], dict[str, str]]:
    """Load what is installed; return the pipelines by name, and why others cannot be loaded."""
    found: dict[str, Pipeline] = {}
    broken: dict[str, str] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
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
