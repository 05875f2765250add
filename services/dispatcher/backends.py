"""What the handlers talk to, opened once for each process and on first use."""

from functools import cached_property
from typing import Any

from google.cloud.pubsub_v1 import PublisherClient
from sqlalchemy import Engine

from services.dispatcher.group_commit import GroupCommit
from services.dispatcher.recording import Arrival, record_and_publish
from shared import queue
from shared.compute import InstanceGroup
from shared.database import open_engine
from shared.jobs import Pending, Recorded
from shared.routing import Offer
from shared.settings import DispatcherSettings
from shared.storage_client import open_storage

#: Announcements that one transaction records at most; there are never more than the server has threads.
_MOST_TOGETHER = 100


class Backends:
    """The database, the queue, the buckets and the instance group of one dispatcher."""

    def __init__(self, settings: DispatcherSettings) -> None:
        self.settings = settings
        #: The pipelines as last read. They are read anew where a type is not among theirs.
        self.offers: list[Offer] = []
        #: Announcements that come at the same time are recorded and published together.
        self.intake = GroupCommit[list[Arrival], list[Recorded]](
            lambda groups: record_and_publish(self.engine, self.publish, groups), most=_MOST_TOGETHER
        )

    @cached_property
    def engine(self) -> Engine:
        """The database, under the dispatcher's own role."""
        return open_engine(self.settings)

    @cached_property
    def publisher(self) -> PublisherClient:
        """The publisher of job messages."""
        return queue.open_publisher()

    @cached_property
    def storage(self) -> Any:
        """The storage client."""
        return open_storage(self.settings.project)

    @cached_property
    def group(self) -> InstanceGroup:
        """The workers' instance group."""
        return InstanceGroup(self.settings)

    def publish(self, pending: list[Pending]) -> None:
        """Announce queued jobs to the workers."""
        queue.publish(self.engine, self.publisher, self.settings, pending)
