"""Ends what a killed launcher or postmaster left behind, so that the next start finds the data free."""

import contextlib
import signal

import psutil

from local.postgres.cluster import Cluster

GRACE_SECONDS = 2.0


def remaining(cluster: Cluster) -> list[psutil.Process]:
    """Every Postgres process that works in this data directory; each of them has it as its working directory."""
    directory = str(cluster.pgdata.resolve())
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] in ("postgres", "postgres.exe"):
            with contextlib.suppress(psutil.Error):
                if process.cwd() == directory:
                    found.append(process)
    return found


def clear(cluster: Cluster) -> None:
    """End them all and remove the stale ``postmaster.pid``. Only for the holder of the launcher's lock.

    The file has to go because its process id may since belong to a stranger, for whom Postgres would wait for ever.
    Backends outlive a killed postmaster by moments, and hold the shared memory that the next one asks for.
    """
    processes = remaining(cluster)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGQUIT)  # "immediate": the log is replayed at the next start
    _, alive = psutil.wait_procs(processes, timeout=GRACE_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)
    cluster.pid_file.unlink(missing_ok=True)
