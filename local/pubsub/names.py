"""Resource names (https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names)."""

import re

from local.pubsub.refusal import invalid

DELETED_TOPIC = "_deleted-topic_"

_PROJECT = re.compile(r"projects/[^/]+")
_ID = r"(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}"


def check(name: str, collection: str) -> str:
    """Return ``projects/P/<collection>/ID`` unchanged.

    Raises:
        RefusedError: the name has another form.
    """
    if not re.fullmatch(rf"projects/[^/]+/{collection}/{_ID}", name):
        raise invalid(f"Invalid [{collection}] name: (name={name})")
    return name


def check_project(name: str) -> str:
    """Return ``projects/P`` unchanged.

    Raises:
        RefusedError: the name has another form.
    """
    if not _PROJECT.fullmatch(name):
        raise invalid(f"Invalid project name: (name={name})")
    return name


def project_of(name: str) -> str:
    """``projects/P`` of any resource."""
    return "/".join(name.split("/", 2)[:2])
