"""``make deploy`` and the smaller commands, against stand-ins that note each call."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.__main__ import main
from deploy.target import BUILD_REGIONS, ROOT
from tests.cloud import wait_for
from tests.deploy.conftest import deployed
from tests.deploy.programs import DIGEST, PROJECT, StandIns


def test_a_first_deployment_goes_in_this_order(cloud: StandIns) -> None:
    """Sign-in, APIs, agents, state, repository, images, database, migration, the rest, the jobs, deadlines, proof."""
    assert main(["deploy", *PROJECT]) == 0
    order = [
        "gcloud auth list",
        "gcloud services enable .*eventarc.googleapis.com",
        "gcloud beta services identity create --service=eventarc.googleapis.com",
        "gcloud storage buckets create gs://my-mill-spotmill-terraform",
        "gcloud storage cp .*my-mill.tfvars gs://my-mill-spotmill-terraform/",
        "terraform init .*bucket=my-mill-spotmill-terraform",
        "terraform apply .*-target=module.delivery",
        "gcloud builds submit",
        "terraform apply .*-target=module.database",
        "gcloud run jobs execute spotmill-migrate .*--wait",
        "terraform apply (?!.*-target)",
        "gcloud run jobs execute spotmill-pipelines .*--wait",
        "gcloud run jobs execute spotmill-models .*--wait",
        "gcloud pubsub subscriptions update eventarc-1 .*--ack-deadline=600",
        "gcloud scheduler jobs run spotmill-reconcile",
        "gcloud artifacts docker tags add .*:deployed-prod",
        "gcloud storage cp .*images.json",
        "gcloud storage cp .*gs://my-mill-spotmill-uploads/smoke/",
        "gcloud logging read",
    ]
    positions = [cloud.position(pattern) for pattern in order]
    assert positions == sorted(positions)
    assert all(call.token == "a-token" for call in cloud.calls("^terraform (apply|init|output)"))


def test_what_runs_is_named_by_digest(cloud: StandIns) -> None:
    """No tag, which somebody could move, reaches Terraform."""
    main(["deploy", *PROJECT])
    [whole] = cloud.calls("terraform apply (?!.*-target)")
    [images] = [word for word in whole.argv if word.startswith("-var=images=")]
    for name in ("web", "dispatcher", "worker"):
        assert f"us-central1-docker.pkg.dev/my-mill/spotmill/{name}@{DIGEST}" in images
    assert "worker_gpu" not in images


def test_the_first_deployment_writes_down_who_may_do_what(cloud: StandIns, tmp_path: Path) -> None:
    """Whoever deploys may open the pages; the file is hers from then on, and no later deployment changes it."""
    main(["deploy", *PROJECT])
    file = tmp_path / "deploy" / "projects" / "my-mill.tfvars"
    assert 'people              = ["user:ann@example.com"]' in file.read_text()
    assert 'budget = { billing_account = "012345-6789AB-CDEF01" }' in file.read_text()
    assert any(f"-var-file={file}" in call.argv for call in cloud.calls("terraform apply"))
    file.write_text('people = ["domain:example.com"]\n')
    main(["deploy", *PROJECT])
    assert file.read_text() == 'people = ["domain:example.com"]\n'


def test_variables_that_this_checkout_lacks_are_those_last_deployed(cloud: StandIns, tmp_path: Path) -> None:
    """A deployment from another machine, or of an older version, changes nobody's rights."""
    cloud.answer("^gcloud storage cat .*images.json", "{}")
    cloud.answer("^gcloud storage cat .*variables.tfvars", 'people = ["domain:example.com"]')
    assert main(["deploy", *PROJECT]) == 0
    file = tmp_path / "deploy" / "projects" / "my-mill.tfvars"
    assert file.read_text() == 'people = ["domain:example.com"]\n'
    assert cloud.calls("gcloud storage cp .*my-mill.tfvars gs://my-mill-spotmill-terraform/spotmill/variables.tfvars")


