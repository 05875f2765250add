"""Copies of the hub's models in the result bucket: VMs have no way to the hub, and one region's bucket is faster.

``spotmill models sync`` makes them at each deployment. A copy lies below ``models/<model>/<id of its files>/`` and is
whole when its manifest is there, which is written last.
"""

import io
import json
import re
from pathlib import Path

from worker.transfer import Listed, Storage

#: The last object of a copy: a JSON object of file names and their crc32c.
MANIFEST = "spotmill-manifest.json"


def from_hub(place: str) -> bool:
    """Tell whether a place names a model of the hub."""
    return not place.startswith(("/", "gs://", "package:"))


def copies_prefix(place: str) -> str:
    """Name the prefix under which the copies of a model lie."""
    return f"models/{re.sub(r'[^A-Za-z0-9._@-]', '--', place)}/"


def newest_copy(storage: Storage, bucket: str, place: str) -> str | None:
    """Return the prefix of the newest whole copy of a model of the hub; None if there is none."""
    manifests = [item for item in storage.listing(bucket, copies_prefix(place)) if item.name.endswith("/" + MANIFEST)]
    newest = max(manifests, key=_age, default=None)
    return None if newest is None else newest.name.removesuffix(MANIFEST)


def _age(item: Listed) -> int:
    return item.generation  # microseconds since 1970, as Cloud Storage makes them


def copy_model(storage: Storage, bucket: str, place: str, folder: Path, model_id: str) -> bool:
    """Copy a fetched model to the bucket; return whether anything was missing there."""
    prefix = f"{copies_prefix(place)}{model_id}/"
    if storage.look(bucket, prefix + MANIFEST) is not None:
        return False
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums: dict[str, str] = {}
    for path in files:
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as content:
            sums[name] = storage.put(
                bucket, prefix + name, content, content_type="application/octet-stream", metadata={}, check=_go_on
            ).crc32c
    manifest = io.BytesIO(json.dumps(sums, sort_keys=True).encode())
    storage.put(bucket, prefix + MANIFEST, manifest, content_type="application/json", metadata={}, check=_go_on)
    return True


def _go_on() -> None:
    """Let a transfer go on."""
