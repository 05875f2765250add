"""What a track's codec is called where browsers ask for it (RFC 6381)."""

AAC = "mp4a.40.2"


def codec_string(settings: bytes) -> str:
    """Name the codec of a track by its decoder configuration record: ``avcC`` or ``av1C``.

    Sources: ISO/IEC 14496-15, 5.3.3.1; AV1 Codec ISO Media File Format Binding, sections 2.3 and 5.

    Raises:
        ValueError: it is neither.
    """
    if len(settings) >= 4 and settings[0] == 1:
        return f"avc1.{settings[1]:02X}{settings[2]:02X}{settings[3]:02X}"
    if len(settings) >= 4 and settings[0] == 0x81:
        profile, level = settings[1] >> 5, settings[1] & 0x1F
        tier = "H" if settings[2] & 0x80 else "M"
        depth = 8 if not settings[2] & 0x40 else 12 if settings[2] & 0x20 else 10
        return f"av01.{profile}.{level:02}{tier}.{depth:02}"
    raise ValueError("the track is neither H.264 nor AV1")
