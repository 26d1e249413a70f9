"""A streaming chat client that writes down when each piece of text came. Knows only the OpenAI wire format."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

TIMEOUT_S = 600.0
Message = dict[str, Any]


@dataclass
class Stream:
    """One answer. token_s are the times (perf_counter) at which pieces of text arrived."""

    start_s: float
    token_s: list[float] = field(default_factory=list)
    end_s: float = 0.0
    text: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    @property
    def ttft_s(self) -> float:
        """To the first text; to the end where there was none (a control token, half a character)."""
        return (self.token_s[0] if self.token_s else self.end_s) - self.start_s

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s

    @property
    def gaps_s(self) -> list[float]:
        """Times between pieces of text (ITL)."""
        return [late - early for early, late in zip(self.token_s, self.token_s[1:], strict=False)]

    @property
    def decode_tokens_per_s(self) -> float:
        """Tokens behind the first by the seconds behind the first; by usage, for a piece may hold several tokens."""
        return (self.completion_tokens - 1) / (self.token_s[-1] - self.token_s[0])

    def tokens_between(self, start_s: float, end_s: float) -> float:
        """Tokens of the pieces that came then, if each piece held as many."""
        pieces = sum(start_s <= second < end_s for second in self.token_s)
        return pieces * self.completion_tokens / len(self.token_s)


class ChatClient:
    """One server. Greedy; with ignore_eos exactly max_tokens long, so that all sides do the same work."""

    def __init__(self, base_url: str) -> None:
        # A connection a request: llama-server closes idle ones while the other side has its turn.
        limits = httpx.Limits(max_connections=256, max_keepalive_connections=0)
        self.http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_S, limits=limits, trust_env=False)

    async def close(self) -> None:
        await self.http.aclose()

    async def wait_until_ready(self, timeout_s: float = 120.0) -> None:
        """Until /health says that all is there: "ok", the word that llama-server uses too."""
        deadline_s = time.perf_counter() + timeout_s
        while time.perf_counter() < deadline_s:
            try:
                health = await self.http.get("/health")
                if health.status_code == 200 and health.json()["status"] == "ok":
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)
        raise TimeoutError(f"the server was not ready after {timeout_s:.0f} s")

    async def chat(
        self, messages: list[Message], max_tokens: int, *, ignore_eos: bool = True, **fields: object
    ) -> Stream:
        """fields go into the body as they are. Raises RuntimeError where the server answers with an error."""
        body = {
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": 0,
            "ignore_eos": ignore_eos,
            "stream": True,
            "stream_options": {"include_usage": True},
            **fields,
        }
        stream = Stream(time.perf_counter())
        async with self.http.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != 200:
                raise RuntimeError(f"{response.status_code}: {(await response.aread()).decode()}")
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    _take(stream, json.loads(line[len("data: ") :]))
        stream.end_s = time.perf_counter()
        return stream


def _take(stream: Stream, chunk: dict[str, Any]) -> None:
    if "error" in chunk:
        raise RuntimeError(chunk["error"])
    for choice in chunk.get("choices", []):
        text = choice["delta"].get("content") or choice["delta"].get("reasoning_content")
        if text:
            stream.token_s.append(time.perf_counter())
            stream.text += text
    if usage := chunk.get("usage"):
        stream.prompt_tokens = usage["prompt_tokens"]
        stream.completion_tokens = usage["completion_tokens"]
        stream.cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
