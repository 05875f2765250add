"""The command tells what it can do without importing it."""

import subprocess
import sys

from click.testing import CliRunner

from spotmill.cli import local, main


def test_help_names_every_command_and_each_loads() -> None:
    """Each listed command exists and has help of its own."""
    for group in (main, local):
        listed = CliRunner().invoke(group, ["--help"]).output
        for name, reference in group.references.items():
            assert name in listed
            assert reference.load().get_short_help_str(), name


def test_help_is_light() -> None:
    """``spotmill --help`` imports neither Google's clients nor SQLAlchemy."""
    code = "import sys, spotmill.cli; print({'sqlalchemy', 'grpc', 'google.cloud.storage'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "set()"
