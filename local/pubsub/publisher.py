"""The service ``google.pubsub.v1.Publisher``."""

import asyncio
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1.types import pubsub

from local.pubsub import names, publishing, rpc
from local.pubsub.broker import Broker
from local.pubsub.catalogue import Catalogue
from local.pubsub.faults import troubled
from local.pubsub.listing import page

_Topic = pubsub.Topic.pb()
_PublishResponse = pubsub.PublishResponse.pb()
_ListTopicsResponse = pubsub.ListTopicsResponse.pb()
_ListTopicSubscriptionsResponse = pubsub.ListTopicSubscriptionsResponse.pb()
_ListTopicSnapshotsResponse = pubsub.ListTopicSnapshotsResponse.pb()
_DetachSubscriptionResponse = pubsub.DetachSubscriptionResponse.pb()


class Publisher:
    """Topics, and publishing to them."""

    def __init__(self, broker: Broker, catalogue: Catalogue) -> None:
        self._broker = broker
        self._catalogue = catalogue

    def handler(self) -> grpc.GenericRpcHandler:
        """The service for a gRPC server."""
        return rpc.service(
            "google.pubsub.v1.Publisher",
            {
                "CreateTopic": rpc.unary(_Topic, self.create_topic),
                "UpdateTopic": rpc.unary(pubsub.UpdateTopicRequest.pb(), self.update_topic),
                "Publish": rpc.unary(
                    pubsub.PublishRequest.pb(), troubled(self._broker.faults, "Publish", self.publish, named="topic")
                ),
                "GetTopic": rpc.unary(pubsub.GetTopicRequest.pb(), self.get_topic),
                "ListTopics": rpc.unary(pubsub.ListTopicsRequest.pb(), self.list_topics),
                "ListTopicSubscriptions": rpc.unary(pubsub.ListTopicSubscriptionsRequest.pb(), self.list_subscriptions),
                "ListTopicSnapshots": rpc.unary(pubsub.ListTopicSnapshotsRequest.pb(), self.list_snapshots),
                "DeleteTopic": rpc.unary(pubsub.DeleteTopicRequest.pb(), self.delete_topic),
                "DetachSubscription": rpc.unary(pubsub.DetachSubscriptionRequest.pb(), self.detach_subscription),
            },
        )

    async def create_topic(self, request: Any) -> Any:
        return (await self._catalogue.create_topic(request)).config

    async def update_topic(self, request: Any) -> Any:
        return (await self._catalogue.update_topic(request)).config

    async def publish(self, request: Any) -> Any:
        topic = self._catalogue.topic(request.topic)
        publishing.check(request)
        rows, committed = self._broker.publish(topic, request.messages)
        await asyncio.shield(committed)
        return _PublishResponse(message_ids=[str(row[0]) for row in rows])

    async def get_topic(self, request: Any) -> Any:
        return self._catalogue.topic(request.topic).config

    async def list_topics(self, request: Any) -> Any:
        prefix = names.check_project(request.project) + "/"
        topics = self._broker.topics
        chosen, token = page(
            (name for name in topics if name.startswith(prefix)), request.page_size, request.page_token
        )
        return _ListTopicsResponse(topics=[topics[name].config for name in chosen], next_page_token=token)

    async def list_subscriptions(self, request: Any) -> Any:
        topic = self._catalogue.topic(request.topic)
        listening = (subscription.config.name for subscription in topic.subscriptions)
        chosen, token = page(listening, request.page_size, request.page_token)
        return _ListTopicSubscriptionsResponse(subscriptions=chosen, next_page_token=token)

    async def list_snapshots(self, request: Any) -> Any:
        self._catalogue.topic(request.topic)
        snapshots = (name for name, held in self._broker.snapshots.items() if held.config.topic == request.topic)
        chosen, token = page(snapshots, request.page_size, request.page_token)
        return _ListTopicSnapshotsResponse(snapshots=chosen, next_page_token=token)

    async def delete_topic(self, request: Any) -> Empty:
        await self._catalogue.delete_topic(request.topic)
        return Empty()

    async def detach_subscription(self, request: Any) -> Any:
        await self._catalogue.detach(request.subscription)
        return _DetachSubscriptionResponse()
