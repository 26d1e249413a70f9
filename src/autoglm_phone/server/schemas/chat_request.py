"""POST /v1/chat/completions as clients write it: OpenAI's form, vLLM's additions, and the article's.

Types are strict: a number in quotes is not a number. Unknown names are collected, not lost. Descriptions are shown in
docs/http-api.md.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

MAX_STOP_STRINGS = 16
MAX_STOP_CHARS = 256
MAX_STOP_TOKENS = 64
MAX_TOOLS = 128
MAX_ID_CHARS = 256
MAX_CHOICES = 16
MAX_TOP_LOGPROBS = 20
MAX_BIASED_TOKENS = 1024
TOOL_NAME = r"^[a-zA-Z0-9_-]{1,64}$"
INT64_MAX = 2**63 - 1


class WireModel(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


def _url_object(value: Any) -> Any:
    """Many clients write the address itself where OpenAI has an object around it."""
    return {"url": value} if isinstance(value, str) else value


class ImageUrl(WireModel):
    url: str


class AudioUrl(WireModel):
    url: str


class InputAudio(WireModel):
    data: str


class TextPart(WireModel):
    type: Literal["text"]
    text: str


class ImageUrlPart(WireModel):
    type: Literal["image_url"]
    image_url: Annotated[ImageUrl, BeforeValidator(_url_object)]


class InputAudioPart(WireModel):
    type: Literal["input_audio"]
    input_audio: InputAudio


class AudioUrlPart(WireModel):
    type: Literal["audio_url"]
    audio_url: Annotated[AudioUrl, BeforeValidator(_url_object)]


class RefusalPart(WireModel):
    """An assistant's turn in the history may hold one."""

    type: Literal["refusal"]
    refusal: str


# Tags stand in the places that pydantic names, but not in the request: `~` tells them apart.
TAG = "~"


def _part_tag(value: Any) -> str | None:
    return f"{TAG}{value.get('type')}" if isinstance(value, dict) else None


def _content_tag(value: Any) -> str:
    return f"{TAG}string" if isinstance(value, str) else f"{TAG}parts"


Part = Annotated[
    Annotated[TextPart, Tag("~text")]
    | Annotated[ImageUrlPart, Tag("~image_url")]
    | Annotated[InputAudioPart, Tag("~input_audio")]
    | Annotated[AudioUrlPart, Tag("~audio_url")]
    | Annotated[RefusalPart, Tag("~refusal")],
    Discriminator(
        _part_tag,
        custom_error_type="part_type",
        custom_error_message="a part needs a `type`, one of text, image_url, input_audio, audio_url",
    ),
]

Content = Annotated[
    Annotated[str, Tag("~string")] | Annotated[list[Part], Tag("~parts")],
    Discriminator(_content_tag),
]


ToolName = Annotated[str, Field(pattern=TOOL_NAME)]


class CalledFunction(WireModel):
    name: ToolName
    arguments: str = Field("{}", description="JSON text, as the model wrote it.")


class WireToolCall(WireModel):
    id: Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
    type: Literal["function"] = "function"
    function: CalledFunction


class WireMessage(WireModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content | None = None
    refusal: str | None = None
    tool_calls: list[WireToolCall] | None = Field(None, max_length=MAX_TOOLS)
    tool_call_id: Annotated[str, Field(max_length=MAX_ID_CHARS)] | None = None
    prefix: bool | None = None


class Function(WireModel):
    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WireTool(WireModel):
    type: Literal["function"]
    function: Function


class NamedFunction(WireModel):
    name: ToolName


class NamedTool(WireModel):
    type: Literal["function"]
    function: NamedFunction


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("~word")] | Annotated[NamedTool, Tag("~tool")],
    Discriminator(lambda value: "~word" if isinstance(value, str) else "~tool"),
]


class JsonSchemaFormat(WireModel):
    name: str | None = None
    description: str | None = None
    # `schema` is a method of pydantic's models
    json_schema: dict[str, Any] | bool | None = Field(None, alias="schema")
    strict: bool | None = None


