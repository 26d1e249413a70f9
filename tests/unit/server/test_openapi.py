import asyncio
import base64
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.openapi.utils import get_openapi
from jsonschema import Draft202012Validator
from openapi_answers import DocumentedAnswers
from pydantic import BaseModel, ValidationError
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from scripted_services import FakeEngine, House
from scripted_transcriptions import TRANSCRIPTIONS, ScriptedTranscriptions, post_form

from autoglm_phone.core.errors import NotSupported
from autoglm_phone.core.request import EngineStatus
from autoglm_phone.media.audio import decode_sound
from autoglm_phone.media.data_uri import decode_data_uri
from autoglm_phone.media.image import decode_image
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.openapi import examples
from autoglm_phone.server.openapi.document import openapi_document
from autoglm_phone.server.openapi.operations import OPERATIONS
from autoglm_phone.server.responses.request import ResponsesRequest
from autoglm_phone.server.schemas.chat_request import ChatCompletionRequest
from autoglm_phone.server.schemas.completion_request import CompletionRequest

DOCUMENT = openapi_document(ServerConfig("autoglm-phone-nano"))
COMPONENTS = DOCUMENT["components"]


def get(*paths: str, method: str = "GET", house: House | None = None, **settings: Any) -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        async with (house or House()).client(**settings) as client:
            return [await client.request(method, path) for path in paths]

    return asyncio.run(ask())


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "$ref")
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_document_is_one() -> None:
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []
    for schema in COMPONENTS["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = {reference.removeprefix("#/components/schemas/") for reference in references(DOCUMENT)}
    assert names == set(COMPONENTS["schemas"]), "a name that is missing, or one that nothing needs"


@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")  # FastAPI's, for GET and HEAD of one route
def test_every_route_is_in_the_document_and_every_path_of_it_is_a_route() -> None:
    routes = get_openapi(title="", version="", routes=House().app().routes)["paths"]
    served = {(method.upper(), path) for path, methods in routes.items() for method in methods}
    described = set(OPERATIONS)
    has_head = {path for method, path in served if method == "HEAD"}
    assert {(method, path) for method, path in served if method != "HEAD"} == described
    assert has_head == {path for (_, path), operation in OPERATIONS.items() if not operation.needs_key}


@pytest.mark.parametrize("key", OPERATIONS, ids=" ".join)
def test_an_operation_says_what_it_takes_and_gives(key: Any) -> None:
    method, path = key
    told = DOCUMENT["paths"][path][method.lower()]
    operation = OPERATIONS[key]
    if method == "POST" and NotSupported not in operation.errors:
        (content,) = told["requestBody"]["content"].values()
        assert content["schema"]
        assert content.get("examples") or "multipart/form-data" in told["requestBody"]["content"]
    assert {parameter["name"] for parameter in told.get("parameters", ()) if parameter["in"] == "path"} == set(
        re.findall(r"{(\w+)}", path)
    )
    assert "200" in told["responses"] or NotSupported in operation.errors
    assert all(response["content"] for response in told["responses"].values())


def test_names_are_unique_and_plain() -> None:
    ids = [operation.id for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", name) for name in COMPONENTS["schemas"])


def test_keys_are_asked_for_where_the_document_says_so() -> None:
    document = get("/openapi.json", api_key="right")[0].json()
    for (method, path), operation in OPERATIONS.items():
        asked = path.replace("{response_id}", "resp_1").replace("{name}", "m").replace("{modality}", "vision")
        [response] = get(asked, method=method, api_key="right", admin_key="more")
        assert (response.status_code == 401) == operation.needs_key, path
        kind = "adminKey" if operation.needs_admin else "key"
        assert document["paths"][path][method.lower()]["security"] == ([{kind: []}] if operation.needs_key else [])
    assert DOCUMENT["paths"]["/v1/models"]["get"]["security"] == [{}, {"key": []}]


def test_the_document_and_its_page_are_served_with_the_headers_of_all_answers() -> None:
    document, page, bundle, style = responses = get(
        "/openapi.json", "/docs", "/docs/ui/swagger-ui-bundle.js", "/docs/ui/swagger-ui.css"
    )
    assert document.json() == openapi_document(ServerConfig("autoglm-phone-nano"))
    assert [response.headers["content-type"].partition(";")[0] for response in responses] == [
        "application/json",
        "text/html",
        "text/javascript",
        "text/css",
    ]
    assert all("style-src 'self';" in response.headers["content-security-policy"] for response in responses)
    assert "<script>" not in page.text
    assert bundle.content
    assert style.content


def test_head() -> None:
    for path, whole in zip(("/openapi.json", "/docs"), get("/openapi.json", "/docs"), strict=True):
        [response] = get(path, method="HEAD")
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-length"] == whole.headers["content-length"]


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (ChatCompletionRequest, {"messages": [{"role": "user", "content": None}], "stop": None, "seed": None}),
        (ChatCompletionRequest, {"messages": [{"role": "user", "content": "Hi", "x": 1}], "unknown": {"a": []}}),
        (
            ChatCompletionRequest,
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:,"}]}]},
        ),
        (ChatCompletionRequest, {"messages": [{"role": "user"}], "tool_choice": "auto", "stop": ["a", "b"]}),
        (
            ChatCompletionRequest,
            {"messages": [{"role": "user"}], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        (CompletionRequest, {"prompt": "Hi"}),
        (CompletionRequest, {"prompt": ["Hi", "Ho"]}),
        (CompletionRequest, {"prompt": [1, 2]}),
        (CompletionRequest, {"prompt": [[1], [2, 3]]}),
        (ResponsesRequest, {"input": [{"role": "user", "content": "Hi", "id": "msg_1"}]}),
        (ResponsesRequest, {"input": [{"id": "msg_1"}]}),
        (ResponsesRequest, {"input": "Hi", "text": {"format": {"type": "json_object"}}}),
    ],
)
def test_what_the_wire_takes_the_schema_takes(model: type[BaseModel], body: Any) -> None:
    model.model_validate(body)
    Draft202012Validator({"$ref": f"#/components/schemas/{model.__name__}", "components": COMPONENTS}).validate(body)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (ChatCompletionRequest, {}),
        (ChatCompletionRequest, {"messages": []}),
        (ChatCompletionRequest, {"messages": [{"role": "user"}], "temperature": "0.5"}),
        (ChatCompletionRequest, {"messages": [{"role": "user"}], "temperature": 2.5}),
        (ChatCompletionRequest, {"messages": [{"role": "user"}], "max_tokens": 0}),
        (ChatCompletionRequest, {"messages": [{"role": "user"}], "n": True}),
        (ChatCompletionRequest, {"messages": [{"role": "user"}], "stop": ""}),
        (ChatCompletionRequest, {"messages": [{"role": "user", "content": [{"type": "video"}]}]}),
        (CompletionRequest, {"prompt": []}),
        (CompletionRequest, {"prompt": ["Hi", 1]}),
        (CompletionRequest, {"prompt": [True]}),
        (ResponsesRequest, {"input": [{"content": "Hi"}]}),
        (ResponsesRequest, {"input": [{"type": "web_search_call", "id": "ws_1"}]}),
        (ResponsesRequest, {"input": "Hi", "tools": [{"type": "web_search"}]}),
    ],
)
def test_what_the_wire_refuses_the_schema_refuses(model: type[BaseModel], body: Any) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(body)
    schema = {"$ref": f"#/components/schemas/{model.__name__}", "components": COMPONENTS}
    assert not Draft202012Validator(schema).is_valid(body)


