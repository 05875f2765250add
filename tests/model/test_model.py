"""The life of a job as a model, searched whole: what must hold holds, and without any one guard it does not."""

import os

import pytest

from tests.model.questions import properties, without_guards
from tests.model.spin import Check, Spin, missing

#: Smaller than what `make model` searches.
_SAFETY, _ENDING = 2, 1


@pytest.fixture(scope="module")
def spin(tmp_path_factory: pytest.TempPathFactory) -> Spin:
    """Spin with a place for what it compiles. `make test` installs it where that can be done."""
    lacking = missing()
    if lacking and (os.geteuid() == 0 or "CI" in os.environ):
        pytest.fail(f"{' and '.join(lacking)} not installed: run tests/model/spin.sh")
    if lacking:
        pytest.skip(f"{' and '.join(lacking)} not installed, and only root can: see tests/model/spin.sh")
    return Spin(tmp_path_factory.mktemp("model"))


def _named(check: Check) -> str:
    return "-".join([check.name, *check.defines])


@pytest.mark.parametrize("check", list(properties(_SAFETY, _ENDING)), ids=_named)
def test_the_model_holds(spin: Spin, check: Check) -> None:
    """No execution violates the property, and every action of the model happens in some execution."""
    verdict = spin.verify(check)
    assert verdict.holds, "\n".join(verdict.story)
    assert not verdict.unreached


@pytest.mark.parametrize("check", list(without_guards()), ids=_named)
def test_each_guard_is_needed(spin: Spin, check: Check) -> None:
    """Without the guard there is an execution that does harm, and it can be told."""
    verdict = spin.verify(check)
    assert not verdict.holds
    assert verdict.story
