"""The client of Cloud Storage, without what it asks for traces that nobody makes."""

import os

from google.cloud.storage import Client

#: Else the client fetches the metadata of each bucket that it meets, in a thread of its own, to name the bucket's
#: project in traces, whether there are any or not. That takes ``storage.buckets.get``, which no process holds: each
#: would leave a refusal in the audit log whenever it starts.
_SWITCH = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"


def open_storage(project: str) -> Client:
    """Make a client; it takes ``STORAGE_EMULATOR_HOST`` from the environment."""
    os.environ.setdefault(_SWITCH, "true")
    return Client(project=project)
