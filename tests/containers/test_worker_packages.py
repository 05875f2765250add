"""What pipelines open of the worker's image, as their own user and with nothing writable but their directory."""

import re
import tomllib

import pytest

from tests.containers.engine import REPOSITORY, Image
from tests.containers.services import NO_DISK

#: As a child has it: its user, no rights, a file system that is read-only.
CHILD = ("--user", "10002:10002", *NO_DISK, "--entrypoint", "python")

SPEECH = """
import numpy, av
import ctranslate2, faster_whisper, kaldi_native_fbank, onnxruntime
from faster_whisper.vad import get_speech_timestamps
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

assert get_speech_timestamps(numpy.zeros(32000, dtype=numpy.float32)) == []
assert "int8" in ctranslate2.get_supported_compute_types("cpu")
assert onnxruntime.get_available_providers()[-1] == "CPUExecutionProvider"
with threadpool_limits(1):
    assert eigh(numpy.eye(3))[0].tolist() == [1, 1, 1]
kaldi_native_fbank.OnlineFbank(kaldi_native_fbank.FbankOptions())
"""
VIDEO = """
import subprocess, av, imageio_ffmpeg

ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
assert ffmpeg.startswith("/opt/")
film = "/tmp/film.mp4"
made = ["-f", "lavfi", "-i", "testsrc=d=0.4:r=10", "-f", "lavfi", "-i", "sine=d=0.4", "-c:v", "libx264", "-c:a", "aac"]
for arguments in (["-version"], [*made, film], ["-i", film, "-c:v", "libsvtav1", "-f", "null", "-"]):
    subprocess.run([ffmpeg, "-v", "error", "-y", *arguments], check=True, capture_output=True)
with av.open(film) as container:
    assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
    assert sum(1 for _ in container.decode(video=0)) == 4
encoders = subprocess.run([ffmpeg, "-v", "error", "-encoders"], check=True, capture_output=True, text=True).stdout
assert all(f" {name} " in encoders for name in ("libx264", "libsvtav1", "h264_nvenc", "aac"))
"""
IMAGES = """
import pyvips, rawpy
import pillow_heif

assert rawpy.libraw_version >= (0, 20, 0)
pillow_heif.register_heif_opener()
pyvips.Image.black(8, 8)
"""
ENGINES = """
import anthropic, google.genai, openai
from huggingface_hub.constants import HF_HUB_DISABLE_XET

assert HF_HUB_DISABLE_XET
"""


@pytest.mark.parametrize("code", [SPEECH, VIDEO, IMAGES, ENGINES], ids=["speech", "video", "images", "engines"])
def test_what_pipelines_open_is_there(worker: Image, code: str) -> None:
    """Models, codecs and documents work: what was left out of the packages is needed by none of them."""
    told = {"ORT_DISABLE_TELEMETRY": "1"}  # by the agent, to every child
    said = worker.result(*CHILD, environment=told, command=("-c", f"{code}print('fine')"))
    assert said.split()[-1:] == ["fine"], said


def test_every_pipeline_is_there(worker: Image) -> None:
    """The image has the pipelines that this repository says it has."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    named = set(project["project"]["entry-points"]["spotmill.pipelines"])
    listed = worker.result(*NO_DISK, command=("pipelines", "list"))
    assert set(re.findall(r"^([a-z0-9-]+)\t", listed, re.MULTILINE)) == named


def test_models_of_no_hub_are_not_copied(worker: Image) -> None:
    """The job of a deployment has nothing to do where every model has a place of its own."""
    told = {
        "DATABASE_URL": "postgresql+pg8000://nobody@127.0.0.1/none",
        "GOOGLE_CLOUD_PROJECT": "p",
        "SPOTMILL_MODELS": "whisper=package:faster_whisper/assets",
        "SPOTMILL_RESULT_BUCKET": "results",
        "SPOTMILL_UPLOAD_BUCKET": "uploads",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
    }
    said = worker.result(*NO_DISK, environment=told, command=("models", "sync"))
    assert "is not of the hub; nothing to copy" in said