class TextFormat(WireModel):
    type: Literal["text"]


class JsonObjectFormat(WireModel):
    type: Literal["json_object"]


class JsonSchemaResponse(WireModel):
    type: Literal["json_schema"]
    json_schema: JsonSchemaFormat


ResponseFormat = Annotated[
    Annotated[TextFormat, Tag("~text")]
    | Annotated[JsonObjectFormat, Tag("~json_object")]
    | Annotated[JsonSchemaResponse, Tag("~json_schema")],
    Discriminator(
        _part_tag,
        custom_error_type="format_type",
        custom_error_message="a format needs a `type`, one of text, json_object, json_schema",
    ),
]


class StructuredOutputs(WireModel):
    """vLLM's: exactly one of its fields says what the answer must be."""

    json_schema: dict[str, Any] | str | None = Field(None, alias="json")
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    json_object: bool | None = None


class ThinkingSwitch(WireModel):
    """As in GLM's own API."""

    type: Literal["enabled", "disabled"]
    budget_tokens: int | None = Field(None, ge=0, le=INT64_MAX)


class StreamOptions(WireModel):
    include_usage: bool | None = None


class ChatTemplateKwargs(WireModel):
    enable_thinking: bool | None = None


StopString = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARS)]
Stop = Annotated[
    Annotated[StopString, Tag("~string")]
    | Annotated[list[StopString], Field(max_length=MAX_STOP_STRINGS), Tag("~list")],
    Discriminator(lambda value: "~string" if isinstance(value, str) else "~list"),
]


