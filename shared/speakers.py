"""What people call the speakers of a recording: one name for each label, the same for everybody who sees the job."""

import uuid

from sqlalchemy import Connection, text

_NAMES = text("SELECT label, name FROM speakers WHERE job_id = :job")
_NAME = text("SELECT name_speaker(:job, :label, :name)")


def names(connection: Connection, job_id: uuid.UUID) -> dict[str, str]:
    """Read the names of a job's speakers by label; those that nobody named are left out."""
    return {row.label: row.name for row in connection.execute(_NAMES, {"job": job_id})}


def rename(connection: Connection, job_id: uuid.UUID, label: str, name: str) -> bool:
    """Call a speaker ``name`` on behalf of whom ``connection`` acts for; an empty one takes the name back.

    Returns False, and does nothing, if no passage of a job that this person sees has such a speaker.
    """
    return bool(connection.scalar(_NAME, {"job": job_id, "label": label, "name": name}))
