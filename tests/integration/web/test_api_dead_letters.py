"""Messages that nobody could deliver: kept once, shown to admins, replayed or discarded."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from google.pubsub_v1 import PubsubMessage
from sqlalchemy import text

from eventarc.contract import SampleEvent, read_sample
from shared import runs
from shared.messages import JobMessage
from shared.models import StopMode
from tests.cloud import Cloud, wait_for
from tests.dead_letters import ATTEMPTS, lose, undeliverable
from tests.photos import photographs
from tests.web import ADMIN, API, PUBLIC_URL, Person, Web


@pytest.fixture(autouse=True)
def _none_left(web: Web) -> Iterator[None]:
    yield
    with web.cloud.engine.begin() as connection:
        connection.execute(text("DELETE FROM dead_letters"))


def about(job: uuid.UUID) -> PubsubMessage:
    return PubsubMessage(data=JobMessage(job_id=job).encode())


def letters(admin: Person, count: int) -> list[dict[str, Any]]:
    """Wait until so many messages are shown."""

    def shown() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = admin.api("/dead-letters")["dead_letters"]
        return found if len(found) == count else None

    return wait_for(shown, 30, f"{count} messages are shown")


def post(cloud: Cloud, event: SampleEvent) -> int:
    """Deliver an event to the dispatcher; return its answer's status."""
    url = cloud.environment["SPOTMILL_DISPATCHER_URL"]
    return requests.post(url, data=json.dumps(event.body), headers=event.headers, timeout=30).status_code


def test_a_message_that_is_given_up_is_replayed_and_its_job_done(web: Web) -> None:
    """From the last delivery over the page to the finished job, though no other message about it is left."""
    cloud, admin = web.cloud, web.person(ADMIN)
    photograph = next(path for path in photographs() if path.suffix == ".jpg")
    blob = cloud.uploads.blob(f"20251203T15Z/{uuid.uuid4()}/photo.jpg")
    blob.upload_from_filename(str(photograph), content_type="image/jpeg")
    found = wait_for(lambda: admin.api(f"/jobs?object={blob.name}")["jobs"], what="the job")
    job = uuid.UUID(found[0]["id"])
    message = about(job)
    lose(cloud, cloud.settings.jobs_subscription_path, [message.data])
    undeliverable(cloud, message)
    [letter] = letters(admin, 1)
    assert (letter["job_id"], letter["filename"], letter["job_status"]) == (str(job), "photo.jpg", "queued")
    assert letter["delivery_attempts"] == ATTEMPTS
    assert letter["subscription"].startswith("trial-")
    assert letter["attributes"] == {}
    assert letter["can_replay"]
    assert f"received the message {ATTEMPTS} times" in letter["why"]
    assert admin.api("/queue")["dead_letters"] == 1

    replayed = admin.post(f"{API}/dead-letters/{letter['id']}/replay")
    assert replayed.status_code == 202
    assert replayed.get_json()["replayed_by"] == ADMIN
    assert admin.api("/queue")["dead_letters"] == 0
    assert admin.post(f"{API}/runs", json={"workers": 1}).status_code == 202
    try:
        wait_for(lambda: admin.api(f"/jobs/{job}")["status"] == "succeeded", 60, "the job is done")
    finally:
        with cloud.engine.begin() as connection:
            runs.stop(connection, by="the test", mode=StopMode.NOW)

        def over() -> bool:
            cloud.tick()
            return admin.api("/queue")["run"] is None

        wait_for(over, 60, "the run is over")


def test_a_message_is_kept_once(web: Web) -> None:
    """However often the same message is delivered, also at once, there is one row; the dispatcher answers 2xx."""
    admin = web.person(ADMIN)
    sample = read_sample("pubsub-dead-letter")
    for _ in range(3):
        assert post(web.cloud, sample) == 200
    [letter] = letters(admin, 1)
    assert letter["message_id"] == sample.body["message"]["messageId"]
    assert letter["delivery_attempts"] == 100
    assert letter["published_at"].startswith("2025-12-03T15:14:02.331")
    assert (letter["filename"], letter["can_replay"]) == (None, False)
    refused = admin.post(f"{API}/dead-letters/{letter['id']}/replay")
    assert refused.status_code == 409
    assert "does not exist" in refused.get_json()["detail"]


def test_only_admins_see_and_decide(web: Web) -> None:
    """Others are refused, and do not learn how many there are."""
    ada, admin = web.person(), web.person(ADMIN)
    [job] = web.record(ada.email, "a.jpg")
    undeliverable(web.cloud, about(job))
    [letter] = letters(admin, 1)
    assert ada.get(f"{API}/dead-letters").status_code == 403
    for path in ("replay", "discard", f"{letter['id']}/replay", f"{letter['id']}/discard"):
        assert ada.post(f"{API}/dead-letters/{path}").status_code == 403
    assert ada.api("/queue")["dead_letters"] == 0
    assert "no worker could take" not in ada.get("/").text
    assert letters(admin, 1)[0]["replayed_at"] is None


def test_what_names_no_job_is_sent_again_as_it_was(web: Web) -> None:
    """Bytes and attributes of a foreign message go to the workers' topic unchanged, once, and no second time."""
    cloud, admin = web.cloud, web.person(ADMIN)
    word = uuid.uuid4().hex
    undeliverable(cloud, PubsubMessage(data=b"\x00\xff" + word.encode(), attributes={"topic": "x", "timeout": "y"}))
    [letter] = letters(admin, 1)
    assert (letter["job_id"], letter["can_replay"]) == (None, True)
    assert word in letter["preview"]
    name = f"projects/{cloud.settings.project}/subscriptions/spy-{word}"
    cloud.subscriber.create_subscription(name=name, topic=cloud.settings.jobs_topic_path)
    assert admin.post(f"{API}/dead-letters/{letter['id']}/replay").status_code == 202
    again = admin.post(f"{API}/dead-letters/{letter['id']}/replay")
    assert again.status_code == 409
    assert again.get_json()["detail"] == f"The message was replayed by {ADMIN}."
    pulled = cloud.subscriber.pull(subscription=name, max_messages=10, timeout=10).received_messages
    cloud.subscriber.delete_subscription(subscription=name)
    sent = [m.message for m in pulled if word.encode() in m.message.data]
    assert [(m.data, dict(m.attributes)) for m in sent] == [
        (b"\x00\xff" + word.encode(), {"topic": "x", "timeout": "y"})
    ]


