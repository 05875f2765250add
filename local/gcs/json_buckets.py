"""The JSON API's buckets, their notification configurations, and the project's service account."""

from typing import Any

from aiohttp import web

from local.gcs import buckets, notifications
from local.gcs.call import Call, empty_reply, json_reply
from local.gcs.errors import invalid
from local.gcs.resource import bucket_resource

MAX_RESULTS = 1000


async def insert(call: Call) -> web.StreamResponse:
    """Make a bucket."""
    resource = await call.json()
    name = str(resource.get("name", ""))
    project = call.query.get("project")
    if not project:
        raise invalid("Required parameter: project")
    bucket = await call.storage.database.write(
        lambda transaction: buckets.create_bucket(transaction, name, project, resource)
    )
    return _reply(call, bucket)


async def list_(call: Call) -> web.StreamResponse:
    """One page of a project's buckets."""
    limit = min(call.number("maxResults") or MAX_RESULTS, MAX_RESULTS)
    project, prefix = call.query.get("project", ""), call.query.get("prefix", "")
    after = call.query.get("pageToken", "")
    found = buckets.list_buckets(call.storage.database.reader, project, prefix, after, limit + 1)
    answer: dict[str, Any] = {
        "kind": "storage#buckets",
        "items": [bucket_resource(bucket, call.base_url) for bucket in found[:limit]],
    }
    if len(found) > limit:
        answer["nextPageToken"] = found[limit - 1].name
    return json_reply(answer)


async def get(call: Call) -> web.StreamResponse:
    """One bucket."""
    bucket = buckets.require_bucket(call.storage.database.reader, call.bucket, call.preconditions(), reading=True)
    return _reply(call, bucket)


async def patch(call: Call) -> web.StreamResponse:
    """Merge properties."""
    return await _change(call, whole=False)


async def update(call: Call) -> web.StreamResponse:
    """Replace properties."""
    return await _change(call, whole=True)


async def delete(call: Call) -> web.StreamResponse:
    """Delete an empty bucket."""
    conditions = call.preconditions()
    await call.storage.database.write(lambda transaction: buckets.delete_bucket(transaction, call.bucket, conditions))
    return empty_reply()


async def insert_notification(call: Call) -> web.StreamResponse:
    """Add a notification configuration."""
    config = await call.json()
    return json_reply(
        await call.storage.database.write(
            lambda transaction: notifications.create_notification(transaction, call.bucket, config)
        )
    )


async def list_notifications(call: Call) -> web.StreamResponse:
    """All notification configurations."""
    items = notifications.list_notifications(call.storage.database.reader, call.bucket)
    return json_reply({"kind": "storage#notifications", "items": items})


async def get_notification(call: Call) -> web.StreamResponse:
    """One notification configuration."""
    reader = call.storage.database.reader
    return json_reply(notifications.get_notification(reader, call.bucket, call.parts["notification"]))


async def delete_notification(call: Call) -> web.StreamResponse:
    """Remove a notification configuration."""
    identifier = call.parts["notification"]
    await call.storage.database.write(
        lambda transaction: notifications.delete_notification(transaction, call.bucket, identifier)
    )
    return empty_reply()


async def service_account(call: Call) -> web.StreamResponse:
    """The account that would need the right to publish notifications."""
    project = call.parts["project"]
    return json_reply(
        {
            "kind": "storage#serviceAccount",
            "email_address": f"service-{project}@gs-project-accounts.iam.gserviceaccount.com",
        }
    )


async def _change(call: Call, *, whole: bool) -> web.Response:
    changes = await call.json()
    conditions = call.preconditions()
    changed = await call.storage.database.write(
        lambda transaction: buckets.change_bucket(transaction, call.bucket, changes, conditions, whole=whole)
    )
    return _reply(call, changed)


def _reply(call: Call, bucket: buckets.Bucket) -> web.Response:
    resource = bucket_resource(bucket, call.base_url)
    return json_reply(resource, headers={"ETag": resource["etag"]})
