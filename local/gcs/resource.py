"""How objects and buckets look in the JSON API.

https://cloud.google.com/storage/docs/json_api/v1/objects#resource and .../buckets#resource.
"""

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from local.gcs.buckets import Bucket
from local.gcs.stored import StoredObject


def rfc3339(microseconds: int) -> str:
    """The JSON API's form of a time, with the milliseconds the real service shows."""
    moment = datetime.fromtimestamp(microseconds / 1e6, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def etag(generation: int, metageneration: int) -> str:
    """Changes whenever content or metadata do."""
    return base64.b64encode(b"%d/%d" % (generation, metageneration)).decode()


def object_resource(stored: StoredObject, base_url: str) -> dict[str, Any]:
    """An object; ``base_url`` is the scheme and host its links start with."""
    own = f"/b/{quote(stored.bucket, safe='')}/o/{quote(stored.name, safe='')}"
    resource = {
        "kind": "storage#object",
        "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
        "selfLink": f"{base_url}/storage/v1{own}",
        "mediaLink": f"{base_url}/download/storage/v1{own}?generation={stored.generation}&alt=media",
        "name": stored.name,
        "bucket": stored.bucket,
        "generation": str(stored.generation),
        "metageneration": str(stored.metageneration),
        "size": str(stored.size),
        "crc32c": stored.digests.crc32c_base64,
        "etag": etag(stored.generation, stored.metageneration),
        "timeCreated": rfc3339(stored.created),
        "updated": rfc3339(stored.updated),
        "timeStorageClassUpdated": rfc3339(stored.created),
        "timeFinalized": rfc3339(stored.created),
        **stored.properties,
    }
    if stored.digests.md5_base64 is not None:
        resource["md5Hash"] = stored.digests.md5_base64
    if stored.components is not None:
        resource["componentCount"] = stored.components
    if stored.deleted is not None:
        resource["timeDeleted"] = rfc3339(stored.deleted)
    return resource


def bucket_resource(bucket: Bucket, base_url: str) -> dict[str, Any]:
    """A bucket; ``base_url`` is the scheme and host its link starts with."""
    return {
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": f"{base_url}/storage/v1/b/{quote(bucket.name, safe='')}",
        "name": bucket.name,
        "projectNumber": "0",
        "metageneration": str(bucket.metageneration),
        "etag": etag(0, bucket.metageneration),
        "timeCreated": rfc3339(bucket.created),
        "updated": rfc3339(bucket.updated),
        "locationType": "multi-region" if len(str(bucket.properties["location"])) <= 4 else "region",
        **bucket.properties,
        "location": str(bucket.properties["location"]).upper(),
    }
