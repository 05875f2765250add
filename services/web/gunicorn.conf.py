# ruff: noqa: N999 - gunicorn looks for this name
"""gunicorn: one process, some threads; requests are short, as files never pass through here."""

import os
from urllib.parse import urlsplit

# The development user is for this machine only, so only this machine may connect.
_local = bool(os.environ.get("SPOTMILL_DEV_USER"))
_url = urlsplit(os.environ.get("SPOTMILL_WEB_URL", "http://127.0.0.1:8080"))

_open = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8080')}"

bind = f"127.0.0.1:{_url.port or 8080}" if _local else _open
worker_class = "gthread"
workers = 1
threads = 16
# The platform decides how long a request may take. And while it lets an idle instance have no processor, gunicorn would
# take the server for dead.
timeout = 0
# Cloud Run gives ten seconds, which a form upload may need; everything else is over in milliseconds.
graceful_timeout = 8
keepalive = 30
# The heartbeat file must not lie on a disk that can stall.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - memory, see above
control_socket_disable = True
