"""``spotmill submit``: hand objects or files to the mill from a shell."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from shared.messages import IngestMessage
from shared.objects import (
    OWNER_METADATA,
    PIPELINE_METADATA,
    SETTINGS_METADATA,
    is_ignored,
    parse_uri,
    settings_metadata,
    upload_name,
)
from shared.routing import content_type_of
from shared.settings import Settings, SettingsError, load
from spotmill.fitting import refuse_unfit

#: Seconds that Pub/Sub or one chunk of an upload may take.
_DEADLINE_SECONDS = 60
_CHUNK_BYTES = 16 * 1024**2


def _setting(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """Read NAME=VALUE, where the value is JSON if it can be and else text."""
    settings: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="gs://BUCKET/OBJECT|FILE...")
@click.option("--pipeline", help="Pipeline to use; without it the content type decides.")
@click.option("--owner", help="E-mail of the person whose jobs these are; without it everybody sees them.")
@click.option(
    "--setting",
    "settings",
    multiple=True,
    callback=_setting,
    metavar="NAME=VALUE",
    help="Setting of the pipeline; repeatable. VALUE is JSON if it can be read as JSON, else text: "
    """--setting language=de --setting 'vocabulary=["Ann","Bo"]'""",
)
def command(sources: tuple[str, ...], pipeline: str | None, owner: str | None, settings: dict[str, Any]) -> None:
    """Submit objects that are in a bucket already, or upload files."""
    try:
        configured = load(Settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    uris = [source for source in sources if source.startswith("gs://")]
    files = [Path(source) for source in sources if not source.startswith("gs://")]
    try:
        messages = [IngestMessage(uri=uri, pipeline=pipeline, owner=owner, settings=settings) for uri in uris]
    except ValidationError as error:
        raise click.UsageError("; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())) from None
    for file in files:
        if not file.is_file():
            raise click.UsageError(f"{file} is no file")
    refuse_unfit(settings, pipeline, {str(file): content_type_of("", file.name) for file in files})
    try:
        carried = settings_metadata(settings) if settings and files else None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if messages:
        refuse_unfit(settings, pipeline, _check(configured, messages))
        _publish(configured, messages)
    if files:
        upload = _uploader(configured, pipeline, owner, carried)
        for file in files:
            click.echo(f"{file} is {upload(file)}")


def _check(configured: Settings, messages: list[IngestMessage]) -> dict[str, str]:
    """Refuse objects that do not exist, or have the name of no upload: the dispatcher could only drop them.

    Returns the content type of each of the others, by its URI.
    """
    from google.api_core.exceptions import Forbidden  # noqa: PLC0415 - not needed for files

    from shared.storage_client import open_storage  # noqa: PLC0415

    client = open_storage(configured.project)
    types: dict[str, str] = {}
    for target in (parse_uri(uri) for message in messages for uri in message.named):
        if is_ignored(target.name):
            raise click.ClickException(
                f"{target.uri} has the name of a folder or of an unfinished file; give it another"
            )
        bucket = client.bucket(target.bucket)
        try:
            blob = bucket.get_blob(target.name, generation=target.generation, timeout=_DEADLINE_SECONDS)
        except Forbidden as error:
            raise click.ClickException(f"{target.uri} may not be read: {error.message}") from None
        if blob is None:
            raise click.ClickException(f"there is no object {target.uri}")
        types[target.uri] = content_type_of(blob.content_type or "", target.name)
    return types


def _publish(configured: Settings, messages: list[IngestMessage]) -> None:
    from google.cloud.pubsub_v1 import PublisherClient  # noqa: PLC0415 - not needed for files

    publisher = PublisherClient()
    topic = f"projects/{configured.project}/topics/{configured.ingest_topic}"
    sent = [publisher.publish(topic, m.model_dump_json(exclude_defaults=True).encode()) for m in messages]
    for message, future in zip(messages, sent, strict=True):
        future.result(timeout=_DEADLINE_SECONDS)
        uri = message.uri or ""
        elsewhere = parse_uri(uri).bucket != configured.upload_bucket
        click.echo(f"{uri} is announced{'; SPOTMILL_ALLOWED_BUCKETS must name its bucket' if elsewhere else ''}")


def _uploader(
    configured: Settings, pipeline: str | None, owner: str | None, settings: str | None
) -> Callable[[Path], str]:
    from shared.storage_client import open_storage  # noqa: PLC0415 - not needed for objects

    bucket = open_storage(configured.project).bucket(configured.upload_bucket)
    chosen = {
        OWNER_METADATA: owner,
        PIPELINE_METADATA: pipeline,
        SETTINGS_METADATA: settings,
    }

    def upload(file: Path) -> str:
        name = upload_name(file.name, uuid.uuid4(), datetime.now(UTC))
        blob = bucket.blob(name, chunk_size=_CHUNK_BYTES)
        blob.metadata = {key: value for key, value in chosen.items() if value is not None}
        blob.upload_from_filename(
            str(file),
            content_type=content_type_of("", file.name),
            if_generation_match=0,
            checksum="crc32c",
            timeout=_DEADLINE_SECONDS,
        )
        return f"gs://{configured.upload_bucket}/{name}"

    return upload
