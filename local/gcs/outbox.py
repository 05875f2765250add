"""Publishing recorded events to Pub/Sub: in order for each topic, at least once, for as long as it takes.

Speaks gRPC with a hand-described message instead of google-cloud-pubsub, whose import alone would cost this server a
third of the memory it allows itself.
"""

import asyncio
import json
import logging
import sqlite3
from typing import Any

import grpc.aio
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from local.gcs.database import Database, Transaction

log = logging.getLogger(__name__)

#: Pub/Sub takes 1000 messages and 10 MB in one call; payloads here are about 1 KB.
PUBLISH_BATCH = 500
PUBLISH_TIMEOUT_SECONDS = 20
FIRST_BACKOFF_SECONDS = 0.05
MAX_BACKOFF_SECONDS = 2.0


class Outbox:
    """Drains the outbox table into the Pub/Sub server at ``host``."""

    def __init__(self, database: Database, host: str) -> None:
        self._database = database
        # The channel's own reconnect backoff would grow to two minutes and hide that Pub/Sub is back.
        self._channel = grpc.aio.insecure_channel(
            host,
            options=[
                ("grpc.initial_reconnect_backoff_ms", 50),
                ("grpc.min_reconnect_backoff_ms", 50),
                ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._publish = self._channel.unary_unary(
            "/google.pubsub.v1.Publisher/Publish",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=lambda _: None,
        )
        self._loop = asyncio.get_running_loop()
        self._drains: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Say, from any thread, that events were committed."""
        self._loop.call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        """Start publishing for every topic that has events and is not being served."""
        for (topic,) in self._database.reader.execute("SELECT DISTINCT topic FROM outbox").fetchall():
            if topic not in self._drains:
                self._drains[topic] = self._loop.create_task(self._drain(topic))

    async def close(self) -> None:
        """Stop; what is not published stays in the table."""
        drains = list(self._drains.values())
        for drain in drains:
            drain.cancel()
        await asyncio.gather(*drains, return_exceptions=True)
        await self._channel.close()

    async def _drain(self, topic: str) -> None:
        backoff_seconds = FIRST_BACKOFF_SECONDS
        try:
            while rows := self._waiting(topic):
                try:
                    await self._publish(_request(topic, rows), timeout=PUBLISH_TIMEOUT_SECONDS)
                except grpc.aio.AioRpcError as error:
                    if backoff_seconds == FIRST_BACKOFF_SECONDS:
                        log.warning(
                            "gcs.publish_failed topic=%s code=%s; trying until it works", topic, error.code().name
                        )
                    await asyncio.sleep(backoff_seconds)
                    backoff_seconds = min(2 * backoff_seconds, MAX_BACKOFF_SECONDS)
                else:
                    backoff_seconds = FIRST_BACKOFF_SECONDS
                    await self._database.write(_forget(topic, rows[-1]["id"]))
        finally:
            del self._drains[topic]

    def _waiting(self, topic: str) -> list[sqlite3.Row]:
        return self._database.reader.execute(
            "SELECT id, data, attributes FROM outbox WHERE topic = ? ORDER BY id LIMIT ?", (topic, PUBLISH_BATCH)
        ).fetchall()


def _forget(topic: str, last: int) -> Any:
    def change(transaction: Transaction) -> None:
        transaction.execute("DELETE FROM outbox WHERE topic = ? AND id <= ?", (topic, last))

    return change


def _request(topic: str, rows: list[sqlite3.Row]) -> Any:
    messages = [{"data": row["data"], "attributes": json.loads(row["attributes"])} for row in rows]
    return _PublishRequest(topic=topic, messages=messages)


def _describe_publish_request() -> Any:
    """google.pubsub.v1.PublishRequest as far as it is needed: field numbers as in google/pubsub/v1/pubsub.proto."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="spotmill/publish.proto", package="spotmill", syntax="proto3")
    message = file.message_type.add(name="PubsubMessage")
    message.field.add(name="data", number=1, type=field.TYPE_BYTES, label=field.LABEL_OPTIONAL)
    entry = message.nested_type.add(name="AttributesEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    repeated = {"type": field.TYPE_MESSAGE, "label": field.LABEL_REPEATED}
    message.field.add(name="attributes", number=2, type_name=".spotmill.PubsubMessage.AttributesEntry", **repeated)
    request = file.message_type.add(name="PublishRequest")
    request.field.add(name="topic", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    request.field.add(name="messages", number=2, type_name=".spotmill.PubsubMessage", **repeated)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("spotmill.PublishRequest"))


_PublishRequest = _describe_publish_request()