def test_the_media_of_the_examples_can_be_read() -> None:
    limits = MediaLimits()
    picture = decode_data_uri(examples.PICTURE, max_bytes=1000, param="")
    assert decode_image(picture, limits, param="").pixels.shape == (64, 64, 3)
    assert decode_sound(base64.b64decode(examples.silence(0.1)), limits, param="").duration_s == pytest.approx(0.1)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"response_format": "text"},
        {"response_format": "srt"},
        {"response_format": "vtt"},
        {"response_format": "verbose_json", "timestamp_granularities": ["segment", "word"]},
        {"stream": "true"},
        {"stream": "perhaps"},
        {"model": "unknown"},
    ],
)
def test_transcripts_are_as_documented(fields: dict[str, Any]) -> None:
    response = post_form(House(transcriptions=ScriptedTranscriptions()), **fields)
    DocumentedAnswers(DOCUMENT).check(
        "POST", TRANSCRIPTIONS, response.status_code, response.headers["content-type"], response.content
    )


@pytest.mark.parametrize("state", ["ready", "loading", "failed"])
def test_health_is_as_documented(state: Any) -> None:
    house = House(engine=FakeEngine(EngineStatus(state)))
    [response] = get("/health", house=house)
    DocumentedAnswers(DOCUMENT).check(
        "GET", "/health", response.status_code, response.headers["content-type"], response.content
    )
