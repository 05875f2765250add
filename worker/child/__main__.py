"""``python -m worker.child DESCRIPTOR LIMITS``: started by the agent, never by people."""

import sys

from worker.child.messages import Limits
from worker.child.sandbox import enter


def main() -> None:
    """Enter the sandbox, then load what needs it."""
    offline = enter(Limits.decode(sys.argv[2]))
    from worker.child.line import Line  # noqa: PLC0415 - nothing else is imported with the agent's rights
    from worker.child.runner import serve  # noqa: PLC0415

    serve(Line(int(sys.argv[1])), offline=offline)


main()
