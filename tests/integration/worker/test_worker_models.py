"""Models: where pipelines get their weights from, and what happens where there are none."""

import os
import subprocess
import sys
from pathlib import Path

from tests.agents import RESULTS, Lab
from tests.model_hub import hub


def _fill(lab: Lab, prefix: str, **files: str) -> None:
    for name, content in files.items():
        lab.results.blob(f"{prefix}/{name}").upload_from_string(content)


def test_model_of_a_bucket(lab: Lab) -> None:
    """A prefix of a bucket becomes a folder on the VM's disk, which the next worker finds there."""
    _fill(lab, "models/one", weights="heavy", config="light")
    places = {"models": f"small=gs://{RESULTS}/models/one/", "model_dir": lab.folder / "models"}
    first = lab.add("trial-model", model="small")
    machine = lab.start(**places)
    said = lab.wait_for_status(first, "succeeded").result
    assert said["files"] == {"weights": "heavy", "config": "light"}
    machine.off()
    kept = next((lab.folder / "models").iterdir())
    stamp = (kept / "weights").stat().st_mtime_ns
    second = lab.add("trial-model", model="small")
    lab.start(**places)
    assert lab.wait_for_status(second, "succeeded").result == said
    assert (kept / "weights").stat().st_mtime_ns == stamp, "it was not fetched again"


def test_damaged_model_is_fetched_again(lab: Lab) -> None:
    """A file that has changed on the disk is not what the bucket has."""
    _fill(lab, "models/two", weights="heavy")
    places = {"models": f"small=gs://{RESULTS}/models/two", "model_dir": lab.folder / "models"}
    job = lab.add("trial-model", model="small")
    lab.start(**places)
    said = lab.wait_for_status(job, "succeeded").result
    lab.vms[0].off()
    (next((lab.folder / "models").iterdir()) / "weights").write_text("rotten")
    again = lab.add("trial-model", model="small")
    machine = lab.start(**places)
    assert lab.wait_for_status(again, "succeeded").result == said
    assert machine.events("model.damaged")


def test_new_weights_have_a_new_id(lab: Lab) -> None:
    """The id follows the weights, wherever they lie: steps that depend on them are made anew."""
    ids = []
    for version in ("first", "second"):
        path = lab.folder / version
        path.mkdir()
        (path / "weights").write_text(version)
        job = lab.add("trial-model", model="small")
        machine = lab.start(models=f"small={path}")
        ids.append(lab.wait_for_status(job, "succeeded").result["id"])
        machine.off()
    assert ids[0] != ids[1]
    copy = lab.folder / "copy"
    (lab.folder / "first").rename(copy)
    job = lab.add("trial-model", model="small")
    lab.start(models=f"small={copy}")
    assert lab.wait_for_status(job, "succeeded").result["id"] == ids[0]


def test_model_of_a_package(lab: Lab) -> None:
    """Weights may come with an installed package."""
    job = lab.add("trial-model", model="marker")
    lab.start(models="marker=package:spotmill/py.typed")
    assert list(lab.wait_for_status(job, "succeeded").result["files"]) == ["py.typed"]


def test_no_such_model(lab: Lab) -> None:
    """A pipeline hears which models there are, and that one has nothing behind it."""
    place = Path("/nonexistent/model")
    unknown, empty = lab.add("trial-model", model="large"), lab.add("trial-model", model="small")
    nothing = lab.add("trial-model", model="none")
    lab.start(models=f"small={place},none=gs://{RESULTS}/nothing/here")
    assert "SPOTMILL_MODELS names: none, small" in lab.wait_for_status(unknown, "succeeded").result["missing"]
    assert str(place) in lab.wait_for_status(empty, "succeeded").result["missing"]
    assert "nothing under" in lab.wait_for_status(nothing, "succeeded").result["missing"]


def test_model_of_the_hub_is_copied_once(lab: Lab) -> None:
    """A copy in the bucket serves VMs that have no way to the hub; a second run of the command changes nothing."""
    with hub() as found:
        found.repositories["Systran/faster-whisper-tiny"] = {"model.bin": b"weights " * 1000, "config.json": b"{}"}
        environment = lab.environment(models="small=tiny,other=/somewhere") | {
            "HF_ENDPOINT": found.url,
            "PATH": os.environ["PATH"],
        }
        said = [
            subprocess.run(
                [sys.executable, "-m", "spotmill", "models", "sync"],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            for _ in range(2)
        ]
    assert "small: copied" in said[0]
    assert "other: /somewhere is not of the hub" in said[0]
    assert "small: the bucket has it already" in said[1]
    _fill(lab, "models/tiny/0123456789abcdef", **{"model.bin": "half"})  # a copy that was never finished
    job = lab.add("trial-model", model="small")
    lab.start(models="small=tiny", model_dir=lab.folder / "models")
    files = lab.wait_for_status(job, "succeeded").result["files"]
    assert files == {"model.bin": "weights " * 1000, "config.json": "{}"}


def test_nobody_is_asked_unless_configured(lab: Lab) -> None:
    """Without an engine there is no hosted model, and its clients are not even loaded."""
    job = lab.add("trial-ask")
    lab.start()
    assert lab.wait_for_status(job, "succeeded").result == {"engine": None}


def test_passages_that_are_none(lab: Lab) -> None:
    """A pipeline that hands over something else than passages has broken the rules; nothing is stored."""
    job = lab.add("trial-babble")
    lab.start(max_failures=1)
    row = lab.wait_for_status(job, "failed")
    assert "broke the rules" in row.error
