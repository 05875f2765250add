"""The pause of the whole queue: jobs at hand are finished, nothing new is claimed, published or given a VM."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class PauseView:
    """A pause that goes on."""

    paused_by: str
    paused_at: datetime


_CURRENT = text("SELECT paused_by, paused_at FROM pauses WHERE resumed_at IS NULL")


def current(connection: Connection) -> PauseView | None:
    """Return the pause that goes on, None if the queue moves."""
    row = connection.execute(_CURRENT).one_or_none()
    return None if row is None else PauseView(row.paused_by, row.paused_at)


_PAUSE = text("""
    INSERT INTO pauses (paused_by) VALUES (:by)
    ON CONFLICT ((true)) WHERE resumed_at IS NULL DO NOTHING RETURNING id""")


def pause(connection: Connection, *, by: str) -> bool:
    """Pause the queue; False if it was paused already, by whomever."""
    return connection.execute(_PAUSE, {"by": by}).one_or_none() is not None


_RESUME = text("UPDATE pauses SET resumed_at = now(), resumed_by = :by WHERE resumed_at IS NULL RETURNING id")


def resume(connection: Connection, *, by: str) -> bool:
    """Let the queue move again; False if it did already."""
    return connection.execute(_RESUME, {"by": by}).one_or_none() is not None
