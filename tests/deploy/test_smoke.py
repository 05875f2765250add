"""The smoke test of a deployment: doors that are open to strangers, and an upload that becomes no job, fail it."""

import pytest

from deploy.__main__ import main
from tests.deploy.conftest import Doors
from tests.deploy.programs import PROJECT, StandIns


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_web_service_that_lets_strangers_in_fails_the_smoke_test(
    cloud: StandIns, doors: Doors, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """Without IAP in front, nothing counts as deployed."""
    doors.web, doors.leads_to = status, ""
    assert main(["deploy", *PROJECT]) == 1
    assert "is IAP on?" in capsys.readouterr().out


def test_a_dispatcher_that_lets_strangers_in_fails_the_smoke_test(cloud: StandIns, doors: Doors) -> None:
    """Only its triggers' account may call it."""
    doors.dispatcher = 200
    assert main(["smoke", *PROJECT]) == 1


def test_an_object_that_becomes_no_job_fails_the_smoke_test(
    cloud: StandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way from bucket to database is tried; the object does not stay."""
    cloud.answer("^gcloud logging read", "")
    assert main(["smoke", *PROJECT]) == 1
    assert "became no job" in capsys.readouterr().out
    put = cloud.calls("gcloud storage cp .*gs://my-mill-spotmill-uploads/smoke/")
    assert len(put) == 5
    assert len(cloud.calls("gcloud storage rm gs://my-mill-spotmill-uploads/smoke/")) == 5


def test_what_is_not_deployed_cannot_be_tried(cloud: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence, no stack."""
    cloud.answer("^terraform output", "{}")
    assert main(["smoke", *PROJECT]) == 1
    assert "Nothing is deployed" in capsys.readouterr().out
