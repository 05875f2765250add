"""``make destroy`` asks, waits for what Google still holds, and leaves nothing."""

import io

import pytest

from deploy.__main__ import main
from tests.deploy.programs import PROJECT, StandIns


def test_destroy_asks_and_leaves_nothing(cloud: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the project's id, typed, starts it; protections go first, the state's bucket last."""
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert main(["destroy", *PROJECT]) == 1
    assert not cloud.calls("terraform")
    monkeypatch.setattr("builtins.input", lambda _: "my-mill")
    assert main(["destroy", *PROJECT]) == 0
    opened = cloud.position("terraform apply .*-var=force_destroy=true")
    order = [
        cloud.position("terraform destroy .*-target=module.database"),
        cloud.position("gcloud compute networks peerings delete servicenetworking-googleapis-com --network=spotmill"),
        cloud.position("terraform destroy (?!.*-target)"),
    ]
    assert order == sorted(order)
    assert opened < order[0]
    assert order[2] < cloud.position("gcloud storage rm --recursive gs://my-mill-spotmill-terraform")


def test_a_subnet_that_cloud_run_still_holds_is_waited_for(cloud: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """Its addresses come back an hour or two after the services; the person may wait or come back."""
    cloud.fail(
        "terraform destroy (?!.*-target)",
        "Error: The subnetwork resource 'spotmill' is already being used by '…/addresses/serverless-ipv4-1'",
        times=12,
    )
    assert main(["destroy", *PROJECT, "--yes"]) == 0
    assert len(cloud.calls("terraform destroy (?!.*-target)")) == 13
    assert "an hour or two" in capsys.readouterr().out


def test_a_deployment_that_never_got_far_can_be_destroyed(cloud: StandIns) -> None:
    """Without a note of images or variables, none are needed; one that cannot be read is not taken for none."""
    assert main(["destroy", *PROJECT, "--yes"]) == 0
    assert cloud.calls("terraform destroy .*-var=people=..")
    cloud.fail("^gcloud storage cat", "ERROR: connection reset")
    before = len(cloud.calls("terraform"))
    assert main(["destroy", *PROJECT, "--yes"]) == 1
    assert not cloud.calls("terraform (apply|destroy)")[before:]


def test_nobody_there_to_ask_deletes_nothing(cloud: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, destroy needs --yes."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["destroy", *PROJECT]) == 1
    assert not cloud.calls("terraform")
