"""What is in the images, and what is not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.containers.engine import REPOSITORY, Image

#: Which of our packages each image carries, and at most how many bytes it has.
OURS = {
    "web": {"services", "services/web", "shared", "spotmill"},
    "dispatcher": {"eventarc", "services", "services/dispatcher", "shared", "spotmill"},
    "worker": {"shared", "spotmill", "worker"},
}
MOST_BYTES = {"web": 250e6, "dispatcher": 250e6, "worker": 1000e6, "worker-gpu": 2000e6}
#: What the markers of a lock are about: Debian bookworm's Python.
PYTHON = {
    "implementation_name": "cpython",
    "platform_machine": "x86_64",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}
#: Programs that no image needs: they build, install, fetch, or make somebody another user.
UNWANTED = (
    "apt-get",
    "as",
    "bash",
    "cc",
    "curl",
    "gcc",
    "git",
    "ld",
    "make",
    "mount",
    "perl",
    "pip",
    "pip3",
    "strip",
    "su",
    "wget",
)


@pytest.fixture(params=["web", "dispatcher", "worker"])
def image(request: pytest.FixtureRequest) -> Image:
    """Each image in turn."""
    found: Image = request.getfixturevalue(request.param)
    return found


def target(image: Image) -> str:
    """The target of the Dockerfile that an image is."""
    return image.name.partition("spotmill-")[2].partition(":")[0]


def installed(root: Path) -> dict[str, str]:
    """Names and versions of the distributions that a scanner finds in an image."""
    found = root.glob("opt/**/*.dist-info/METADATA")
    heads = (path.read_text(errors="replace").partition("\n\n")[0] for path in found)
    return {name_of(head, "Name"): name_of(head, "Version") for head in heads}


def pinned(name: str) -> dict[str, str]:
    """Names and versions that a lock has for the images."""
    lines = (REPOSITORY / "locks" / f"{name}.txt").read_text().splitlines()
    named = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z0-9]", line)]
    return {
        one.name: next(iter(one.specifier)).version
        for one in named
        if one.marker is None or one.marker.evaluate(PYTHON)
    }


def name_of(head: str, field: str) -> str:
    match = re.search(rf"^{field}: (.+)$", head, re.MULTILINE)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[1].strip()).lower() if field == "Name" else match[1].strip()


def test_it_is_small(image: Image) -> None:
    """What each may have at most, unpacked: a cold start reads it, a VM fetches it, and an idle project pays for it."""
    assert image.size_bytes <= MOST_BYTES[target(image)]


def test_it_runs_as_nobody_special(image: Image) -> None:
    """The user is not root, owns nothing of what it runs, and nothing there would make it root."""
    assert image.description["Config"]["User"] == "10001"
    with image.files() as root:
        files = [path for path in root.rglob("*") if not path.is_symlink() and path != root / "scratch"]
        modes = {str(path.relative_to(root)): path.stat() for path in files}
    assert not [name for name, found in modes.items() if found.st_uid in (10001, 10002)]
    assert not [
        name for name, found in modes.items() if found.st_mode & 0o6000 and found.st_mode & 0o170000 == 0o100000
    ]


def test_it_carries_its_own_code_and_no_other(image: Image) -> None:
    """Neither tests nor the local cloud nor another process's code is in an image."""
    with image.files() as root:
        code = root / "opt" / "code"
        packages = {
            path for path in code.glob("*") if path.is_dir() and path.suffix != ".dist-info" and path.name != "bin"
        }
        packages |= {path for path in code.glob("services/*") if path.is_dir()}
        names = {str(path.relative_to(code)) for path in packages if path.name != "__pycache__"}
        strays = [
            path for path in root.glob("**/tests") if (path / "__init__.py").exists() or list(path.glob("test_*.py"))
        ]
    assert names == OURS[target(image)]
    assert not strays