@pytest.mark.parametrize("verb", [("deploy",), ("destroy", "--yes")])
def test_variables_from_the_last_deployment_say_where_it_is(
    cloud: StandIns, capsys: pytest.CaptureFixture[str], verb: tuple[str, ...]
) -> None:
    """A checkout without them takes the usual region for it, and must move nothing there; the next run knows better."""
    cloud.answer("^gcloud storage cat .*images.json", "{}")
    cloud.answer("^gcloud storage cat .*variables.tfvars", 'region = "us-east1"')
    assert main([verb[0], *PROJECT, *verb[1:]]) == 1
    assert "is in us-east1" in capsys.readouterr().out
    assert not cloud.calls("terraform (init|apply|destroy)")
    assert main([verb[0], *PROJECT, *verb[1:]]) == 0
    assert all("region=us-east1" in call.text for call in cloud.calls("terraform (apply|destroy)"))


def test_variables_that_are_lost_are_not_made_up(cloud: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """Where something runs and nobody knows with which, nothing is changed."""
    cloud.answer("^gcloud storage cat .*images.json", "{}")
    assert main(["deploy", *PROJECT]) == 1
    assert "something is deployed already" in capsys.readouterr().out
    assert not cloud.calls("terraform apply")


def test_a_deployment_stays_where_it_is(cloud: StandIns, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its variables say where; without a region every command goes there, and another region is refused."""
    assert main(["deploy", *PROJECT, "--region", "us-east1"]) == 0
    count = len(cloud.calls())
    assert main(["deploy", *PROJECT, "--region", "us-west1"]) == 1
    assert "is in us-east1" in capsys.readouterr().out
    assert len(cloud.calls()) == count
    deployed(cloud, tmp_path, 'region = "us-east1"\n')
    assert main(["deploy", *PROJECT, "--no-build"]) == 0
    assert all("region=us-east1" in call.text for call in cloud.calls("terraform apply"))


def test_a_region_without_a_free_tier_is_asked_for(cloud: StandIns, tmp_path: Path) -> None:
    """A first deployment elsewhere says what it costs the person to know; then the variables say so, too."""
    assert main(["deploy", *PROJECT, "--region", "europe-west1"]) == 1
    assert not cloud.calls("create|enable")
    assert main(["deploy", *PROJECT, "--region", "europe-west1", "--any-region"]) == 0
    assert "allow_any_region = true" in (tmp_path / "deploy" / "projects" / "my-mill.tfvars").read_text()


def test_a_service_account_deploys_for_others(cloud: StandIns, tmp_path: Path) -> None:
    """It opens no pages, so nobody may until somebody is named."""
    cloud.answer("^gcloud auth list", "ci@my-mill.iam.gserviceaccount.com\nann@example.com\n")
    assert main(["deploy", *PROJECT]) == 0
    assert "people              = []" in (tmp_path / "deploy" / "projects" / "my-mill.tfvars").read_text()


def test_a_second_mill_has_variables_and_a_place_of_its_own(cloud: StandIns, tmp_path: Path) -> None:
    """Two deployments from one checkout share neither variables nor Terraform's working directory."""
    main(["deploy", *PROJECT])
    main(["deploy", *PROJECT, "--name", "second"])
    files = {file.name for file in (tmp_path / "deploy" / "projects").iterdir()}
    assert files == {"my-mill.tfvars", "my-mill-second.tfvars"}
    places = {call.data_dir for call in cloud.calls("^terraform (init|apply|output)")}
    assert places == {".terraform/my-mill-spotmill", ".terraform/my-mill-second"}


def test_gpu_images_are_built_for_workers_that_have_them(cloud: StandIns, tmp_path: Path) -> None:
    """The variables say so; nobody has to remember a flag."""
    deployed(cloud, tmp_path, 'workers = { gpu = { type = "nvidia-l4" } }\n')
    assert main(["deploy", *PROJECT]) == 0
    assert cloud.calls("builds submit .*_GPU=yes")
    assert cloud.calls("terraform apply .*worker_gpu")


@pytest.mark.parametrize(("region", "where"), [("us-east1", "us-central1"), ("europe-west1", "europe-west1")])
def test_builds_go_where_every_project_may_build(cloud: StandIns, region: str, where: str) -> None:
    """Cloud Build refuses new projects in some regions."""
    main(["deploy", *PROJECT, "--region", region, "--any-region"])
    assert cloud.calls(f"builds submit .*--region={where}")
    terraform = (ROOT / "terraform" / "modules" / "delivery" / "trigger.tf").read_text()
    assert all(f'"{name}"' in terraform for name in BUILD_REGIONS)


def test_a_failed_migration_stops_before_the_services_change(
    cloud: StandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    """New code never meets an old schema; where to read why is said."""
    cloud.fail("jobs execute spotmill-migrate", "ERROR: The execution failed.")
    assert main(["deploy", *PROJECT]) == 1
    assert not cloud.calls("terraform apply (?!.*-target)")
    assert "resource.labels.job_name=spotmill-migrate" in capsys.readouterr().out


def test_a_hub_that_is_away_stops_nothing(cloud: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """Who needs no model of the hub is deployed all the same; who does is told, and where to read why."""
    cloud.fail("jobs execute spotmill-models", "ERROR: The execution failed.")
    assert main(["deploy", *PROJECT]) == 0
    said = capsys.readouterr().out
    assert "WARNING: a model was not copied" in said
    assert "resource.labels.job_name=spotmill-models" in said
    assert "Deployed in" in said


def test_a_list_of_pipelines_that_fails_is_no_warning(cloud: StandIns) -> None:
    """Nothing would be done without it."""
    cloud.fail("jobs execute spotmill-pipelines", "ERROR: The execution failed.")
    assert main(["deploy", *PROJECT]) == 1
    assert not cloud.calls("jobs execute spotmill-models")


def test_a_second_deployment_makes_no_second_state(cloud: StandIns) -> None:
    """The state's bucket is made once."""
    cloud.answer("^gcloud storage buckets describe", "my-mill-spotmill-terraform")
    assert main(["deploy", *PROJECT]) == 0
    assert not cloud.calls("buckets create")


def test_variables_alone_need_no_build(cloud: StandIns, tmp_path: Path) -> None:
    """``--no-build`` deploys the images that run already."""
    assert main(["deploy", *PROJECT, "--no-build"]) == 1
    deployed(cloud, tmp_path)
    assert main(["deploy", *PROJECT, "--no-build"]) == 0
    assert not cloud.calls("builds submit")
    assert all("-var=images=" in call.text for call in cloud.calls("terraform apply"))


def test_a_stopped_database_is_left_alone(cloud: StandIns, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stopping it is a deployment like any other, which runs no job and tries nothing."""
    deployed(cloud, tmp_path)
    cloud.answer("^gcloud sql instances describe", "NEVER\n")
    assert main(["deploy", *PROJECT, "--no-build"]) == 0
    assert not cloud.calls("run jobs execute|gs://my-mill-spotmill-uploads/smoke")
    assert cloud.calls("terraform apply (?!.*-target)")
    assert "The database is stopped" in capsys.readouterr().out


def test_cloud_build_deploys_what_it_has_built(cloud: StandIns, tmp_path: Path) -> None:
    """With a version, nothing is built or enabled; without the project's variables it says what is missing."""
    assert main(["deploy", *PROJECT, "--version", "abc", "--environment", "staging"]) == 1
    deployed(cloud, tmp_path, "people = []\n")
    images = "europe-docker.pkg.dev/dev-mill/spotmill"
    assert main(["deploy", *PROJECT, "--version", "abc", "--environment", "staging", "--repository", images]) == 0
    assert not cloud.calls("builds submit|services enable")
    assert cloud.calls(f"images describe {images}/web:abc")
    assert cloud.calls(f"tags add {images}/web@{DIGEST} {images}/web:deployed-staging")


def test_subscriptions_that_terraform_does_not_know_are_listed(cloud: StandIns) -> None:
    """Where an output is empty, Eventarc itself is asked."""
    cloud.answer(
        "^terraform output",
        cloud_outputs
        := '{"transport_subscriptions": {"value": {"a": null}}, "web_url": {"value": "http://127.0.0.1:1"}}',
    )
    assert cloud_outputs
    cloud.answer("eventarc triggers list", "projects/p/subscriptions/one\nprojects/p/subscriptions/two\n")
    main(["deploy", *PROJECT])
    assert len(cloud.calls("subscriptions update projects/p/subscriptions/(one|two)")) == 2


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (("^gcloud auth list", "", 0), "gcloud auth login"),
        (("^gcloud projects describe", "ERROR: no permission", 1), "cannot see the project my-mill"),
        (("^gcloud billing projects describe", "", 0), "no billing account"),
        (("^terraform version", '{"terraform_version": "1.5.7"}', 0), "1.9 or newer"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_made(
    cloud: StandIns, capsys: pytest.CaptureFixture[str], rule: tuple[str, str, int], words: str
) -> None:
    """A person without sign-in, project, billing or a recent Terraform learns it in the first seconds."""
    when, output, status = rule
    cloud.answer(when, output, error=output, status=status)
    assert main(["deploy", *PROJECT]) == 1
    assert words in capsys.readouterr().out
    assert not cloud.calls("enable|create|apply")


def test_without_gcloud_the_person_learns_where_to_get_it(
    cloud: StandIns, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing program is no stack trace."""
    (cloud.folder / "gcloud").unlink()
    monkeypatch.setenv("PATH", str(cloud.folder))
    assert main(["deploy", *PROJECT]) == 1
    assert "gcloud is not installed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ("--project", "My_Project"),
        ("--project", "my-mill", "--region", "nowhere"),
        ("--project", "my-mill", "--name", "X"),
        ("--project", "my-mill", "--environment", "a b"),
    ],
)
def test_names_that_google_would_refuse_are_refused_at_once(cloud: StandIns, words: tuple[str, ...]) -> None:
    """Nobody waits a quarter of an hour for a typing error."""
    assert main(["deploy", *words]) == 1
    assert not cloud.calls()


def test_logs_of_one_job(cloud: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """A job's whole story is one query."""
    cloud.answer("^gcloud logging read", "newest\noldest\n")
    assert main(["logs", *PROJECT, "--job", "0a1b"]) == 0
    assert cloud.calls('gcloud logging read labels.job="0a1b"')
    assert capsys.readouterr().out == "oldest\nnewest\n"
    assert main(["logs", *PROJECT, "--job", 'x" OR "y']) == 1


def test_the_pages_are_opened_where_they_are(
    cloud: StandIns, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a domain of one's own, Cloud Run's address would refuse every change."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["open", *PROJECT]) == 0
    assert opened == ["https://mill.example.com"]
    assert capsys.readouterr().out == "https://mill.example.com\n"


def test_an_interruption_reaches_terraform_which_is_waited_for(cloud: StandIns, tmp_path: Path) -> None:
    """Ctrl-C, or a lost terminal, lets Terraform write its state and take its lock away before anything ends."""
    deployed(cloud, tmp_path)
    program = cloud.folder / "terraform"
    (tmp_path / "terraform").mkdir()
    began, ended = tmp_path / "began", tmp_path / "ended"
    program.write_text(
        "#!/usr/bin/env bash\n"
        'if [[ $1 == version ]]; then echo \'{"terraform_version": "1.13.1"}\'; fi\n'
        f"if [[ $1 != apply ]]; then exit; fi\n"
        f"trap 'for i in $(seq 3000); do echo line; done; touch {ended}; exit 1' INT\n"
        f"touch {began}; while true; do sleep 0.05; done\n"
    )
    code = f"import deploy.target; from pathlib import Path; deploy.target.ROOT = Path({str(tmp_path)!r})"
    code += "; import sys; from deploy.programs import heed_signals; from deploy.__main__ import main; heed_signals()"
    code += "; sys.exit(main(['deploy', '--project', 'my-mill', '--no-build']))"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        began.unlink(missing_ok=True)
        ended.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
        try:
            wait_for(began.exists, 60, "Terraform is at work")
            process.send_signal(number)
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        assert ended.exists()
        assert process.returncode == 130
        assert said.count(b"line") == 3000
