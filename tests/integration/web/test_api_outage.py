"""The service outlives its database, and says so while it is gone."""

import threading

import requests

from tests.cloud import Cloud, wait_for
from tests.web import API


def test_the_service_comes_back_with_its_database(fresh_cloud: Cloud) -> None:
    """While Postgres is away each answer is 503 with a time to wait; then it goes on by itself."""
    seen: list[requests.Response] = []
    over = threading.Event()

    def look() -> requests.Response:
        return requests.get(f"{fresh_cloud.web_url}{API}/queue", timeout=30)

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(look())

    assert look().status_code == 200
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        fresh_cloud.kill("postgres")
        wait_for(lambda: any(answer.status_code == 503 for answer in seen), what="the outage is noticed")
        wait_for(lambda: look().status_code == 200, 60, "the service is back")
    finally:
        over.set()
        watcher.join()
    away = [answer for answer in seen if answer.status_code != 200]
    assert {answer.status_code for answer in away} == {503}
    assert all("database" in answer.json()["title"] and int(answer.headers["Retry-After"]) > 0 for answer in away)
