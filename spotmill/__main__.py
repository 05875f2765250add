"""``python -m spotmill`` is the ``spotmill`` command."""

from spotmill.cli import main

main(prog_name="spotmill")
