"""Requests to begin with. The suite sends each of them."""

import base64
import io
import wave
from collections.abc import Mapping
from typing import Any

from autoglm_phone.server.openapi.operation import Example

# White, 64 by 64 pixels.
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAAAAACPAi4CAAAAK0lEQVR42u3MMREAAAgEoNf+nTWEmwcBqMlN"
    "RyAQCAQCgUAgEAgEAsHzYAFQLQF/OJ8+2wAAAABJRU5ErkJggg=="
)
WEATHER: Mapping[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
CONTACT: Mapping[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "phone": {"type": "string"}},
    "required": ["name", "phone"],
    "additionalProperties": False,
}


def silence(duration_s: float = 0.1, sample_rate: int = 8000) -> str:
    """A WAV file of 8-bit samples, as base64."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(sample_rate)
        sound.writeframes(b"\x80" * int(duration_s * sample_rate))
    return base64.b64encode(file.getvalue()).decode()


def _user(*content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}]


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


CHAT: Mapping[str, Example] = {
    "text": Example(
        "A question",
        {
            "messages": [{"role": "system", "content": "Answer in one sentence."}, *_user("What is a phone?")],
            "temperature": 0.5,
            "max_tokens": 100,
        },
    ),
    "stream": Example(
        "A question, answered as a stream",
        {"messages": _user("你是谁?"), "stream": True, "stream_options": {"include_usage": True}},
    ),
    "picture": Example(
        "A picture and a question",
        {"messages": _user({"type": "image_url", "image_url": {"url": PICTURE}}, _text("What stands on this screen?"))},
    ),
    "sound": Example(
        "A sound and a question",
        {
            "messages": _user(
                {"type": "input_audio", "input_audio": {"data": silence(), "format": "wav"}}, _text("What is said?")
            )
        },
    ),
    "thinking": Example(
        "A thought before the answer",
        {"messages": _user("What is 17*3?"), "enable_thinking": True, "thinking_token_budget": 100, "max_tokens": 200},
    ),
    "tools": Example(
        "A function that the model may ask to be called",
        {
            "messages": _user("How is the weather in Beijing?"),
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "weather", "description": "The weather of a city", "parameters": WEATHER},
                }
            ],
        },
    ),
    "json_schema": Example(
        "An answer that follows a schema",
        {
            "messages": _user("Anna's number is 555-0100."),
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "contact", "schema": CONTACT, "strict": True},
            },
            "max_tokens": 100,
        },
    ),
}
COUNT: Mapping[str, Example] = {"text": CHAT["text"], "picture": CHAT["picture"]}
COMPLETION: Mapping[str, Example] = {
    "text": Example("A prompt", {"prompt": "Once upon a time", "max_tokens": 20}),
    "choice": Example(
        "One of a few answers",
        {"prompt": "Is water wet? ", "structured_outputs": {"choice": ["yes", "no"]}, "temperature": 0},
    ),
}
RESPONSES: Mapping[str, Example] = {
    "text": Example("A question", {"input": "What is a phone?", "max_output_tokens": 100}),
    "thinking": Example(
        "A thought before the answer",
        {"input": "What is 17*3?", "reasoning": {"effort": "low", "summary": "auto"}, "stream": True},
    ),
    "picture": Example(
        "A picture and a question",
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_image", "image_url": PICTURE},
                        {"type": "input_text", "text": "What stands on this screen?"},
                    ],
                }
            ]
        },
    ),
    "tools": Example(
        "A function that the model may ask to be called",
        {
            "input": "How is the weather in Beijing?",
            "tools": [{"type": "function", "name": "weather", "parameters": WEATHER}],
        },
    ),
    "json_schema": Example(
        "An answer that follows a schema",
        {
            "input": "Anna's number is 555-0100.",
            "text": {"format": {"type": "json_schema", "name": "contact", "schema": CONTACT, "strict": True}},
        },
    ),
}
COUNT_RESPONSE: Mapping[str, Example] = {"text": RESPONSES["text"], "picture": RESPONSES["picture"]}
READING: Mapping[str, Example] = {"picture": Example("A picture", {"image": PICTURE})}
TOKENIZE: Mapping[str, Example] = {
    "text": Example("A text", {"prompt": "Good morning", "return_token_strs": True}),
    "messages": Example("A conversation, as the template writes it", {"messages": _user("Good morning")}),
}
DETOKENIZE: Mapping[str, Example] = {"tokens": Example("Three tokens", {"tokens": [1, 2, 3]})}
TEMPLATE: Mapping[str, Example] = {"text": Example("A conversation", {"messages": _user("Good morning")})}
SPEECH: Mapping[str, Example] = {
    "english": Example("A sentence", {"input": "Your alarm is set for seven."}),
    "chinese": Example("Chinese, as bare samples", {"input": "闹钟设好了。", "response_format": "pcm"}),
}

LOAD = {"catalogue": Example("The module of a bundle of the catalogue", {"source": "autoglm-phone-nano-plus"})}
