"""The tag of images: the hash of what goes into them, committed or not."""

import subprocess
from pathlib import Path

import pytest

from deploy.images import version
from deploy.programs import DeployError


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout with one file that goes into images, and one that does not."""
    monkeypatch.setattr("deploy.images.ROOT", tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".dockerignore").write_text("# what goes in\n*\n!worker\n!images/*.sh\n")
    for folder in ("worker", "images", "docs"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("1")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def commit(checkout: Path) -> None:
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.com"]
    subprocess.run(["git", "add", "-A"], cwd=checkout, check=True)
    subprocess.run(["git", *who, "commit", "-q", "-m", "x"], cwd=checkout, check=True)


def test_it_changes_with_whatever_goes_in(checkout: Path) -> None:
    """Also with a file that git does not know yet, whose next change is another version again."""
    commit(checkout)
    tags = [version()]
    for text in ("2", "3"):
        (checkout / "worker" / "new").write_text(text)
        tags.append(version())
    (checkout / "images" / "file").write_text("2")
    tags.append(version())
    assert len(set(tags)) == 4


def test_nothing_else_changes_it(checkout: Path) -> None:
    """Neither a commit of what is there already, nor documents and variables, build anything anew."""
    commit(checkout)
    (checkout / "worker" / "new").write_text("2")
    before = version()
    (checkout / "docs" / "file").write_text("2")
    assert version() == before
    commit(checkout)
    assert version() == before


def test_it_leaves_the_checkout_as_it_is(checkout: Path) -> None:
    """What a person has staged is not touched."""
    commit(checkout)
    (checkout / "worker" / "new").write_text("2")
    version()
    done = subprocess.run(["git", "status", "--short"], cwd=checkout, capture_output=True, text=True, check=True)
    assert done.stdout == "?? worker/new\n"


def test_without_git_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unpacked archive cannot tell what was built before."""
    (tmp_path / ".dockerignore").write_text("!worker\n")
    (tmp_path / "worker").mkdir()
    monkeypatch.setattr("deploy.images.ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(DeployError, match="no git checkout"):
        version()
