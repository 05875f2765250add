"""Settings come from the environment, and every mistake is named."""

import pytest

from shared.settings import DispatcherSettings, Settings, SettingsError, WebSettings, load

GOOD = {
    "GOOGLE_CLOUD_PROJECT": "demo",
    "DATABASE_URL": "postgresql+pg8000://u:p@127.0.0.1/db",
    "SPOTMILL_UPLOAD_BUCKET": "uploads",
    "SPOTMILL_RESULT_BUCKET": "results",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the good settings are set, and nothing is remembered."""
    for name in ("SPOTMILL_DATABASE_INSTANCE", "SPOTMILL_IAP_AUDIENCE", "SPOTMILL_DEV_USER", "SPOTMILL_ADMINS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    load.cache_clear()


def test_good_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are comma-separated, full names of topics are derived."""
    monkeypatch.setenv("SPOTMILL_ALLOWED_BUCKETS", "one, two")
    settings = load(DispatcherSettings)
    assert settings.allowed_buckets == ("one", "two")
    assert settings.jobs_topic_path == "projects/demo/topics/spotmill-jobs"


def test_every_mistake_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing and wrong settings are listed together, each by the variable to set."""
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    monkeypatch.delenv("SPOTMILL_UPLOAD_BUCKET")
    monkeypatch.setenv("SPOTMILL_LEASE_SECONDS", "soon")
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    for name in ("GOOGLE_CLOUD_PROJECT", "SPOTMILL_UPLOAD_BUCKET", "SPOTMILL_LEASE_SECONDS", "soon"):
        assert name in str(caught.value)


def test_one_database_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither none nor two databases."""
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(SettingsError, match="SPOTMILL_DATABASE_INSTANCE"):
        load(Settings)


def test_the_web_needs_exactly_one_way_to_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """IAP or the development user, not both and not neither."""
    with pytest.raises(SettingsError, match="SPOTMILL_IAP_AUDIENCE"):
        load(WebSettings)
    monkeypatch.setenv("SPOTMILL_DEV_USER", "ann@example.com")
    monkeypatch.setenv("SPOTMILL_ADMINS", "Bob@Example.com")
    assert load(WebSettings).admins == ("bob@example.com",)
