"""Listing objects: prefixes, folders, globs, offsets, pages, in the order of UTF-8."""

import pytest
from google.cloud import storage

from tests.conformance.gcs_server import GcsServer

pytest_plugins = ["tests.conformance.gcs_fixtures"]

NAMES = ["a.txt", "a/", "a/b.jpg", "a/b/c.jpg", "a/b/d.png", "a/z.jpg", "b/x.jpg", "b0", "c", "ä/1", "\U0001f600/1"]


@pytest.fixture(scope="module")
def tree(gcs: GcsServer) -> storage.Bucket:
    bucket = gcs.bucket()
    for name in reversed(NAMES):
        bucket.blob(name).upload_from_string(name)
    return bucket


def names(bucket: storage.Bucket, **options: object) -> list[str]:
    return [blob.name for blob in bucket.list_blobs(**options)]


def test_all_names_come_in_the_order_of_utf8(tree: storage.Bucket) -> None:
    """The order of bytes, not of any language."""
    assert names(tree) == sorted(NAMES, key=str.encode)


@pytest.mark.parametrize("prefix", ["a", "a/", "a/b", "b", "ä", "\U0001f600", "nothing"])
def test_a_prefix_narrows_the_listing(tree: storage.Bucket, prefix: str) -> None:
    """Just the names that start with it."""
    assert names(tree, prefix=prefix) == [name for name in sorted(NAMES, key=str.encode) if name.startswith(prefix)]


def test_a_delimiter_shows_folders(tree: storage.Bucket) -> None:
    """Names with the delimiter become prefixes, each once."""
    listing = tree.list_blobs(delimiter="/")

    assert [blob.name for blob in listing] == ["a.txt", "b0", "c"]
    assert listing.prefixes == {"a/", "b/", "ä/", "\U0001f600/"}


def test_a_delimiter_works_below_a_prefix(tree: storage.Bucket) -> None:
    """One level of a tree; the marker of the folder itself is an object like others."""
    listing = tree.list_blobs(prefix="a/", delimiter="/")

    assert [blob.name for blob in listing] == ["a/", "a/b.jpg", "a/z.jpg"]
    assert listing.prefixes == {"a/b/"}


def test_a_delimiter_may_be_any_text(tree: storage.Bucket) -> None:
    """Nothing makes the slash special."""
    listing = tree.list_blobs(delimiter=".j", prefix="a/")

    assert [blob.name for blob in listing] == ["a/", "a/b/d.png"]
    assert listing.prefixes == {"a/b.j", "a/b/c.j", "a/z.j"}


def test_trailing_delimiters_are_objects_too_if_asked(tree: storage.Bucket) -> None:
    """With includeTrailingDelimiter folder markers stand among the items as well."""
    listing = tree.list_blobs(delimiter="/", include_trailing_delimiter=True)

    assert [blob.name for blob in listing] == ["a.txt", "a/", "b0", "c"]
    assert "a/" in listing.prefixes


def test_offsets_cut_a_listing(tree: storage.Bucket) -> None:
    """From startOffset, included, to endOffset, excluded."""
    assert names(tree, start_offset="a/z.jpg", end_offset="b0") == ["a/z.jpg", "b/x.jpg"]
    assert names(tree, prefix="a/", start_offset="a/b/") == ["a/b/c.jpg", "a/b/d.png", "a/z.jpg"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.txt", ["a.txt"]),
        ("a/*.jpg", ["a/b.jpg", "a/z.jpg"]),
        ("**.jpg", ["a/b.jpg", "a/b/c.jpg", "a/z.jpg", "b/x.jpg"]),
        ("**/c.jpg", ["a/b/c.jpg"]),
        ("a/**/*.jpg", ["a/b.jpg", "a/b/c.jpg", "a/z.jpg"]),
        ("[bc]?", ["b0"]),
        ("[!a]", ["c"]),
        ("{a,b}/[x-z].jpg", ["a/z.jpg", "b/x.jpg"]),
    ],
)
def test_a_glob_picks_names(tree: storage.Bucket, glob: str, expected: list[str]) -> None:
    """Stars stop at slashes, double stars do not, classes and alternatives work."""
    assert names(tree, match_glob=glob) == expected


@pytest.mark.parametrize("glob", ["[a", "{a,b"])
def test_a_broken_glob_is_refused(gcs: GcsServer, tree: storage.Bucket, glob: str) -> None:
    """400, not an empty listing."""
    assert gcs.call("GET", f"/storage/v1/b/{tree.name}/o?matchGlob={glob}").status == 400


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_show_everything_once(tree: storage.Bucket, size: int) -> None:
    """Objects and folders together, however small the pages are."""
    assert names(tree, page_size=size) == sorted(NAMES, key=str.encode)
    listing = tree.list_blobs(delimiter="/", page_size=size)
    pages = [[blob.name for blob in page] for page in listing.pages]

    assert [name for page in pages for name in page] == ["a.txt", "b0", "c"]
    assert listing.prefixes == {"a/", "b/", "ä/", "\U0001f600/"}


def test_the_last_page_has_no_token(gcs: GcsServer, tree: storage.Bucket) -> None:
    """A page that ends with the last object says that there is no more."""
    answer = gcs.call("GET", f"/storage/v1/b/{tree.name}/o?maxResults={len(NAMES)}")

    assert len(answer.json["items"]) == len(NAMES)
    assert "nextPageToken" not in answer.json


def test_deep_folders_are_leapt_over(bucket: storage.Bucket) -> None:
    """More objects below a folder than one page of SQL holds do not hide what follows it."""
    bucket.blob("full/0").upload_from_string(b"")
    source = bucket.blob("full/0")
    for number in range(1, 250):
        bucket.copy_blob(source, bucket, f"full/{number}")
    bucket.blob("later").upload_from_string(b"")

    listing = bucket.list_blobs(delimiter="/")
    assert [blob.name for blob in listing] == ["later"]
    assert listing.prefixes == {"full/"}
    assert len(names(bucket)) == 251


def test_versions_are_listed_oldest_first(gcs: GcsServer) -> None:
    """All generations of one name stand together."""
    bucket = gcs.bucket(versioning_enabled=True)
    for name in ("b", "a", "b"):
        bucket.blob(name).upload_from_string(name)
    found = [(blob.name, blob.time_deleted is None) for blob in bucket.list_blobs(versions=True, page_size=1)]

    assert found == [("a", True), ("b", False), ("b", True)]
    assert names(bucket) == ["a", "b"]


def test_fields_do_no_harm(tree: storage.Bucket) -> None:
    """A client may ask for a partial answer and gets at least that."""
    assert names(tree, fields="items(name),nextPageToken", prefix="c") == ["c"]
