"""POST /v1/responses as clients write it. Descriptions are shown in docs/http-api.md.

Fields that chats have as well, and that mean the same here, are not declared: they stay unknown to this model and are
handed on (`chat_body.py`). Null is the same as leaving a field out.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from autoglm_phone.server.responses.input_items import MAX_SHOWN_CHARS, InputItem, WireId
from autoglm_phone.server.schemas.chat_request import MAX_TOP_LOGPROBS
from autoglm_phone.server.schemas.messages import MAX_TOOLS, ToolName
from autoglm_phone.server.schemas.wire_model import INT64_MAX, WireModel, tag_of_type

MAX_METADATA = 16
MAX_METADATA_KEY_CHARS = 64
MAX_METADATA_VALUE_CHARS = 512
MAX_LABEL_CHARS = 512

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Summary = Literal["auto", "concise", "detailed"]
Label = Annotated[str, Field(max_length=MAX_LABEL_CHARS)]
Metadata = Annotated[
    dict[
        Annotated[str, Field(max_length=MAX_METADATA_KEY_CHARS)],
        Annotated[str, Field(max_length=MAX_METADATA_VALUE_CHARS)],
    ],
    Field(max_length=MAX_METADATA),
]
Includable = Literal[
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "message.input_image.image_url",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
]


def _function_only(value: Any) -> Any:
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind != "function":
        raise PydanticCustomError(
            "tool_type",
            "the tool {kind} is not supported: this server runs no tools itself; give it a `function`",
            {"kind": repr(kind[:MAX_SHOWN_CHARS])},
        )
    return value


class NamedFunction(WireModel):
    type: Literal["function"]
    name: ToolName


class FunctionTool(NamedFunction):
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class AllowedTools(WireModel):
    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[Annotated[NamedFunction, BeforeValidator(_function_only)]] = Field(min_length=1, max_length=MAX_TOOLS)


def _choice_tag(value: Any) -> str:
    if isinstance(value, dict):
        return "~allowed" if value.get("type") == "allowed_tools" else "~tool"
    return "~word"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("~word")]
    | Annotated[NamedFunction, BeforeValidator(_function_only), Tag("~tool")]
    | Annotated[AllowedTools, Tag("~allowed")],
    Discriminator(_choice_tag),
]


class PlainText(WireModel):
    type: Literal["text"]


class JsonObject(WireModel):
    type: Literal["json_object"]


class JsonSchema(WireModel):
    type: Literal["json_schema"]
    name: str
    description: str | None = None
    # `schema` is a method of pydantic's models
    json_schema: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


TextFormat = Annotated[
    Annotated[PlainText, Tag("~text")]
    | Annotated[JsonObject, Tag("~json_object")]
    | Annotated[JsonSchema, Tag("~json_schema")],
    Discriminator(
        tag_of_type,
        custom_error_type="format_type",
        custom_error_message="a format needs a `type`, one of text, json_object, json_schema",
    ),
]


class TextConfig(WireModel):
    format: TextFormat | None = None


class Reasoning(WireModel):
    effort: Effort | None = None
    summary: Summary | None = None
    generate_summary: Summary | None = None

    @property
    def asks_for_summary(self) -> bool:
        return self.summary is not None or self.generate_summary is not None


Input = Annotated[
    Annotated[str, Tag("~string")] | Annotated[list[InputItem], Tag("~items")],
    Discriminator(lambda value: "~string" if isinstance(value, str) else "~items"),
]


class ResponsesRequest(WireModel):
    model: str | None = Field(None, description="One of the names of `GET /v1/models`; left out: the served model.")
    input: Input = Field(description="What the user says, or a list of items; see Items.")
    instructions: str | None = Field(
        None, description="The system message of this request alone; the next one does not inherit it."
    )
    previous_response_id: WireId | None = Field(
        None, description="Go on behind this stored response: its whole dialogue stands before `input`."
    )
    store: bool | None = Field(None, description="Keep the response, as long as there is room. Default true.")
    stream: bool | None = Field(None, description="Send the response as events. Default false.")
    max_output_tokens: int | None = Field(
        None, ge=1, le=INT64_MAX, description="Longest output, in tokens, thought included. Default 1024."
    )
    temperature: float | None = Field(None, description="0 takes the likeliest token. Range 0 to 2.")
    top_p: float | None = Field(None, description="Keep the likeliest tokens up to this probability.")
    top_logprobs: int | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description=f"Log-probabilities of so many of the likeliest tokens at each place, up to {MAX_TOP_LOGPROBS}.",
    )
    tools: list[Annotated[FunctionTool, BeforeValidator(_function_only)]] | None = Field(
        None, max_length=MAX_TOOLS, description=f"Functions that the model may ask to be called, at most {MAX_TOOLS}."
    )
    tool_choice: ToolChoice | None = Field(
        None,
        description="`none`, `auto` (the default), `required`, the one function to call, or `allowed_tools`: "
        "only these are shown to the model.",
    )
    parallel_tool_calls: bool | None = Field(None, description="Several calls in one response. Default true.")
    text: TextConfig | None = Field(
        None, description="`format`: `text`, `json_object`, or `json_schema` with a schema that the text follows."
    )
    reasoning: Reasoning | None = Field(
        None, description="`effort`, as chats' `reasoning_effort`, and `summary`; see Thinking."
    )
    include: list[Includable] | None = Field(
        None, description="`message.output_text.logprobs` tells the log-probabilities; the rest asks for nothing here."
    )
    truncation: Literal["auto", "disabled"] | None = Field(
        None,
        description='"auto" drops the oldest turns when the window is full, "disabled" refuses. '
        "Default: the server's setting.",
    )
    metadata: Metadata | None = Field(
        None,
        description=f"Up to {MAX_METADATA} strings under keys of up to {MAX_METADATA_KEY_CHARS} characters; "
        "given back in the response.",
    )
    user: Label | None = Field(None, description="Given back in the response; tells clients at one address apart.")
    safety_identifier: Label | None = Field(None, description="As `user`, and before it.")
    prompt_cache_key: Label | None = Field(
        None, description="Given back; prefixes are found by their content, whatever the key."
    )
    max_tool_calls: int | None = Field(
        None, ge=1, le=INT64_MAX, description="Given back; it limits built-in tools, and there are none."
    )
