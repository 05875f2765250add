"""Which pipeline an object goes to."""

import pytest

from shared.routing import UNROUTED, Offer, content_type_of, route

OFFERS = [Offer("image", ("image/*",)), Offer("speech", ("audio/*", "video/mp4"))]


@pytest.mark.parametrize(
    ("claimed", "name", "kind"),
    [
        ("image/jpeg", "a.jpg", "image/jpeg"),
        ("Image/JPEG; charset=x", "a", "image/jpeg"),
        ("application/octet-stream", "a.HEIC", "image/heic"),
        ("", "a.mp4", "video/mp4"),
        ("", "IMG_1.DNG", "image/x-dng"),
        ("application/octet-stream", "00001.MTS", "video/mp2t"),
        ("", "talk.m4a", "audio/mp4"),
        ("", "noending", "application/octet-stream"),
    ],
)
def test_content_type(claimed: str, name: str, kind: str) -> None:
    """The claim counts unless it says nothing; then the name does."""
    assert content_type_of(claimed, name) == kind


def test_routes_by_type_and_by_wish() -> None:
    """The content type decides unless a pipeline was asked for."""
    assert route(OFFERS, asked=None, content_type="audio/ogg", name="a") == ("speech", None)
    assert route(OFFERS, asked="image", content_type="audio/ogg", name="a") == ("image", None)


def test_what_nothing_accepts_says_so() -> None:
    """An unknown type and an unknown pipeline are recorded with a reason for people."""
    assert route(OFFERS, asked=None, content_type="text/plain", name="a.txt") == (
        UNROUTED,
        "No installed pipeline accepts text/plain files.",
    )
    pipeline, unknown = route(OFFERS, asked=None, content_type="", name="a")
    assert (pipeline, "Choose a pipeline" in str(unknown)) == (UNROUTED, True)
    name, reason = route(OFFERS, asked="oops", content_type="image/png", name="a")
    assert name == "oops"
    assert reason == "There is no pipeline named 'oops'. Installed: image, speech."
