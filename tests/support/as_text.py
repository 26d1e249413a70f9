from autoglm_phone.core.module import MediaReading, Reading


def as_text(one: MediaReading) -> Reading:
    """What a transcriber read."""
    assert isinstance(one.reading, Reading)
    return one.reading
