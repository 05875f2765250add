"""What has to be looked after now and then: consoles that grow, directories of machines long gone, the dead."""

import asyncio
import shutil
import time
from pathlib import Path

from local.compute import orphans
from local.compute.group import Group

PERIOD_SECONDS = 5.0
CONSOLE_BYTES = 8 * 2**20
KEPT_DIRECTORIES = 20


async def keep_house(group: Group) -> None:
    """Until cancelled."""
    while True:
        orphans.bury()
        consoles = [vm.console for vm in group.vms.values()]
        await asyncio.to_thread(tidy, group.settings.data_dir / "vms", set(group.vms), consoles)
        await asyncio.sleep(PERIOD_SECONDS)


def tidy(directory: Path, members: set[str], consoles: list[Path]) -> None:
    for console in consoles:
        rotate(console)
    if not directory.exists():
        return
    gone = [path for path in directory.iterdir() if path.name not in members]
    for path in sorted(gone, key=lambda path: path.stat().st_mtime)[:-KEPT_DIRECTORIES]:
        shutil.rmtree(path, ignore_errors=True)
    minute_ago = time.time() - 60
    for rubbish in directory.glob("*/discarded-*"):
        if rubbish.stat().st_mtime < minute_ago:
            shutil.rmtree(rubbish, ignore_errors=True)


def rotate(console: Path) -> None:
    """Keep one old part. Copied and cut, because the machine goes on writing (appending) to the open file."""
    if console.exists() and console.stat().st_size > CONSOLE_BYTES:
        shutil.copyfile(console, console.with_suffix(".log.1"))
        with console.open("r+b") as file:
            file.truncate(0)
