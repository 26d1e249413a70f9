"""What /metrics shows: counts what chats and transcripts tell (it observes both), asks engine and media process."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from autoglm_phone.chat.observer import ChatTimes
from autoglm_phone.core.module import MediaReading, Modality, ModuleInfo
from autoglm_phone.core.request import EngineStatus
from autoglm_phone.core.transcript import Task, TranscriptEnd
from autoglm_phone.server.media_state import MediaState

_FIRST_TOKEN_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 30, 60)
_NEXT_TOKEN_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5)
_MODULE_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 60)
_LANES = ("decoding", "vision", "speech")
_TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


class ServerMetrics:
    """One registry per server, so that two servers in one process do not add up."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._chats = Counter("autoglm_chats", "Chats by how they ended", ["outcome"], registry=self.registry)
        self._tokens = Counter("autoglm_tokens", "Tokens by what became of them", ["kind"], registry=self.registry)
        self._prompt = self._histogram("prompt_tokens", "Prompt lengths, in tokens", _TOKENS)
        self._queue = self._histogram("queue_seconds", "Wait in the engine's queue", _FIRST_TOKEN_S)
        self._first = self._histogram("time_to_first_token_seconds", "From the request, media included", _FIRST_TOKEN_S)
        self._next = self._histogram("inter_token_seconds", "Between two tokens of an answer", _NEXT_TOKEN_S)
        self._whole = self._histogram("chat_seconds", "From the request to its end", (*_FIRST_TOKEN_S, 120, 300))
        self._media = Counter(
            "autoglm_media", "Pictures and sounds read", ["modality", "cache"], registry=self.registry
        )
        self._transcriptions = Counter(
            "autoglm_transcriptions", "Transcripts by how they ended", ["task", "outcome"], registry=self.registry
        )
        self._sounds = Counter(
            "autoglm_transcribed_seconds", "Length of the transcribed sounds", registry=self.registry
        )
        self._changes = Counter(
            "autoglm_module_changes", "Modules loaded and unloaded", ["modality", "outcome"], registry=self.registry
        )
        self._module = Histogram(
            "autoglm_module_seconds",
            "Time of a module for one picture or sound that was not in the cache",
            ["modality"],
            buckets=_MODULE_S,
            registry=self.registry,
        )

    def first_token(self, seconds: float, queue_s: float) -> None:
        self._first.observe(seconds)
        self._queue.observe(queue_s)

    def next_token(self, seconds: float) -> None:
        self._next.observe(seconds)

    def media_read(self, reading: MediaReading) -> None:
        self._count_media(reading.modality, was_cached=reading.was_cached, seconds=reading.seconds)

    def transcribed(self, task: Task, outcome: str, end: TranscriptEnd | None) -> None:
        self._transcriptions.labels(task, outcome).inc()
        if end is not None:
            self._sounds.inc(end.duration_s)
            self._count_media("speech", was_cached=end.was_cached, seconds=end.seconds)

    def finished(self, times: ChatTimes, now_s: float) -> None:
        self._chats.labels(times.outcome).inc()
        self._tokens.labels("prompt").inc(times.prompt_tokens)
        self._tokens.labels("prompt_cached").inc(times.cached_tokens)
        self._tokens.labels("generated").inc(times.completion_tokens)
        self._whole.observe(now_s - times.start_s)
        if times.prompt_tokens:
            self._prompt.observe(times.prompt_tokens)

    def watch_engine(self, status: Callable[[], EngineStatus]) -> None:
        self.registry.register(_EngineCollector(status))

    def watch_media(self, status: Callable[[], MediaState | None]) -> None:
        self.registry.register(_MediaCollector(status))

    def watch_modules(self, modules: Callable[[], Sequence[ModuleInfo]]) -> None:
        self.registry.register(_ModuleCollector(modules))

    def module_changed(self, modality: Modality, outcome: str) -> None:
        """outcome: loaded, unloaded, or the name of an error."""
        self._changes.labels(modality, outcome).inc()

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)

    def _count_media(self, modality: str, *, was_cached: bool, seconds: float) -> None:
        self._media.labels(modality, "hit" if was_cached else "miss").inc()
        if not was_cached:
            self._module.labels(modality).observe(seconds)

    def _histogram(self, name: str, text: str, buckets: Iterable[float]) -> Histogram:
        return Histogram(f"autoglm_{name}", text, buckets=tuple(buckets), registry=self.registry)


class _EngineCollector(Collector):
    def __init__(self, status: Callable[[], EngineStatus]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status = self._status()
        yield GaugeMetricFamily("autoglm_engine_ready", "1 while the decoder answers", float(status.state == "ready"))
        yield CounterMetricFamily("autoglm_engine_restarts", "Lives the engine process has lost", status.restarts)
        yield _gauge("requests", "Requests in the engine", "state", running=status.running, waiting=status.waiting)
        yield _gauge(
            "kv_tokens",
            "Cells of the KV cache; the rest is free",
            "state",
            used=status.kv_tokens_used,
            cached=status.kv_tokens_cached,
            total=status.kv_tokens_total,
        )
        ahead = CounterMetricFamily("autoglm_speculated_tokens", "Tokens that were computed ahead", labels=["kind"])
        for kind, count in (
            ("forced", status.tokens_forced),
            ("drafted", status.tokens_drafted),
            ("accepted", status.tokens_accepted),
        ):
            ahead.add_metric([kind], count)
        yield ahead


class _MediaCollector(Collector):
    def __init__(self, status: Callable[[], MediaState | None]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status = self._status()
        if status is None:
            return
        yield GaugeMetricFamily("autoglm_media_ready", "1 while media are read", float(status.state == "ready"))
        yield CounterMetricFamily("autoglm_media_restarts", "Lives the media process has lost", status.restarts)
        lanes = {lane: float(lane in status.busy) for lane in _LANES}
        yield _gauge("media_busy", "1 while the media process decodes, or a module of it reads", "lane", **lanes)


class _ModuleCollector(Collector):
    def __init__(self, modules: Callable[[], Sequence[ModuleInfo]]) -> None:
        self._modules = modules

    def collect(self) -> Iterable[Metric]:
        names = ["modality", "arch", "version", "digest"]
        loaded = GaugeMetricFamily("autoglm_module_info", "1 for each module that is loaded", labels=names)
        memory = GaugeMetricFamily("autoglm_module_bytes", "What loading it added to its process", labels=names[:1])
        for module in self._modules():
            loaded.add_metric([module.modality, module.arch, module.version, module.digest], 1)
            memory.add_metric([module.modality], module.memory_bytes)
        yield loaded
        yield memory


def _gauge(name: str, text: str, label: str, **values: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"autoglm_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
