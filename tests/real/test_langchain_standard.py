"""langchain-tests' standard suite against the real server, for LangChain's own class and for ours.

What a test of the suite fetches from the internet is replaced by the samples: there is no network here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests, chat_models
from running_server import RunningServer

from autoglm_phone.integrations.langchain import ChatAutoGLM, to_wire

SAMPLES = Path(__file__).parents[1] / "samples"
SOUND = SAMPLES / "open_settings.flac"
PICTURE = SAMPLES / "settings_screen.png"

UsageDetail = Literal["audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"]

pytestmark = [
    pytest.mark.real,
    # langchain-openai streams a parsed answer through a type that knows only unparsed ones
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    # one test gives a schema of pydantic 1 on purpose
    pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema:UserWarning"),
]


@dataclass(frozen=True)
class Fetched:
    content: bytes


class Samples:
    """Stands for httpx where the suite fetches its pictures and sounds."""

    def get(self, url: str, **_: object) -> Fetched:
        return Fetched((PICTURE if url.endswith(".png") else SOUND).read_bytes())


class StandardTests(ChatModelIntegrationTests):
    """What the server and its small default can do, as the suite asks for it."""

    @pytest.fixture(autouse=True)
    def _server(self, server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = server.api
        monkeypatch.setattr(chat_models, "httpx", Samples())
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "autoglm-phone")  # it warns without one

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": "autoglm-phone-9b",
            "base_url": self.api,
            "api_key": "EMPTY",
            "temperature": 0,
            "seed": 0,
            # without it so small a model may say the same again and again inside a string
            "frequency_penalty": 1.0,
            "max_tokens": 400,
            "max_retries": 0,
            "stream_usage": True,
        }

    @property
    def model_override_value(self) -> str:
        return "autoglm-phone-nano"

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[UsageDetail]]:
        told: list[UsageDetail] = ["audio_input", "reasoning_output", "cache_read_input"]
        return {"invoke": told, "stream": told}

    def invoke_with_audio_input(self, *, stream: bool = False) -> AIMessage:
        # What stands before the sound is new each time. The suite adds the sound's tokens to those that were cached,
        # which is right only if the sound is not among them.
        content: list[str | dict[str, Any]] = [
            {"type": "text", "text": str(uuid4())},
            {"type": "audio", "base64": to_wire(SOUND), "mime_type": "audio/flac"},
            {"type": "text", "text": "What was said?"},
        ]
        return self._ask(HumanMessage(content), stream=stream)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._ask(HumanMessage("What is 17*3?"), stream=stream, extra_body={"enable_thinking": True})

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        for _ in range(2):
            answer = self._ask(HumanMessage("Hello"), stream=stream)
        return answer

    def _ask(self, message: HumanMessage, *, stream: bool, **more: Any) -> AIMessage:
        chat: BaseChatModel = self.chat_model_class(**self.chat_model_params, **more)
        if not stream:
            return chat.invoke([message])
        first, *others = chat.stream([message])
        whole = add_ai_message_chunks(first, *others)
        assert isinstance(whole, AIMessageChunk)
        return whole


@pytest.mark.slow  # ours is one of its kind and runs by default
class TestChatOpenAI(StandardTests):
    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        return ChatOpenAI


class TestChatAutoGLM(StandardTests):
    @property
    def chat_model_class(self) -> type[ChatAutoGLM]:
        return ChatAutoGLM
