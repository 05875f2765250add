"""The real Pub/Sub clients, pointed at a local server by address instead of by the environment."""

import json

import grpc
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

# A restarted server is found again within half a second; gRPC itself would wait for up to two minutes.
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A call made while the server restarts waits for it. Without this a streaming pull fails at once five times, and
    # the client then pauses for ten seconds.
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "waitForReady": True}]})),
]


def publisher_of(host: str) -> PublisherClient:
    """Make a publisher, one that does not batch, for the Pub/Sub server at ``host`` (``127.0.0.1:8085``)."""
    return PublisherClient(transport=PublisherGrpcTransport(channel=grpc.insecure_channel(host, _OPTIONS)))


def subscriber_of(host: str) -> SubscriberClient:
    """Make a subscriber for the Pub/Sub server at ``host``."""
    return SubscriberClient(transport=SubscriberGrpcTransport(channel=grpc.insecure_channel(host, _OPTIONS)))
