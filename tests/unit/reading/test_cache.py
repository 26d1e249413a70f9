from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Reading
from autoglm_phone.core.transcript import Heard, HearingOptions, Segment, Transcript
from autoglm_phone.reading.cache import CachedReading, ReadingCache

EYE, EAR = Digest("e" * 64), Digest("a" * 64)


def entry(text: str) -> CachedReading:
    return CachedReading(Reading(text, ""), Digest(text))


ONE_BYTES = entry("x").size_bytes


def test_reading_of_another_module_is_no_hit() -> None:
    cache = ReadingCache(10 * ONE_BYTES)
    cache.put(Digest("1"), EYE, entry("x"))
    assert cache.get(Digest("1"), EAR) is None
    assert cache.get(Digest("1"), EYE) == entry("x")


def test_transcript_of_other_options_is_no_hit() -> None:
    cache = ReadingCache(10 * ONE_BYTES)
    cache.put(Digest("1"), EAR, entry("x"), HearingOptions(language="zh"))
    assert cache.get(Digest("1"), EAR) is None
    for options in (HearingOptions(), HearingOptions("translate", "zh"), HearingOptions(language="zh", prompt="x")):
        assert cache.get(Digest("1"), EAR, options) is None
    assert cache.get(Digest("1"), EAR, HearingOptions(language="zh")) == entry("x")


def test_transcript_weighs_more_the_more_is_said() -> None:
    sizes = []
    for num_segments in (0, 1, 100):
        segment = Segment(" word", 0.0, 1.0, (1, 2), 0.0, 0.0, -0.5, 0.1, 1.0)
        transcript = Transcript(1.0, (Heard("en", (segment,) * num_segments),))
        sizes.append(CachedReading(transcript, Digest("1")).size_bytes)
    assert sizes[1] - sizes[0] > 500
    assert sizes[2] - sizes[0] == 100 * (sizes[1] - sizes[0])


def test_least_recently_used_goes_first() -> None:
    cache = ReadingCache(2 * ONE_BYTES)
    cache.put(Digest("1"), EYE, entry("a"))
    cache.put(Digest("2"), EYE, entry("b"))
    cache.get(Digest("1"), EYE)
    cache.put(Digest("3"), EYE, entry("c"))
    assert [cache.get(Digest(key), EYE) is not None for key in "123"] == [True, False, True]


def test_reading_over_the_whole_limit_is_not_kept_and_drives_nobody_out() -> None:
    cache = ReadingCache(2 * ONE_BYTES)
    cache.put(Digest("1"), EYE, entry("a"))
    cache.put(Digest("2"), EYE, entry("b" * 3 * ONE_BYTES))
    assert cache.get(Digest("2"), EYE) is None
    assert cache.get(Digest("1"), EYE) is not None


@given(
    st.lists(st.tuples(st.sampled_from("123456"), st.integers(0, 3000), st.booleans()), max_size=40),
    st.integers(0, 4000),
)
def test_cache_stays_in_its_bound_and_never_lies(operations: list[tuple[str, int, bool]], max_bytes: int) -> None:
    cache = ReadingCache(max_bytes)
    newest: dict[str, CachedReading] = {}
    for key, size, is_put in operations:
        if is_put:
            newest[key] = entry("字" * (size // 3))
            cache.put(Digest(key), EYE, newest[key])
        else:
            assert cache.get(Digest(key), EYE) in (None, newest.get(key))
        cache.check_invariants()
