"""Variables of the root module: as few as there can be, and all of them."""

from typing import Any


def _image(name: str, region: str, digit: str) -> str:
    return f"{region}-docker.pkg.dev/mill/spotmill/{name}@sha256:{digit * 64}"


#: The stand-in knows no billing account of the project; Google would tell it.
SMALLEST: dict[str, Any] = {
    "project": "mill",
    "people": ["group:team@example.com"],
    "budget": {"billing_account": "012345-6789AB-CDEF01"},
    "images": {
        name: _image(name, "us-central1", digit) for name, digit in [("web", "1"), ("dispatcher", "2"), ("worker", "3")]
    },
}

EVERYTHING: dict[str, Any] = {
    "admins": ["ann@example.com", "bob@example.com"],
    "allow_any_region": True,
    "allow_ssh": True,
    "allowed_buckets": ["archive", "partner"],
    "budget": {
        "enabled": True,
        "billing_account": "012345-6789AB-CDEF01",
        "currency": "EUR",
        "project_amount": 50,
        "workers_amount": 30.5,
    },
    "database": {
        "tier": "db-custom-2-7680",
        "availability": "REGIONAL",
        "version": "POSTGRES_17",
        "disk_gb": 20,
        "disk_max_gb": 50,
        "retained_backups": 30,
        "deletion_protection": True,
        "point_in_time_recovery": True,
        "stopped": True,
        "pool_size": 4,
    },
    "environments": {
        "dev": {"branch": "^main$"},
        "prod": {"tag": "^v.*$", "approval": True, "substitutions": {"_TIER": "db-g1-small"}},
    },
    "external_ai": True,
    "force_destroy": True,
    "github": {
        "owner": "example",
        "repository": "mill",
        "installation_id": 4711,
        "token_version": "projects/mill/secrets/github/versions/1",
    },
    "image_readers": {"staging": "serviceAccount:spotmill-worker@staging.iam.gserviceaccount.com"},
    "image_taggers": {"staging": "serviceAccount:spotmill-deployer@staging.iam.gserviceaccount.com"},
    "images": {
        name: _image(name, "europe-west1", digit)
        for name, digit in [("web", "1"), ("dispatcher", "2"), ("worker", "3"), ("worker_gpu", "4")]
    },
    "ingest_publishers": ["serviceAccount:cms@partner.iam.gserviceaccount.com"],
    "labels": {"team": "media"},
    "language_model": {
        "engine": "vertex",
        "model": "gemini-4-flash",
        "endpoint": "https://europe-west1-aiplatform.googleapis.com",
        "region": "eu",
    },
    "max_instances": {"web": 5, "dispatcher": 5},
    "model_memory": "16Gi",
    "models": {"whisper": "gs://weights/large-v3", "whisper-turbo": "large-v3-turbo@main", "local": "/opt/models/tiny"},
    "name": "mill-two",
    "notification_emails": ["ops@example.com"],
    "people": ["user:ann@example.com", "domain:example.com"],
    "project": "mill",
    "region": "europe-west1",
    "result_bucket": "mill-out",
    "secrets": {
        "OPENAI_API_KEY": {"secret": "openai", "version": "3", "processes": ["worker"]},
        "SPOTMILL_HOOK_SECRET": {"secret": "hook", "version": "1", "processes": ["dispatcher", "web"]},
    },
    "settings": {"SPOTMILL_LOG_LEVEL": "DEBUG"},
    "soft_delete_days": 30,
    "state_bucket": "mill-state",
    "subnet_range": "10.9.0.0/22",
    "unprotected": True,
    "upload_bucket": "mill-in",
    "versioning": True,
    "web_url": "https://mill.example.com",
    "workers": {
        "max": 20,
        "slots": 4,
        "machine_types": ["g2-standard-8"],
        "zones": ["europe-west1-b", "europe-west1-c"],
        "disk_gb": 200,
        "gpu": {"type": "nvidia-l4", "count": 1},
        "max_run_hours": 48,
        "preemption_notice_seconds": 120,
        "hourly_usd": 0.4,
    },
}
