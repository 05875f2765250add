"""libvips, set up once for a process that reads hostile files."""

import logging
import os
from functools import cache
from typing import Any

#: The only loaders that may open a file; everything else libvips was built with (SVG, CSV, matrix, raw, …) is blocked.
LOADERS = (
    "VipsForeignLoadJpeg",
    "VipsForeignLoadPng",
    "VipsForeignLoadWebp",
    "VipsForeignLoadTiff",
    "VipsForeignLoadNsgif",
    "VipsForeignLoadHeif",
)


@cache
def load_libvips() -> Any:
    """Import pyvips and return it, guarded: loaders on an allow-list, no operation cache, one thread.

    The guard holds for the whole process. A worker runs as many children as it has slots, so one thread for each fills
    the cores; ``VIPS_CONCURRENCY`` in the environment says otherwise.
    """
    import pyvips  # noqa: PLC0415 - the web and the dispatcher have no libvips

    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in LOADERS:
        pyvips.operation_block_set(loader, False)
    # Every image is seen once: a cache would only keep the last one's pixels and file open.
    pyvips.cache_set_max(0)
    pyvips.cache_set_max_mem(0)
    pyvips.cache_set_max_files(0)
    # It warns of every oddity of every file, in words the file may choose.
    logging.getLogger("pyvips").setLevel(logging.ERROR)
    if "VIPS_CONCURRENCY" not in os.environ:
        pyvips.concurrency_set(1)
    return pyvips
