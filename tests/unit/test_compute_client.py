"""The client of Compute is loaded alone, and leaves the package as it would be found."""

import subprocess
import sys

_PROGRAM = """
import sys
from shared import compute_client

client, types = compute_client.load()
loaded = {name.split(".")[4] for name in sys.modules if name.startswith("google.cloud.compute_v1.services.")}
assert loaded == {"region_instance_group_managers", "region_operations"}, loaded
from google.cloud import compute_v1

assert compute_v1.RegionInstanceGroupManagersClient is client
assert compute_v1.InstanceGroupManager is types.InstanceGroupManager
assert compute_client.load()[0] is client
"""


def test_no_other_client_is_loaded() -> None:
    """The images carry the two services that are loaded here, and whoever imports the whole package still can."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
