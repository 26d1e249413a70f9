from scripted_services import FakeMedia, FakeMediaState

from autoglm_phone.chat.observer import ChatTimes, Observer
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import MediaReading, Reading
from autoglm_phone.server.metrics import ServerMetrics


def value(metrics: ServerMetrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(f"autoglm_{name}", labels)
    assert found is not None, name
    return found


def test_what_chats_tell_is_counted() -> None:
    metrics = ServerMetrics()
    observer: Observer = metrics
    observer.first_token(0.4, 0.1)
    observer.next_token(0.02)
    observer.next_token(0.03)
    times = ChatTimes(10.0, prompt_tokens=100, completion_tokens=3, cached_tokens=60, outcome="stop")
    observer.finished(times, 12.0)
    assert value(metrics, "time_to_first_token_seconds_sum") == 0.4
    assert value(metrics, "queue_seconds_sum") == 0.1
    assert value(metrics, "inter_token_seconds_count") == 2
    assert value(metrics, "chat_seconds_sum") == 2
    assert value(metrics, "chats_total", outcome="stop") == 1
    assert [value(metrics, "tokens_total", kind=kind) for kind in ("prompt", "prompt_cached", "generated")] == [
        100,
        60,
        3,
    ]


def test_a_cached_reading_counts_but_took_no_time_of_its_module() -> None:
    metrics = ServerMetrics()
    for was_cached in (False, True):
        reading = MediaReading("speech", Reading("hi", ""), Digest("a"), Digest("b"), was_cached, 1.5)
        metrics.media_read(reading)
    assert value(metrics, "media_total", modality="speech", cache="hit") == 1
    assert value(metrics, "media_total", modality="speech", cache="miss") == 1
    assert value(metrics, "module_seconds_count", modality="speech") == 1


def test_two_servers_do_not_add_up() -> None:
    first, second = ServerMetrics(), ServerMetrics()
    first.first_token(1, 0)
    assert value(second, "time_to_first_token_seconds_count") == 0


def test_media_process_is_asked_when_read() -> None:
    metrics = ServerMetrics()
    metrics.watch_media(FakeMedia(FakeMediaState(restarts=2, busy=frozenset({"vision"}))).status)
    assert 'autoglm_media_busy{lane="vision"} 1.0' in metrics.render().decode()
    assert 'autoglm_media_busy{lane="speech"} 0.0' in metrics.render().decode()
    assert value(metrics, "media_restarts_total") == 2
    assert value(metrics, "media_ready") == 1
