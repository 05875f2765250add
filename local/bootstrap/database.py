"""Makes the database, schema, logins and list of pipelines: ``python -m local.bootstrap.database DATA_DIR``.

One process for ``spotmill migrate`` and ``spotmill pipelines sync``, which would load the same libraries twice.
"""

import sys
from pathlib import Path

from sqlalchemy import Connection, create_engine, text

from local.postgres.cluster import superuser_url
from local.site import DATABASE, OWNER, SERVICES, Site
from shared.migrate import migrate
from spotmill.pipeline import installed_pipelines
from worker.registry import sync


def ensure_owner(superuser: Connection, site: Site) -> None:
    """Create the role that owns the schema, and the database."""
    # It makes the group roles, as a Cloud SQL administrator could; Postgres lets it grant those and no others.
    ensure_login(superuser, OWNER, site.passwords[OWNER], "CREATEROLE")
    if not superuser.scalar(text("SELECT true FROM pg_database WHERE datname = :name"), {"name": DATABASE}):
        superuser.execute(text(f'CREATE DATABASE "{DATABASE}" OWNER "{OWNER}"'))


def ensure_login(superuser: Connection, role: str, password: str, attributes: str = "") -> None:
    """Create a login, or give it its present password. Both words come from ``Site`` and need no quoting."""
    exists = superuser.scalar(text("SELECT true FROM pg_roles WHERE rolname = :role"), {"role": role})
    verb = "ALTER" if exists else "CREATE"
    superuser.execute(text(f"{verb} ROLE \"{role}\" LOGIN {attributes} PASSWORD '{password}'"))


def main() -> None:
    """Do it all; each part does nothing where nothing is missing."""
    site = Site.read(Path(sys.argv[1]))
    server = create_engine(superuser_url(site.state_of("postgres")), isolation_level="AUTOCOMMIT")
    with server.connect() as superuser:
        ensure_owner(superuser, site)
    owner = create_engine(site.database_url(OWNER))
    migrate(owner)
    with owner.begin() as connection:
        sync(connection, list(installed_pipelines().values()))
    owner.dispose()
    with server.connect() as superuser:
        for service in SERVICES:
            ensure_login(superuser, f"local_{service}", site.passwords[service])
            superuser.execute(text(f'GRANT "spotmill_{service}" TO "local_{service}"'))
    server.dispose()


if __name__ == "__main__":
    main()
