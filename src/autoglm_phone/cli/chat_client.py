"""Speaks to a server as any client does: messages over HTTP, an answer that arrives piece by piece."""

import base64
import json
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from autoglm_phone.core.errors import AutoGLMError, EngineError, RequestError, SetupError

Message = dict[str, Any]
ANSWER_TIMEOUT_S = 600.0  # between two pieces; a long prompt on a small machine takes its time
INPUT_AUDIO_FORMATS = frozenset({"wav", "mp3"})  # what OpenAI's own content part may hold


@dataclass(frozen=True)
class Piece:
    kind: Literal["reasoning", "content"]
    text: str


class ChatClient:
    """One server. Raises SetupError if there is none, RequestError if it refuses, EngineError if it fails."""

    def __init__(self, url: str, *, api_key: str | None = None, model: str | None = None) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=5.0)
        # a proxy of the environment is for the outside; it would not find this machine's own server
        self._http = httpx.Client(base_url=self._url, headers=headers, timeout=timeout, trust_env=False)
        self._model = model

    def close(self) -> None:
        self._http.close()

    def model(self) -> str:
        """The model's true id, asked once."""
        if self._model is None:
            try:
                response = self._http.get("/v1/models")
            except httpx.TransportError as error:
                raise self._unreachable(error) from error
            if response.status_code != httpx.codes.OK:
                raise _refusal(response)
            self._model = str(response.json()["data"][0]["id"])
        return self._model

    def answer(self, messages: list[Message], options: dict[str, Any] | None = None) -> Iterator[Piece]:
        """The pieces of the answer as they come. Closing the iterator hangs up, which ends the computation."""
        body = {"model": self.model(), "messages": messages, "stream": True, **(options or {})}
        try:
            with self._http.stream("POST", "/v1/chat/completions", json=body) as response:
                if response.status_code != httpx.codes.OK:
                    response.read()
                    raise _refusal(response)
                for line in response.iter_lines():
                    if line.startswith("data: ") and line != "data: [DONE]":
                        yield from _pieces(json.loads(line.removeprefix("data: ")))
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.TransportError) -> SetupError:
        return SetupError(
            f"no server answers at {self._url} ({error}); start one with `autoglm-phone serve`, or name another with "
            "--url"
        )


def _pieces(event: dict[str, Any]) -> Iterator[Piece]:
    if "error" in event:
        raise EngineError(str(event["error"].get("message", event["error"])))
    for choice in event.get("choices", ()):
        delta = choice.get("delta", {})
        # some servers send one name, some the other, ours sends both
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield Piece("reasoning", thought)
        if text := delta.get("content"):
            yield Piece("content", text)


def _refusal(response: httpx.Response) -> AutoGLMError:
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = response.text[:500] or response.reason_phrase
    kind = EngineError if response.is_server_error else RequestError
    return kind(f"{message} (HTTP {response.status_code})")


def image_part(path: Path) -> Message:
    return {"type": "image_url", "image_url": {"url": _data_uri(path, "image/png")}}


def audio_part(path: Path) -> Message:
    form = path.suffix.lower().removeprefix(".")
    if form in INPUT_AUDIO_FORMATS:
        return {"type": "input_audio", "input_audio": {"data": _base64(path), "format": form}}
    return {"type": "audio_url", "audio_url": {"url": _data_uri(path, "audio/wav")}}


def _data_uri(path: Path, default_type: str) -> str:
    return f"data:{mimetypes.guess_type(path.name)[0] or default_type};base64,{_base64(path)}"


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
