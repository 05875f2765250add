"""Model weights on this VM: fetched once, verified by hash, and read by every child."""

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import structlog

from shared.objects import parse_uri
from spotmill.pipeline import Model
from worker.model_copies import MANIFEST, from_hub, newest_copy
from worker.model_hub import HUB_AWAY, HubError, fetch_from_hub
from worker.transfer import STORAGE_AWAY, SourceGoneError, Storage, crc32c_of

#: Bytes that are hashed at once.
_BLOCK_BYTES = 4 * 1024**2

log = structlog.get_logger()


class ModelMissingError(Exception):
    """A model cannot be had; the message says which and why."""


def digest(path: Path) -> str:
    """Hash a file, or a directory with the names in it: 16 hexadecimal digits, the same on every machine."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    whole = hashlib.sha256()
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else ""
        whole.update(f"{len(name)}:{name}:{file.stat().st_size}:".encode())
        with file.open("rb") as content:
            while block := content.read(_BLOCK_BYTES):
                whole.update(block)
    return whole.hexdigest()[:16]


class Models:
    """The models that pipelines may load, by name. Slots ask from their own threads; each model is fetched once.

    ``places`` says where each comes from: a path, ``package:NAME/PATH`` inside an installed package, ``gs://BUCKET/PREFIX``,
    or a model of the hub (``small``, ``ORGANISATION/REPOSITORY``, either with ``@REVISION``).
    """

    def __init__(self, places: Mapping[str, str], directory: Path, storage: Storage, copies: str) -> None:
        """Keep models in ``directory``; ``copies`` is the bucket in which copies of the hub's models may lie."""
        self._places = dict(places)
        self._directory = directory
        self._storage = storage
        self._copies = copies
        self._known: dict[str, Model] = {}
        self._locks = {name: threading.Lock() for name in places}

    def get(self, name: str, check: Callable[[], None]) -> Model:
        """Return a model; ``check`` is called now and then, and what it raises ends the wait.

        Raises:
            ModelMissingError: there is none of that name, or it cannot be fetched now.
        """
        if name not in self._places:
            known = ", ".join(sorted(self._places)) or "none"
            raise ModelMissingError(f"This mill has no model named {name!r} (SPOTMILL_MODELS names: {known}).")
        lock = self._locks[name]
        while not lock.acquire(timeout=1):
            check()
        try:
            if name not in self._known:
                self._known[name] = self._find(name, self._places[name], check)
            return self._known[name]
        except (OSError, HubError, ValueError, SourceGoneError, *HUB_AWAY, *STORAGE_AWAY) as error:
            raise ModelMissingError(f"The model {name!r} ({self._places[name]}) cannot be had: {error}") from error
        finally:
            lock.release()

    def _find(self, name: str, place: str, check: Callable[[], None]) -> Model:
        if from_hub(place) and (copy := newest_copy(self._storage, self._copies, place)) is not None:
            path = self._from_bucket(f"gs://{self._copies}/{copy}", check)
        elif place.startswith("gs://"):
            path = self._from_bucket(place, check)
        elif place.startswith("package:"):
            path = _inside_package(place.removeprefix("package:"))
        elif place.startswith("/"):
            path = Path(place)
        else:
            path = fetch_from_hub(place, self._directory, check)
        if not path.exists():
            raise ModelMissingError(f"The model {name!r} is to be at {path}, where nothing is.")
        model = Model(path, digest(path), place)
        log.info("model.ready", model=name, place=place, id=model.id)
        return model

    def _from_bucket(self, place: str, check: Callable[[], None]) -> Path:
        """Fetch all objects under a prefix, unless the very same are here already."""
        target = parse_uri(place.rstrip("/") + "/-")
        prefix = target.name.removesuffix("-")
        listed = self._storage.listing(target.bucket, prefix)
        if not listed:
            raise ModelMissingError(f"There is nothing under {place.rstrip('/')}/.")
        said = "\n".join(f"{item.name}\0{item.crc32c}" for item in listed)
        folder = self._directory / f"gs-{hashlib.sha256(said.encode()).hexdigest()[:24]}"
        wanted = {item.name.removeprefix(prefix): item for item in listed if not item.name.endswith(("/", MANIFEST))}
        if folder.is_dir():
            if all(crc32c_of(_below(folder, name)) == item.crc32c for name, item in wanted.items()):
                return folder
            log.warning("model.damaged", place=place, folder=folder.name)
            shutil.rmtree(folder)
        with _new_folder(folder) as fresh:
            for name, item in wanted.items():
                file = _below(fresh, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                self._storage.fetch(target.bucket, item.name, item.generation, file, check=check, crc32c=item.crc32c)
        return folder


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to fill, which takes its name once it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        fresh.replace(folder)
    except OSError:
        if not folder.is_dir():  # else another worker on this machine was first
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _below(folder: Path, name: str) -> Path:
    """Return the path of an object's file, which must not lie anywhere else.

    Raises:
        ValueError: it would.
    """
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError(f"{name!r} is no name for a file")
    return folder / name


def _inside_package(place: str) -> Path:
    package, _, inner = place.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissingError(f"The package {package!r} is not installed.")
    return Path(next(iter(spec.submodule_search_locations))) / inner
