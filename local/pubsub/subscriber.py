"""The service ``google.pubsub.v1.Subscriber``."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1.types import pubsub

from local.pubsub import names, rpc, settings, stream
from local.pubsub.broker import Broker
from local.pubsub.catalogue import Catalogue
from local.pubsub.faults import troubled
from local.pubsub.listing import page
from local.pubsub.pull import Pull
from local.pubsub.refusal import RefusedError, failed_precondition, invalid, unimplemented
from local.pubsub.snapshots import Snapshots
from local.pubsub.subscription import Subscription

_Subscription = pubsub.Subscription.pb()
_StreamingPullRequest = pubsub.StreamingPullRequest.pb()
_ListSnapshotsResponse = pubsub.ListSnapshotsResponse.pb()
_SeekResponse = pubsub.SeekResponse.pb()
_ListSubscriptionsResponse = pubsub.ListSubscriptionsResponse.pb()

_INVALID_ACK_ID = "PERMANENT_FAILURE_INVALID_ACK_ID"
_MAX_ACK_BYTES = 512 << 10


class Subscriber:
    """Subscriptions, and receiving from them."""

    def __init__(self, broker: Broker, catalogue: Catalogue, snapshots: Snapshots, pull_wait_seconds: float) -> None:
        self._broker = broker
        self._snapshots = snapshots
        self._catalogue = catalogue
        self._pull_wait_seconds = pull_wait_seconds

    def handler(self) -> grpc.GenericRpcHandler:
        """The service for a gRPC server."""
        faults = self._broker.faults
        return rpc.service(
            "google.pubsub.v1.Subscriber",
            {
                "CreateSubscription": rpc.unary(_Subscription, self.create_subscription),
                "GetSubscription": rpc.unary(pubsub.GetSubscriptionRequest.pb(), self.get_subscription),
                "UpdateSubscription": rpc.unary(pubsub.UpdateSubscriptionRequest.pb(), self.update_subscription),
                "ListSubscriptions": rpc.unary(pubsub.ListSubscriptionsRequest.pb(), self.list_subscriptions),
                "DeleteSubscription": rpc.unary(pubsub.DeleteSubscriptionRequest.pb(), self.delete_subscription),
                "ModifyAckDeadline": rpc.unary(
                    pubsub.ModifyAckDeadlineRequest.pb(),
                    troubled(faults, "ModifyAckDeadline", self.modify_ack_deadline),
                ),
                "Acknowledge": rpc.unary(
                    pubsub.AcknowledgeRequest.pb(), troubled(faults, "Acknowledge", self.acknowledge)
                ),
                "Pull": rpc.cancellable(pubsub.PullRequest.pb(), troubled(faults, "Pull", self.pull)),
                "StreamingPull": grpc.stream_stream_rpc_method_handler(
                    self.streaming_pull,
                    request_deserializer=_StreamingPullRequest.FromString,
                    response_serializer=rpc.serialize,
                ),
                "CreateSnapshot": rpc.unary(pubsub.CreateSnapshotRequest.pb(), self.create_snapshot),
                "GetSnapshot": rpc.unary(pubsub.GetSnapshotRequest.pb(), self.get_snapshot),
                "ListSnapshots": rpc.unary(pubsub.ListSnapshotsRequest.pb(), self.list_snapshots),
                "UpdateSnapshot": rpc.unary(pubsub.UpdateSnapshotRequest.pb(), self.update_snapshot),
                "DeleteSnapshot": rpc.unary(pubsub.DeleteSnapshotRequest.pb(), self.delete_snapshot),
                "Seek": rpc.unary(pubsub.SeekRequest.pb(), self.seek),
                "ModifyPushConfig": rpc.unary(pubsub.ModifyPushConfigRequest.pb(), self.modify_push_config),
            },
        )

    async def create_subscription(self, request: Any) -> Any:
        return (await self._catalogue.create_subscription(request)).config

    async def get_subscription(self, request: Any) -> Any:
        return self._catalogue.subscription(request.subscription).config

    async def update_subscription(self, request: Any) -> Any:
        return (await self._catalogue.update_subscription(request)).config

    async def list_subscriptions(self, request: Any) -> Any:
        prefix = names.check_project(request.project) + "/"
        known = self._broker.subscriptions
        chosen, token = page((name for name in known if name.startswith(prefix)), request.page_size, request.page_token)
        return _ListSubscriptionsResponse(subscriptions=[known[name].config for name in chosen], next_page_token=token)

    async def delete_subscription(self, request: Any) -> Empty:
        await self._catalogue.delete_subscription(request.subscription)
        return Empty()

    async def modify_push_config(self, request: Any) -> Empty:
        self._catalogue.subscription(request.subscription)
        if request.push_config.push_endpoint:
            raise unimplemented("push delivery")
        return Empty()

    async def pull(self, request: Any) -> bytes:
        if request.max_messages <= 0:
            raise invalid("The value for max_messages must be greater than 0.")
        wait_seconds = 0.0 if request.return_immediately else self._pull_wait_seconds
        return await Pull(request.max_messages).serve(self._attached(request.subscription), wait_seconds)

    async def streaming_pull(self, _requests: Any, context: Any) -> None:
        await rpc.answered(context, self._stream(context))

    async def acknowledge(self, request: Any) -> Empty:
        subscription = self._catalogue.subscription(request.subscription)
        _check_ack_ids(request.ack_ids)
        stored, invalid_ids = subscription.acknowledge(request.ack_ids)
        if stored is not None:
            await asyncio.shield(stored)
        _refuse_invalid(subscription, invalid_ids)
        return Empty()

    async def modify_ack_deadline(self, request: Any) -> Empty:
        subscription = self._catalogue.subscription(request.subscription)
        _check_ack_ids(request.ack_ids)
        settings.check_deadline(request.ack_deadline_seconds, minimum=0)
        seconds = [request.ack_deadline_seconds] * len(request.ack_ids)
        _refuse_invalid(subscription, subscription.modify_deadlines(request.ack_ids, seconds))
        return Empty()

    async def create_snapshot(self, request: Any) -> Any:
        return (await self._snapshots.create(request)).config

    async def get_snapshot(self, request: Any) -> Any:
        return self._snapshots.get(request.snapshot).config

    async def list_snapshots(self, request: Any) -> Any:
        prefix = names.check_project(request.project) + "/"
        known = self._broker.snapshots
        chosen, token = page((name for name in known if name.startswith(prefix)), request.page_size, request.page_token)
        return _ListSnapshotsResponse(snapshots=[known[name].config for name in chosen], next_page_token=token)

    async def update_snapshot(self, request: Any) -> Any:
        return (await self._snapshots.update(request)).config

    async def delete_snapshot(self, request: Any) -> Empty:
        await self._snapshots.delete(request.snapshot)
        return Empty()

    async def seek(self, request: Any) -> Any:
        await self._snapshots.seek(request)
        return _SeekResponse()

    async def _stream(self, context: Any) -> None:
        first = await context.read()
        if first is not grpc.aio.EOF:
            await troubled(self._broker.faults, "StreamingPull", lambda first: self._serve(first, context))(first)

    async def _serve(self, first: Any, context: Any) -> None:
        await stream.serve(self._attached(first.subscription), first, context, self._broker.faults)

    def _attached(self, name: str) -> Subscription:
        subscription = self._catalogue.subscription(name)
        if subscription.config.detached:
            raise failed_precondition("The subscription is detached from its topic.")
        return subscription


def _check_ack_ids(ack_ids: Sequence[str]) -> None:
    if not ack_ids:
        raise invalid("No ack ids specified.")
    size_bytes = sum(map(len, ack_ids))
    if size_bytes > _MAX_ACK_BYTES:
        raise invalid(f"The request has {size_bytes} bytes of ack ids; the maximum is {_MAX_ACK_BYTES}.")


def _refuse_invalid(subscription: Subscription, ack_ids: Sequence[str]) -> None:
    """Only exactly-once delivery tells the client that an ack id holds no lease any more."""
    if ack_ids and subscription.config.enable_exactly_once_delivery:
        raise RefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            "Some acknowledgement ids in the request were invalid: they have expired or were malformed.",
            dict.fromkeys(ack_ids, _INVALID_ACK_ID),
        )