def test_nothing_that_builds_is_left(image: Image) -> None:
    """There is no compiler, no installer and no package manager that somebody who broke in could use."""
    with image.files() as root:
        found = {path.name for folder in ("bin", "sbin", "usr/bin", "usr/sbin") for path in (root / folder).glob("*")}
        found |= {path.name for path in root.glob("opt/*/bin/*")}
        assert not found & set(UNWANTED)
        assert not list(root.glob("opt/**/pip")) + list(root.glob("opt/**/setuptools"))


def test_scanners_find_every_package(image: Image) -> None:
    """Exactly what the lock names is installed, with its metadata; the system's packages are listed, too."""
    with image.files() as root:
        found = installed(root)
        system = (root / "var" / "lib" / "dpkg" / "status").read_text()
    assert found.pop("spotmill")
    assert found == pinned(target(image))
    assert "Package: libssl3\n" in system
    assert "Package: perl-base\n" not in system


def test_nothing_is_compiled_at_the_start(image: Image) -> None:
    """Each module has its bytecode, as nothing may be written later and a cold start must not compile."""
    with image.files() as root:
        sources = [path for path in root.glob("opt/**/*.py") if "bin" not in path.parts]
        missing = [
            path for path in sources if not (path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc").exists()
        ]
    assert len(sources) > 1000
    assert not missing


def test_labels_say_what_it_is(image: Image) -> None:
    """Title, version, revision and licence stand in the labels that registries and scanners read."""
    labels = image.description["Config"]["Labels"]
    said = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert said["title"] == f"spotmill-{target(image)}"
    assert (said["version"], said["revision"], said["licenses"]) == ("1.2.3", "0123abc", "Apache-2.0")
    assert said["description"]


def test_the_gpu_image_is_the_workers(worker: Image, gpu_worker: Image) -> None:
    """It adds the libraries that CUDA's programs open, which its lock names, and limits that CUDA can live with."""
    gpu = gpu_worker
    assert gpu.size_bytes <= MOST_BYTES["worker-gpu"]
    layers = worker.description["RootFS"]["Layers"]
    assert gpu.description["RootFS"]["Layers"][: len(layers)] == layers
    assert gpu.description["Config"]["Entrypoint"] == worker.description["Config"]["Entrypoint"]
    assert gpu.result(command=("pipelines", "list")) == worker.result(command=("pipelines", "list"))
    assert gpu.description["Config"]["Labels"]["org.opencontainers.image.title"] == "spotmill-worker-gpu"
    with worker.files() as root, gpu.files() as more:
        assert installed(more) == installed(root) | pinned("worker-gpu")


def test_the_gpu_image_has_what_recognition_opens(gpu_worker: Image) -> None:
    """The loader finds cuBLAS where the environment says, and CTranslate2 asks for none that is not there."""
    code = (
        "import ctypes, ctranslate2, pathlib, re;"
        "ctypes.CDLL('libcublas.so.12'); ctypes.CDLL('libcublasLt.so.12'); ctypes.CDLL('libnvrtc.so.12');"
        "folder = pathlib.Path(ctranslate2.__file__).parents[1] / 'ctranslate2.libs';"
        "library = next(folder.glob('libctranslate2*')).read_bytes();"
        "wanted = {name.decode() for name in re.findall(rb'lib(?:cu|nv)[a-zA-Z]+[.]so[.0-9]*', library)};"
        "print(sorted(wanted), ctranslate2.get_cuda_device_count())"
    )
    said = gpu_worker.result("--user", "10002", "--read-only", "--entrypoint", "python", command=("-c", code))
    assert said.split() == ["['libcublas.so.12',", "'libcuda.so.1']", "0"]


def test_dockerfile_and_scripts_are_clean() -> None:
    """Neither hadolint nor shellcheck has anything to say."""
    programs = Path(sys.executable).parent
    for command in (
        [str(programs / "hadolint"), "images/Dockerfile"],
        [str(programs / "shellcheck"), *map(str, (REPOSITORY / "images").glob("*.sh")), "tests/containers/engine.sh"],
    ):
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
