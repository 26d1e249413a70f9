"""LangChain's chat model for this server. It is a client: it knows the API's fields and nothing of the server's parts.

`ChatOpenAI` reaches the server as well, but drops the thought and has no place for media beside the messages.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr

from autoglm_phone.core.errors import MissingDependency

try:
    import openai
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import BaseMessageChunk
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.utils import secret_from_env
    from langchain_openai import ChatOpenAI
except ImportError:
    raise MissingDependency("langchain-openai is not installed; run: pip install 'langchain-openai>=1'") from None

# A string is base64, a data URI or an address, never the name of a file: text that came from somebody else must not
# open files here. Files are named by paths.
Medium = str | bytes | os.PathLike[str]

PROVIDER = "autoglm"
REASONING = "reasoning_content"
_ELSEWHERE = ("data:", "http://", "https://")


def to_wire(medium: Medium) -> str:
    """A picture or a sound as the server takes it. What it is, its bytes say. Raises ValueError, OSError."""
    if isinstance(medium, bytes):
        return base64.b64encode(medium).decode()
    if isinstance(medium, os.PathLike):
        return base64.b64encode(Path(medium).read_bytes()).decode()
    if not isinstance(medium, str):
        raise ValueError(f"a picture or a sound is a path, bytes or a string, not {type(medium).__name__}")
    if not medium.startswith(_ELSEWHERE):
        try:
            base64.b64decode(medium, validate=True)
        except ValueError:
            raise ValueError(
                f"{medium[:40]!r} is neither base64 nor a data URI nor an address; a file is named by pathlib.Path"
            ) from None
    return medium


def to_wire_list(media: Sequence[Medium]) -> list[str]:
    if not isinstance(media, list | tuple):
        raise ValueError(f"`images` is a list, not {type(media).__name__}")
    return [to_wire(medium) for medium in media]


class ChatAutoGLM(ChatOpenAI):
    """ChatOpenAI for a server of this project.

    The thought of an answer stands in `additional_kwargs["reasoning_content"]`, of streamed chunks too, and as a
    reasoning block in `content_blocks`. Pictures and sounds may stand beside the messages, for all calls or for one:

        llm = ChatAutoGLM(enable_thinking=True)
        llm.invoke("What was said?", images=[Path("screen.png")], audio=Path("question.wav"))

    They belong to the last user message. The key is `api_key`, else AUTOGLM_API_KEY, else none.
    """

    model_name: str = Field("autoglm-phone-9b", alias="model")
    openai_api_base: str | None = Field("http://127.0.0.1:8000/v1", alias="base_url")
    openai_api_key: SecretStr | None = Field(
        alias="api_key", default_factory=secret_from_env("AUTOGLM_API_KEY", default="EMPTY")
    )
    stream_usage: bool | None = True
    images: Annotated[list[str], BeforeValidator(to_wire_list)] = Field(default_factory=list)
    audio: Annotated[str, BeforeValidator(to_wire)] | None = None
    enable_thinking: bool | None = None
    return_reasoning: bool | None = None

    @property
    def lc_secrets(self) -> dict[str, str]:
        return {"openai_api_key": "AUTOGLM_API_KEY"}

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        return cls.__module__.split(".")

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        ours = {
            "images": to_wire_list(kwargs.pop("images", self.images) or []) or None,
            "audio": _wire_or_none(kwargs.pop("audio", self.audio)),
            "enable_thinking": kwargs.pop("enable_thinking", self.enable_thinking),
            "return_reasoning": kwargs.pop("return_reasoning", self.return_reasoning),
        }
        payload = super()._get_request_payload(input_, stop=stop, **kwargs)
        given = {name: value for name, value in ours.items() if value is not None}
        if given:
            payload["extra_body"] = {**(payload.get("extra_body") or {}), **given}
        return payload

    def _create_chat_result(
        self, response: dict[str, Any] | openai.BaseModel, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
        plain = response if isinstance(response, dict) else response.model_dump(include={"choices"}, warnings=False)
        for generation, choice in zip(result.generations, plain["choices"], strict=True):
            generation.message.additional_kwargs.update(_reasoning(choice["message"]))
        result.llm_output = {**(result.llm_output or {}), "model_provider": PROVIDER}
        return result

    def _convert_chunk_to_generation_chunk(
        self,
        chunk: dict[str, Any],
        default_chunk_class: type[BaseMessageChunk],
        base_generation_info: dict[str, Any] | None,
    ) -> ChatGenerationChunk | None:
        generation = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        # what `response_format` streams has the chunk inside an event
        choices = chunk.get("choices") or chunk.get("chunk", {}).get("choices")
        if generation is not None and choices:
            generation.message.additional_kwargs.update(_reasoning(choices[0]["delta"]))
            generation.message.response_metadata["model_provider"] = PROVIDER
        return generation

    def _get_generation_chunk_from_completion(self, completion: openai.BaseModel) -> ChatGenerationChunk:
        """The last chunk of a stream with `response_format` repeats the answer; its thought has been streamed."""
        generation = super()._get_generation_chunk_from_completion(completion)
        generation.message.additional_kwargs.pop(REASONING, None)
        return generation


def _wire_or_none(medium: Medium | None) -> str | None:
    return None if medium is None else to_wire(medium)


def _reasoning(fields: Mapping[str, Any]) -> dict[str, str]:
    return {REASONING: fields[REASONING]} if fields.get(REASONING) else {}
