"""Outlives ``spotmill up`` by a moment: when that is gone, however it went, all that it started goes too.

Called as ``python -m local.guardian DATA_DIR`` with a pipe as standard input that only ``spotmill up`` holds open. The
kernel closes it even after ``kill -9``. (Linux' PR_SET_PDEATHSIG would not do: VMs outlive the server that starts them,
it is undone by a change of user, and other systems have nothing like it.)
"""

import signal
import sys
from pathlib import Path

from local import marked


def main() -> None:
    """Wait, then kill what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    marked.kill(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
