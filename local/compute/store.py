"""The group's state on disk, so that it survives any end of the server. The only file here that speaks SQL."""

import json
import sqlite3
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from local.compute.instance import Action, Instance, Status, fresh_id

KEPT_OPERATIONS = 1000
KEPT_ERRORS = 200

TABLES = """
CREATE TABLE IF NOT EXISTS groups (
    name TEXT PRIMARY KEY, id INTEGER NOT NULL, target_size INTEGER NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS instances (
    name TEXT PRIMARY KEY, number INTEGER NOT NULL, zone TEXT NOT NULL, id INTEGER NOT NULL, created_at REAL NOT NULL,
    status TEXT NOT NULL, action TEXT NOT NULL, boot_id TEXT NOT NULL, guest_pid INTEGER NOT NULL,
    guest_born TEXT NOT NULL, metadata_port INTEGER NOT NULL, preempted INTEGER NOT NULL, kill_at REAL NOT NULL,
    started_at REAL NOT NULL, error_code TEXT NOT NULL, error_message TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS operations (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, request_id TEXT UNIQUE,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS errors (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, instance TEXT NOT NULL, zone TEXT NOT NULL, action TEXT NOT NULL,
    code TEXT NOT NULL, message TEXT NOT NULL
);
"""

COLUMNS = [field.name for field in fields(Instance)]
PUT_INSTANCE = f"REPLACE INTO instances ({', '.join(COLUMNS)}) VALUES ({', '.join(':' + name for name in COLUMNS)})"  # noqa: S608 - our own names


@dataclass
class GroupRow:
    """The group itself."""

    name: str
    id: int
    target_size: int
    created_at: float


@dataclass(frozen=True)
class Failure:
    """An action on an instance that did not succeed. ``at``: seconds since 1970."""

    at: float
    instance: str
    zone: str
    action: str
    code: str
    message: str


class Store:
    """One SQLite file. Each method is one transaction, on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.row_factory = sqlite3.Row
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = FULL")
        self._sql.executescript(TABLES)

    def close(self) -> None:
        self._sql.close()

    def group(self, name: str) -> GroupRow:
        """The group of this name, made empty if there is none."""
        insert = "INSERT OR IGNORE INTO groups (name, id, target_size, created_at) VALUES (?, ?, 0, ?)"
        self._sql.execute(insert, (name, fresh_id(), time.time()))
        return GroupRow(**self._sql.execute("SELECT * FROM groups WHERE name = ?", (name,)).fetchone())

    def groups(self) -> list[str]:
        return [row["name"] for row in self._sql.execute("SELECT name FROM groups")]

    def set_target(self, name: str, target_size: int) -> None:
        self._sql.execute("UPDATE groups SET target_size = ? WHERE name = ?", (target_size, name))

    def instances(self) -> list[Instance]:
        """All of them, the oldest first."""
        rows = [dict(row) for row in self._sql.execute("SELECT * FROM instances ORDER BY number")]
        for row in rows:
            row["status"], row["action"] = Status(row["status"]), Action(row["action"])
            row["preempted"] = bool(row["preempted"])
        return [Instance(**row) for row in rows]

    def put(self, instance: Instance) -> None:
        self._sql.execute(PUT_INSTANCE, asdict(instance))

    def remove(self, instance: Instance) -> None:
        self._sql.execute("DELETE FROM instances WHERE name = ?", (instance.name,))

    def add_operation(self, scope: str, request_id: str | None, body: dict[str, Any]) -> None:
        """``scope``: ``regions/R`` or ``zones/Z``."""
        insert = "INSERT INTO operations (name, scope, request_id, body) VALUES (?, ?, ?, ?)"
        number = self._sql.execute(insert, (body["name"], scope, request_id, json.dumps(body))).lastrowid or 0
        self._sql.execute("DELETE FROM operations WHERE number <= ?", (number - KEPT_OPERATIONS,))

    def change_operation(self, body: dict[str, Any]) -> None:
        """What an operation has come to since it was handed out."""
        self._sql.execute("UPDATE operations SET body = ? WHERE name = ?", (json.dumps(body), body["name"]))

    def operation(self, scope: str, name: str) -> dict[str, Any] | None:
        return self._body("SELECT body FROM operations WHERE scope = ? AND name = ?", (scope, name))

    def operation_for(self, request_id: str) -> dict[str, Any] | None:
        """The operation that an earlier call with this request id began."""
        return self._body("SELECT body FROM operations WHERE request_id = ?", (request_id,))

    def operations(self, scope: str) -> list[dict[str, Any]]:
        """The newest first."""
        rows = self._sql.execute("SELECT body FROM operations WHERE scope = ? ORDER BY number DESC", (scope,))
        return [json.loads(row["body"]) for row in rows]

    def add_error(self, instance: Instance, at: float) -> None:
        """Note what keeps this instance from its action."""
        insert = "INSERT INTO errors (at, instance, zone, action, code, message) VALUES (?, ?, ?, ?, ?, ?)"
        values = (at, instance.name, instance.zone, instance.action, instance.error_code, instance.error_message)
        number = self._sql.execute(insert, values).lastrowid or 0
        self._sql.execute("DELETE FROM errors WHERE number <= ?", (number - KEPT_ERRORS,))

    def errors(self) -> list[Failure]:
        """The newest first."""
        rows = self._sql.execute("SELECT at, instance, zone, action, code, message FROM errors ORDER BY number DESC")
        return [Failure(**dict(row)) for row in rows]

    def _body(self, query: str, values: tuple[str, ...]) -> dict[str, Any] | None:
        row = self._sql.execute(query, values).fetchone()
        return json.loads(row["body"]) if row else None
