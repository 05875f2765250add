"""Makes buckets, topics, subscriptions and notifications: ``python -m local.bootstrap.cloud DATA_DIR``."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from google.api_core.exceptions import AlreadyExists, Conflict
from google.auth.credentials import AnonymousCredentials
from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.storage import Bucket, Client
from google.pubsub_v1 import PublisherClient

from eventarc.triggers import StorageTrigger, read_triggers
from local.clients import publisher_of, subscriber_of
from local.eventarc.transport import transport_topic
from local.site import (
    BUDGET_TOPIC,
    DEAD,
    INGEST_TOPIC,
    JOBS,
    PROJECT,
    REGION,
    RESULT_BUCKET,
    TICK_TOPIC,
    UPLOAD_BUCKET,
    Site,
)

ACK_DEADLINE_SECONDS = 60
DEAD_AFTER_DELIVERIES = 100
# What a page must be able to read of the answers to a resumable upload.
EXPOSED_HEADERS = ["Content-Range", "Content-Type", "ETag", "Location", "Range"]
EXPOSED_HEADERS += [f"x-goog-{name}" for name in ("generation", "hash", "metageneration", "stored-content-length")]
EXPOSED_HEADERS += ["x-guploader-uploadid"]
# What a page sends with an upload, whose preflight asks for it.
UPLOAD_HEADERS = ["Content-Length", "Content-Range", "Content-Type", "x-goog-content-length-range"]
UPLOAD_HEADERS += ["x-goog-if-generation-match", "x-goog-meta-owner", "x-goog-meta-pipeline", "x-goog-meta-settings"]
UPLOAD_HEADERS += ["x-goog-resumable"]
UPLOAD_METHODS = ["DELETE", "GET", "HEAD", "POST", "PUT"]
RESULT_METHODS = ["GET", "HEAD"]


def ensure_bucket(client: Client, name: str, rules: list[dict[str, Any]]) -> Bucket:
    """Create a bucket, and give it these CORS rules if it has others."""
    bucket = client.bucket(name)
    bucket.cors = rules
    with suppress(Conflict):
        client.create_bucket(bucket, location=REGION)
        return bucket
    bucket = client.get_bucket(name)
    if bucket.cors != rules:
        bucket.cors = rules
        bucket.patch()
    return bucket


def cors(site: Site, methods: list[str]) -> list[dict[str, Any]]:
    """Let pages of the web service use a bucket."""
    headers = EXPOSED_HEADERS + UPLOAD_HEADERS
    return [{"origin": site.web_origins, "method": methods, "responseHeader": headers, "maxAgeSeconds": 3600}]


def ensure_notifications(bucket: Bucket, triggers: list[StorageTrigger]) -> None:
    """Have Cloud Storage announce what the triggers are about, as creating an Eventarc trigger does."""
    found = {notification.topic_name for notification in bucket.list_notifications()}
    for trigger in triggers:
        topic = transport_topic(trigger, REGION)
        if topic not in found:
            bucket.notification(
                topic_name=topic,
                topic_project=PROJECT,
                event_types=[trigger.notification_event],
                payload_format="JSON_API_V1",
            ).create()


def ensure_topics(publisher: PublisherClient, names: list[str]) -> None:
    """Create the topics that are missing."""
    for name in names:
        with suppress(AlreadyExists):
            publisher.create_topic(name=f"projects/{PROJECT}/topics/{name}")


def ensure_subscription(subscriber: SubscriberClient) -> None:
    """Create the workers' subscription; what 100 deliveries could not get done goes to a trigger's topic."""
    # No retry policy: all delay lives in the jobs' not_before.
    jobs = {
        "name": f"projects/{PROJECT}/subscriptions/{JOBS}",
        "topic": f"projects/{PROJECT}/topics/{JOBS}",
        "ack_deadline_seconds": ACK_DEADLINE_SECONDS,
        "dead_letter_policy": {
            "dead_letter_topic": f"projects/{PROJECT}/topics/{DEAD}",
            "max_delivery_attempts": DEAD_AFTER_DELIVERIES,
        },
    }
    with suppress(AlreadyExists):
        subscriber.create_subscription(request=jobs | {"expiration_policy": {}})


def main() -> None:
    """Do it all; each part does nothing where nothing is missing."""
    site = Site.read(Path(sys.argv[1]))
    triggers = [t for t in read_triggers(site.trigger_names()) if isinstance(t, StorageTrigger)]
    publisher = publisher_of(site.pubsub_host)
    ensure_topics(publisher, [JOBS, DEAD, INGEST_TOPIC, TICK_TOPIC, BUDGET_TOPIC])
    ensure_topics(publisher, [transport_topic(trigger, REGION) for trigger in triggers])
    ensure_subscription(subscriber_of(site.pubsub_host))
    client = Client(
        project=PROJECT,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": site.storage_url},
    )
    uploads = ensure_bucket(client, UPLOAD_BUCKET, cors(site, UPLOAD_METHODS))
    ensure_bucket(client, RESULT_BUCKET, cors(site, RESULT_METHODS))
    ensure_notifications(uploads, triggers)


if __name__ == "__main__":
    main()
