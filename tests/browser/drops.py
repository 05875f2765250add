"""Dropping real files and folders on a page, as a file manager does."""

from pathlib import Path

from playwright.sync_api import Page


def drop(page: Page, *paths: Path) -> None:
    """Drop files or folders on the drop zone. Only the DevTools protocol can make drops that carry real folders."""
    box = page.locator("#drop").bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + 40, "y": box["y"] + 20}
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    session.detach()
