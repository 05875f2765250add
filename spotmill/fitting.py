"""Settings against the pipelines of this machine, before anything is sent. A mill elsewhere may have others."""

from collections.abc import Mapping
from typing import Any

import click

from shared.complaints import complaint
from shared.routing import Offer, route


def refuse_unfit(settings: Mapping[str, Any], pipeline: str | None, sources: Mapping[str, str]) -> None:
    """Refuse settings that a pipeline installed here would refuse; of one that is not installed, nothing is known.

    Args:
        settings: those of all the sources.
        pipeline: the name of the one that was asked for; None: the content type decides.
        sources: the content type of each, by what people call it.

    Raises:
        click.UsageError: they do not fit; it says which, and what they may be.
    """
    if not settings or not sources:
        return
    offers = _installed_here()
    for source, content_type in sources.items():
        name, unroutable = route(offers, asked=pipeline, content_type=content_type, name=source)
        offer = next((offer for offer in offers if offer.name == name), None)
        if offer is None or unroutable is not None:
            continue
        wrong = complaint(settings, offer.settings_schema)
        if wrong is not None:
            raise click.UsageError(f"{source}: the settings do not fit the {name} pipeline: {wrong}")


def _installed_here() -> list[Offer]:
    """Return the pipelines of this machine in the order of their names, as a mill keeps them."""
    try:
        import jsonschema  # noqa: F401, PLC0415 - of the extra ``worker``, which a machine that only submits lacks

        from worker.child.installed import load_pipelines  # noqa: PLC0415
    except ImportError:
        return []
    found, _ = load_pipelines()
    return [Offer(name, each.accepts, dict(each.settings_schema)) for name, each in sorted(found.items())]
