"""Films as HLS: one address, from which everything else is found."""

import re

from tests.finished_media import film, recording
from tests.web import API, Web


def test_a_player_finds_its_way_from_the_first_playlist(web: Web) -> None:
    """Relative links lead from playlist to playlist and to a signed URL of the film; nobody else gets anywhere."""
    ada, bob = web.person(), web.person()
    job = film(web.cloud, owner=ada.email)
    beside = f"{API}/jobs/{job}/hls/"
    first = ada.get(f"{beside}hls.m3u8")
    assert (first.status_code, first.content_type) == (200, "application/vnd.apple.mpegurl")
    media = ada.get(beside + first.text.splitlines()[-1]).text
    [name] = re.findall(r'URI="([^"]+)"', media)
    to_film = ada.get(beside + name)
    assert to_film.status_code == 302
    assert "X-Goog-Signature" in to_film.headers["Location"]
    for file in ("hls.m3u8", "hls-mp4-360.m3u8", "mp4-360.mp4"):
        assert bob.get(beside + file).status_code == 404


def test_only_what_belongs_to_a_playlist_is_there(web: Web) -> None:
    """No other artifact has an address here, under whatever ending."""
    ada = web.person()
    job = film(web.cloud, owner=ada.email)
    for file in ("poster.mp4", "transcript.m3u8", "mp4-360.m3u8", "hls.mp4", "hls", "nothing.m3u8", "HLS.m3u8"):
        assert ada.get(f"{API}/jobs/{job}/hls/{file}").status_code == 404
    assert ada.get(f"{API}/jobs/{recording(web.cloud, owner=ada.email)}/hls/hls.m3u8").status_code == 404
