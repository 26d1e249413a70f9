"""A streaming chat client that writes down when each token came. Knows only the OpenAI wire format."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

TIMEOUT_S = 600.0


@dataclass
class Stream:
    """One answer. token_s are the times (perf_counter) at which pieces of text arrived."""

    start_s: float
    token_s: list[float] = field(default_factory=list)
    text: str = ""
    completion_tokens: int = 0
    cached_tokens: int = 0

    @property
    def ttft_s(self) -> float:
        return self.token_s[0] - self.start_s

    @property
    def gaps_s(self) -> list[float]:
        """Times between tokens (ITL)."""
        return [late - early for early, late in zip(self.token_s, self.token_s[1:], strict=False)]

    @property
    def decode_tokens_per_s(self) -> float:
        return (self.completion_tokens - 1) / (self.token_s[-1] - self.token_s[0])


class ChatClient:
    """One server. Greedy, and exactly max_tokens long, so that both sides do the same work."""

    def __init__(self, base_url: str) -> None:
        # A connection a request: the peer closes idle ones while the other side has its turn.
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=0)
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_S, limits=limits, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def wait_until_healthy(self, timeout_s: float = 120.0) -> float:
        """Seconds until /health answered 200."""
        start_s = time.perf_counter()
        while time.perf_counter() - start_s < timeout_s:
            try:
                if (await self._http.get("/health")).status_code == 200:
                    return time.perf_counter() - start_s
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
        raise TimeoutError("the server did not become healthy")

    async def chat(self, messages: list[dict[str, Any]], max_tokens: int, *, ignore_eos: bool = True) -> Stream:
        body = {
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": 0,
            "ignore_eos": ignore_eos,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        stream = Stream(time.perf_counter())
        async with self._http.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != 200:
                raise RuntimeError(f"{response.status_code}: {(await response.aread()).decode()}")
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    _take(stream, json.loads(line[len("data: ") :]))
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
        stream.completion_tokens = usage["completion_tokens"]
        stream.cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
