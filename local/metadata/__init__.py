"""The metadata server that one virtual machine of the local cloud sees."""

from local.metadata.facts import Facts
from local.metadata.server import MetadataServer

__all__ = ["Facts", "MetadataServer"]
