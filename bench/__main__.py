"""``python -m bench [--quick] [GROUP …]``: run the benchmarks, print a table, write JSON."""

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.progress import say

GROUPS = (
    "gcs", "pubsub", "image", "worker", "dispatcher", "control_plane", "lists", "story", "images", "speech", "speakers",
    "video", "interruptions", "length",
)  # fmt: skip
RESULTS = Path(__file__).parent / "results"


def table(rows: list[dict[str, Any]]) -> str:
    """Render rows of {group, name, value, unit, target} for a terminal."""
    cells = [("group", "what", "measured", "target")]
    for row in rows:
        value = f"{row['value']:,.2f}" if isinstance(row["value"], float) else f"{row['value']:,}"
        cells.append((row["group"], row["name"], f"{value} {row['unit']}".strip(), str(row.get("target") or "")))
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells)


def main() -> None:
    """Run the groups that were asked for, one after the other, so that they do not disturb each other."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"any of {', '.join(GROUPS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="smaller loads; leaves out the 5 GB file")
    options = parser.parse_args()
    unknown = [group for group in options.groups if group not in GROUPS]
    if unknown:
        parser.error(f"unknown group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    rows: list[dict[str, Any]] = []
    for group in options.groups or GROUPS:
        say(f"{group}: begins")
        rows += import_module(f"bench.{group}").run(options.quick)
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    document = json.dumps({"machine": machine, "rows": rows}, indent=1)
    file.write_text(document, encoding="utf-8")
    print(document)


if __name__ == "__main__":
    main()