class ChatCompletionRequest(WireModel):
    """Null is the same as leaving a field out."""

    model: str | None = Field(None, description="One of the names of `GET /v1/models`; left out: the served model.")
    messages: list[WireMessage] = Field(min_length=1, description="The conversation; see Messages.")
    stream: bool | None = Field(None, description="Send the answer in pieces, as server-sent events. Default false.")
    stream_options: StreamOptions | None = Field(
        None, description="`include_usage`: one more chunk with the counts, before the end. Only with `stream`."
    )
    max_tokens: int | None = Field(
        None, ge=1, le=INT64_MAX, description="Longest answer, in tokens, thought included. Default 1024."
    )
    max_completion_tokens: int | None = Field(
        None, ge=1, le=INT64_MAX, description="OpenAI's newer name of `max_tokens`."
    )
    temperature: float | None = Field(None, ge=0, le=2, description="0 takes the likeliest token. Range 0 to 2.")
    top_p: float | None = Field(None, gt=0, le=1, description="Keep the likeliest tokens up to this probability.")
    top_k: int | None = Field(
        None, ge=-1, le=INT64_MAX, description="Keep this many of the likeliest tokens; 0 and -1 keep all."
    )
    min_p: float | None = Field(None, ge=0, le=1, description="Drop what is less likely than this share of the best.")
    frequency_penalty: float | None = Field(
        None, ge=-2, le=2, description="Subtracted once for each time a token was generated. Range -2 to 2."
    )
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="Subtracted once if a token was generated. Range -2 to 2."
    )
    repetition_penalty: float | None = Field(
        None, gt=0, le=10, description="Divides the score of tokens of the prompt and of the answer; 1 is off."
    )
    logit_bias: Annotated[dict[str, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=MAX_BIASED_TOKENS)] | (
        None
    ) = Field(
        None,
        description="Added to the scores of tokens, by their numbers as `POST /tokenize` gives them. -100 bans one. "
        f"At most {MAX_BIASED_TOKENS} of them.",
    )
    seed: int | None = Field(
        None, ge=-INT64_MAX - 1, le=INT64_MAX, description="The same request alone gives the same text again."
    )
    n: int | None = Field(None, ge=1, le=MAX_CHOICES, description=f"How many answers, 1 to {MAX_CHOICES}. Default 1.")
    logprobs: bool | None = Field(None, description="Tell the log-probability of each token of the answer.")
    top_logprobs: int | None = Field(
        None, ge=0, le=MAX_TOP_LOGPROBS, description="And those of the likeliest tokens at its place. With `logprobs`."
    )
    stop: Stop | None = Field(
        None,
        description=f"A string or up to {MAX_STOP_STRINGS} of them, each of 1 to {MAX_STOP_CHARS} characters; "
        "the answer ends before the first that appears.",
    )
    stop_token_ids: Annotated[list[int], Field(max_length=MAX_STOP_TOKENS)] | None = Field(
        None, description="Tokens that end the answer as well, by their numbers."
    )
    ignore_eos: bool | None = Field(None, description="Go on to `max_tokens` whatever the model says. Default false.")
    truncation: Literal["auto", "error"] | None = Field(
        None,
        description='"auto" drops the oldest turns when the window is full and says how many, "error" refuses. '
        "Default: the server's setting.",
    )
    response_format: ResponseFormat | None = Field(
        None, description="`json_object`, or `json_schema` with a schema: the answer is JSON that follows it."
    )
    structured_outputs: StructuredOutputs | None = Field(
        None, description="vLLM's: one of `json`, `regex`, `choice`, `grammar` (Lark or GBNF), `json_object`."
    )
    guided_json: dict[str, Any] | str | None = Field(None, description="As `structured_outputs.json`.")
    guided_regex: str | None = Field(None, description="As `structured_outputs.regex`.")
    guided_choice: list[str] | None = Field(None, description="As `structured_outputs.choice`.")
    guided_grammar: str | None = Field(None, description="As `structured_outputs.grammar`.")
    grammar: str | None = Field(None, description="llama.cpp's name of `structured_outputs.grammar`.")
    json_schema: dict[str, Any] | None = Field(None, description="llama.cpp's name of `structured_outputs.json`.")
    tools: list[WireTool] | None = Field(
        None, max_length=MAX_TOOLS, description=f"Functions that the model may ask to be called, at most {MAX_TOOLS}."
    )
    tool_choice: ToolChoice | None = Field(
        None, description="`none`, `auto` (the default), `required`, or the one to call, as OpenAI writes it."
    )
    parallel_tool_calls: bool | None = Field(None, description="Several calls in one answer. Default true.")
    continue_final_message: bool | None = Field(
        None, description="The last message is an assistant's; the answer goes on where it stops."
    )
    add_generation_prompt: bool | None = Field(
        None, description="False only together with `continue_final_message`, as for vLLM."
    )
    enable_thinking: bool | None = Field(
        None,
        description="Let the model think before it answers, or keep it from it. Left out: as the model is used to.",
    )
    thinking: ThinkingSwitch | None = Field(
        None, description="GLM's form: `type` enabled or disabled, and `budget_tokens`."
    )
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = Field(
        None,
        description="`none` is `enable_thinking: false`; the others think, with at most an eighth, a quarter, a half, "
        "or (from `high`) three quarters of `max_tokens`.",
    )
    thinking_token_budget: int | None = Field(
        None, ge=0, le=INT64_MAX, description="Longest thought, in tokens; then the answer follows. Default: half."
    )
    thinking_budget_tokens: int | None = Field(
        None, ge=-1, le=INT64_MAX, description="llama.cpp's name of `thinking_token_budget`; -1 is the default."
    )
    chat_template_kwargs: ChatTemplateKwargs | None = Field(
        None, description="`enable_thinking` may stand in here too, as for vLLM and llama.cpp."
    )
    return_reasoning: bool | None = Field(None, description="Send the thought as well. Default true.")
    include_reasoning: bool | None = Field(None, description="vLLM's name of `return_reasoning`.")
    use_default_system_prompt: bool | None = Field(
        None, description="Put the bundle's system prompt first if the messages bring none. Default true."
    )
    images: list[str] | None = Field(
        None, description="Pictures of the last user turn: base64, data URIs, or addresses. They stand before its text."
    )
    audio: str | None = Field(
        None, description="A sound of the last user turn: a data URI, base64, or an address. After the pictures."
    )