def test_discarding_leaves_nothing_hanging(web: Web) -> None:
    """A job that waits for nothing but the message is cancelled; one that was queued anew since is left alone."""
    ada, admin = web.person(), web.person(ADMIN)
    stuck, anew = web.record(ada.email, "stuck.jpg", "anew.jpg")
    undeliverable(web.cloud, about(stuck), about(anew))
    found = letters(admin, 2)
    ada.post(f"{API}/jobs/{anew}/cancel")
    ada.post(f"{API}/jobs/{anew}/retry")
    for letter in found:
        assert admin.post(f"{API}/dead-letters/{letter['id']}/discard").get_json()["discarded_by"] == ADMIN
    assert ada.api(f"/jobs/{stuck}")["status"] == "cancelled"
    assert "could not be delivered" in ada.api(f"/jobs/{stuck}")["error"]
    assert ada.api(f"/jobs/{anew}")["status"] == "queued"
    assert admin.post(f"{API}/dead-letters/{found[0]['id']}/discard").status_code == 409
    assert admin.post(f"{API}/dead-letters/{uuid.uuid4()}/discard").status_code == 404


def test_discarding_leaves_a_job_alone_that_has_another_message(web: Web) -> None:
    """A job that was announced again, or is about to be, since its message was given up waits for that."""
    admin = web.person(ADMIN)
    again, soon = web.record(admin.email, "again.jpg", "soon.jpg")
    undeliverable(web.cloud, about(again), about(soon))
    letters(admin, 2)
    with web.cloud.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET published_at = now() WHERE id = :id"), {"id": again})
        connection.execute(text("UPDATE jobs SET published_at = NULL WHERE id = :id"), {"id": soon})
    assert admin.post(f"{API}/dead-letters/discard").status_code == 202
    assert {admin.api(f"/jobs/{job}")["status"] for job in (again, soon)} == {"queued"}


def test_all_at_once(web: Web) -> None:
    """Replay takes those that can be and says how many are left; discard takes the rest. Forms do the same."""
    ada, admin = web.person(), web.person(ADMIN)
    one, two, done = web.record(ada.email, "one.jpg", "two.jpg", "done.jpg")
    web.finish(done)
    undeliverable(web.cloud, about(one), about(two), about(done), PubsubMessage(data=b"foreign"))
    letters(admin, 4)
    assert "Messages that no worker could take: 4" in admin.get("/").text
    page = admin.api("/dead-letters?limit=3")
    assert len(page["dead_letters"]) == 3
    [last] = admin.api(f"/dead-letters?limit=3&cursor={page['next_cursor']}")["dead_letters"]
    assert last["id"] not in {letter["id"] for letter in page["dead_letters"]}
    answer = admin.post(f"{API}/dead-letters/replay")
    assert (answer.status_code, answer.get_json()) == (202, {"done": 3, "left": 1})
    [left] = letters(admin, 1)
    assert (left["filename"], left["job_status"]) == ("done.jpg", "succeeded")
    form = admin.post("/dead-letters/discard", headers={"Origin": PUBLIC_URL})
    assert "discarded" in admin.get(form.headers["Location"]).text
    assert admin.api("/dead-letters")["dead_letters"] == []
    assert ada.api(f"/jobs/{done}")["status"] == "succeeded"


def test_a_replay_waits_for_pubsub(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Pub/Sub a job counts as unannounced and the tick does the rest; a foreign message stays where it is."""
    monkeypatch.setattr("shared.queue._DEADLINE_SECONDS", 1)
    ada, admin = web.person(), web.person(ADMIN)
    [job] = web.record(ada.email, "a.jpg")
    undeliverable(web.cloud, about(job), PubsubMessage(data=b"foreign"))
    named, foreign = sorted(letters(admin, 2), key=lambda letter: letter["job_id"] is None)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    cut_off = web.person(ADMIN, web.make())
    assert cut_off.post(f"{API}/dead-letters/{named['id']}/replay").status_code == 202
    assert cut_off.post(f"{API}/dead-letters/{foreign['id']}/replay").status_code == 503
    assert [letter["id"] for letter in letters(admin, 1)] == [foreign["id"]]
    web.cloud.tick()
    with web.cloud.engine.connect() as connection:
        announced = text("SELECT published_at >= queued_at FROM jobs WHERE id = :id")
        wait_for(lambda: connection.scalar(announced, {"id": job}), what="the tick announces it")


def test_nothing_is_lost_while_the_database_is_away(fresh_cloud: Cloud) -> None:
    """Messages that are given up during an outage of Postgres are kept when it is back, each once."""
    messages = [about(uuid.uuid4()) for _ in range(30)]
    fresh_cloud.kill("postgres")
    undeliverable(fresh_cloud, *messages)
    fresh_cloud.kill("postgres")

    def kept() -> bool:
        answer = requests.get(f"{fresh_cloud.web_url}{API}/dead-letters?limit=200", timeout=30)
        return answer.status_code == 200 and len(answer.json()["dead_letters"]) == len(messages)

    wait_for(kept, 120, "all are kept")
