"""What a chat tells about its work. The server's metrics implement Observer, so the chat knows no metrics library."""

from dataclasses import dataclass, field
from typing import Protocol

from autoglm_phone.core.module import MediaReading
from autoglm_phone.core.request import TokenEvent


class Observer(Protocol):
    """Called on the event loop; must not block or raise."""

    def first_token(self, seconds: float, queue_s: float) -> None: ...
    def next_token(self, seconds: float) -> None: ...
    def media_read(self, reading: MediaReading) -> None: ...
    def finished(self, times: "ChatTimes", now_s: float) -> None: ...


@dataclass
class ChatTimes:
    """One chat as it goes, in monotonic seconds. outcome: a finish reason, "left", or the name of an error."""

    start_s: float
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    outcome: str = "left"
    last_token_s: dict[int, float] = field(default_factory=dict)  # by choice

    def take(self, event: TokenEvent, now_s: float, observer: Observer, choice: int = 0) -> None:
        """Count an event and report TTFT (from the chat's start, media included) or ITL."""
        self.completion_tokens += len(event.tokens)
        if not self.last_token_s:
            self.cached_tokens = event.cached_tokens
            observer.first_token(now_s - self.start_s, event.queue_s)
        elif choice in self.last_token_s:
            observer.next_token(now_s - self.last_token_s[choice])
        self.last_token_s[choice] = now_s
