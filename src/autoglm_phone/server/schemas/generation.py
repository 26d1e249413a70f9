"""What chats and completions have in common: sampling, ends, choices, streaming, and the form of the answer."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from autoglm_phone.server.schemas.wire_model import INT64_MAX, WireModel, tag_of_type

MAX_STOP_STRINGS = 16
MAX_STOP_CHARS = 256
MAX_STOP_TOKENS = 64
MAX_CHOICES = 16
MAX_BIASED_TOKENS = 1024


class StreamOptions(WireModel):
    include_usage: bool | None = None


StopString = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARS)]
Stop = Annotated[
    Annotated[StopString, Tag("~string")]
    | Annotated[list[StopString], Field(max_length=MAX_STOP_STRINGS), Tag("~list")],
    Discriminator(lambda value: "~string" if isinstance(value, str) else "~list"),
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
        tag_of_type,
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


class GenerationRequest(WireModel):
    """Null is the same as leaving a field out."""

    model: str | None = Field(None, description="One of the names of `GET /v1/models`; left out: the served model.")
    stream: bool | None = Field(None, description="Send the answer in pieces, as server-sent events. Default false.")
    stream_options: StreamOptions | None = Field(
        None, description="`include_usage`: one more chunk with the counts, before the end. Only with `stream`."
    )
    max_tokens: int | None = Field(
        None, ge=1, le=INT64_MAX, description="Longest answer, in tokens, thought included. Default 1024."
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
    stop: Stop | None = Field(
        None,
        description=f"A string or up to {MAX_STOP_STRINGS} of them, each of 1 to {MAX_STOP_CHARS} characters; "
        "the answer ends before the first that appears.",
    )
    stop_token_ids: Annotated[list[int], Field(max_length=MAX_STOP_TOKENS)] | None = Field(
        None, description="Tokens that end the answer as well, by their numbers."
    )
    ignore_eos: bool | None = Field(None, description="Go on to `max_tokens` whatever the model says. Default false.")
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
