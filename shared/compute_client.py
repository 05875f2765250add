"""The one client of Compute that is used here, without the 129 others of its package.

``import google.cloud.compute_v1`` loads them all: half a second more of processor time at each cold start, and 56 MB of
files. The modules of one client need only each other, if the package's own ``__init__`` is kept from running; so the
images carry no others (``images/packages.sh``).
"""

import importlib
import sys
import threading
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_PACKAGE = "google.cloud.compute_v1"

_lock = threading.Lock()


def load() -> tuple[Any, Any]:
    """Import on first use; return the client's class for regional managed instance groups, and the types' module."""
    with _lock:
        return _load()


def _load() -> tuple[Any, Any]:
    stand_in = None
    if _PACKAGE not in sys.modules and (spec := find_spec(_PACKAGE)) is not None:
        stand_in = ModuleType(_PACKAGE)
        stand_in.__path__ = list(spec.submodule_search_locations or ())
        sys.modules[_PACKAGE] = stand_in
    try:
        client = importlib.import_module(f"{_PACKAGE}.services.region_instance_group_managers")
        types = importlib.import_module(f"{_PACKAGE}.types.compute")
    finally:
        if stand_in is not None:
            del sys.modules[_PACKAGE]  # who wants the whole package shall get it
    return client.RegionInstanceGroupManagersClient, types
