# ruff: noqa: N999 - gunicorn looks for this name
"""gunicorn: one process, some threads, which wait for the database and Google most of the time."""

import os

bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8080')}"  # named as by functions-framework
worker_class = "gthread"
workers = 1
threads = 8
# The platform decides how long an event may take (reconcile: minutes). And while it lets an idle instance have no
# processor, gunicorn would take the server for dead.
timeout = 0
# Cloud Run gives ten seconds; an event that is cut off comes again.
graceful_timeout = 8
# The heartbeat file must not lie on a disk that can stall.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - memory, see above
control_socket_disable = True
