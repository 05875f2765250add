"""What heals by itself is tried again, and what does not ends at once."""

import pytest

from deploy.__main__ import main
from deploy.programs import PAUSES
from deploy.terraform import healing
from tests.deploy.programs import PROJECT, StandIns


@pytest.mark.parametrize(
    "error",
    [
        'Error 400: Invalid resource state for "": Permission denied while using the Eventarc Service Agent. If',
        "Error 403: Eventarc API has not been used in project 123 before or it is disabled.",
        "Error 400: Service account spotmill-web@my-mill.iam.gserviceaccount.com does not exist.",
        'Error 404: Cannot find metric(s) that match type = "logging.googleapis.com/user/spotmill/ticks".',
        "Error 409: There were concurrent policy changes. Please retry the whole read-modify-write",
    ],
)
def test_what_heals_is_tried_again(cloud: StandIns, capsys: pytest.CaptureFixture[str], error: str) -> None:
    """The known failures of a first apply end by themselves, and the person is told what is waited for."""
    cloud.fail("terraform apply (?!.*-target)", error, times=3)
    assert main(["deploy", *PROJECT]) == 0
    assert len(cloud.calls("terraform apply (?!.*-target)")) == 4
    assert "This heals by itself" in capsys.readouterr().out


def test_what_does_not_heal_ends_at_once(cloud: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """Any other failure is shown and not tried again, and nothing is announced as deployed."""
    cloud.fail("terraform apply (?!.*-target)", "Error: Quota 'CPUS' exceeded")
    assert main(["deploy", *PROJECT]) == 1
    said = capsys.readouterr().out
    assert "Quota 'CPUS' exceeded" in said
    assert "Deployed in" not in said
    assert len(cloud.calls("terraform apply (?!.*-target)")) == 1


def test_what_never_heals_ends_after_all(cloud: StandIns) -> None:
    """After a quarter of an hour of tries the error is the person's."""
    cloud.fail("terraform apply (?!.*-target)", "Permission denied while using the Eventarc Service Agent")
    assert main(["deploy", *PROJECT]) == 1
    assert len(cloud.calls("terraform apply (?!.*-target)")) == len(PAUSES) + 1


def test_a_build_waits_for_the_grants_of_its_account(cloud: StandIns) -> None:
    """What fails at once is tried again, as grants take minutes to arrive; it ends after some tries."""
    cloud.fail("builds submit", "ERROR: does not have storage.objects.get access", times=2)
    assert main(["deploy", *PROJECT]) == 0
    assert len(cloud.calls("builds submit")) == 3
    cloud.fail("builds submit", "ERROR: build failed")
    assert main(["deploy", *PROJECT]) == 1
    assert len(cloud.calls("builds submit")) == 3 + 4


def test_an_agent_is_asked_for_until_its_api_is_up(cloud: StandIns) -> None:
    """An API that was just enabled may refuse for a while."""
    cloud.fail("services identity create --service=eventarc", "PERMISSION_DENIED: API not enabled", times=2)
    assert main(["deploy", *PROJECT]) == 0
    assert len(cloud.calls("services identity create --service=eventarc")) == 3


def test_unknown_errors_do_not_heal() -> None:
    """The list of what heals is no excuse for anything else."""
    assert healing("Error: Invalid value for variable") is None


def test_words_are_found_across_broken_lines() -> None:
    """Terraform frames its errors and may break them anywhere."""
    assert healing("│ Error: Permission denied while\n│ using the Eventarc Service\n│ Agent.") is not None
