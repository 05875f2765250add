"""What lies in a data directory of the local Postgres, and how to connect to it."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SUPERUSER = "postgres"


@dataclass(frozen=True)
class Postmaster:
    """What ``postmaster.pid`` says (the lines are described in Postgres' ``src/include/utils/pidfile.h``)."""

    pid: int
    port: int
    ready: bool


@dataclass(frozen=True)
class Cluster:
    """The files of one Postgres: its own directory ``pgdata``, the superuser's password, the launcher's lock."""

    data_dir: Path

    @property
    def pgdata(self) -> Path:
        return self.data_dir / "pgdata"

    @property
    def unfinished(self) -> Path:
        """Where ``initdb`` works; renamed to ``pgdata`` when complete, so that half a cluster is never started."""
        return self.data_dir / "pgdata.unfinished"

    @property
    def password_file(self) -> Path:
        return self.data_dir / "superuser.password"

    @property
    def lock_file(self) -> Path:
        return self.data_dir / "launcher.lock"

    @property
    def pid_file(self) -> Path:
        return self.pgdata / "postmaster.pid"

    def postmaster(self) -> Postmaster | None:
        """The running (or last killed) postmaster; ``None`` if there is none or it has not yet said its port."""
        try:
            lines = self.pid_file.read_text().splitlines()
        except FileNotFoundError:
            return None
        if len(lines) < 4:
            return None
        return Postmaster(pid=int(lines[0]), port=int(lines[3]), ready=len(lines) >= 8 and lines[7].strip() == "ready")

    def create_password(self) -> None:
        """Write a fresh superuser password that only this user can read, unless there is one."""
        if self.password_file.exists():
            return
        draft = self.password_file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.password_file)

    def password(self) -> str:
        return self.password_file.read_text().strip()


def superuser_url(data_dir: Path, database: str = "postgres") -> str:
    """The SQLAlchemy address (``postgresql+pg8000://``) of the superuser of a started local Postgres.

    Raises:
        ConnectionError: no Postgres is accepting connections from this data directory.
    """
    cluster = Cluster(data_dir)
    postmaster = cluster.postmaster()
    if postmaster is None or not postmaster.ready:
        raise ConnectionError(f"no Postgres is running in {data_dir}")
    user, password = quote(SUPERUSER), quote(cluster.password())
    return f"postgresql+pg8000://{user}:{password}@127.0.0.1:{postmaster.port}/{quote(database)}"
