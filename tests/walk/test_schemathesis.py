"""The OpenAPI document against a real server: its examples, and requests that Schemathesis makes of it.

Every answer is held to the document more tightly than clients would: a field that it does not name is a fault.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_answers import DocumentedAnswers
from schemathesis import Case
from schemathesis.checks import negative_data_rejection
from schemathesis.config import SchemathesisConfig
from terse_hearing import TerseHearing
from walk_house import END, MODEL, FakeModel, WalkHouse

from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.json_body import parse_object
from autoglm_phone.server.openapi.document import openapi_document
from autoglm_phone.server.openapi.examples import silence
from autoglm_phone.server.openapi.operations import OPERATIONS

DOCUMENT = openapi_document(ServerConfig(MODEL))
ANSWERS = DocumentedAnswers(DOCUMENT)
# What changes the server itself is closed here, and has a test of its own.
OPEN = {key: operation for key, operation in OPERATIONS.items() if not operation.needs_admin}
EXAMPLES = [
    (method, path, name)
    for (method, path), operation in OPEN.items()
    for name in (operation.body.examples if operation.body is not None else ())
    if path != "/v1/audio/speech"  # this house has no voice: tests/walk/test_speech.py has one
]
WITH_JSON = [path for (_, path), operation in OPEN.items() if operation.body and not operation.body.files]
FEW, MANY = 10, 150


class TerseModel(FakeModel):
    """Answers "abc" to anything, prompts without a template included, at little cost."""

    def choose(self, values: Sequence[str], params: SamplingParams) -> TokenId:
        following = {str(ord("a")): ord("b"), str(ord("b")): ord("c"), str(ord("c")): int(END)}
        return TokenId(following.get(values[-1], ord("a")))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    window = EngineConfig(max_model_len=4096, kv_tokens=8192)
    with WalkHouse(TerseModel(), engine_config=window, transcriptions=TerseHearing()).live() as address:
        yield address


@pytest.mark.parametrize(("method", "path", "name"), EXAMPLES)
def test_every_example_is_answered_as_documented(address: str, method: str, path: str, name: str) -> None:
    content = DOCUMENT["paths"][path][method.lower()]["requestBody"]["content"]
    body = content["application/json"]["examples"][name]["value"]
    response = httpx.request(method, f"{address}{path}", json=body, timeout=20)
    assert response.status_code == 200, response.text
    assert "x-autoglm-ignored" not in response.headers
    ANSWERS.check(method, path, 200, response.headers["content-type"], response.content)


@pytest.mark.parametrize(
    "path",
    ["/v1/memory", "/v1/models", "/v1/modules", f"/v1/models/{MODEL}", "/props", "/health", "/metrics", "/", "/docs"],
)
def test_what_the_server_says_of_itself_is_as_documented(address: str, path: str) -> None:
    response = httpx.get(f"{address}{path}")
    described = path.replace(MODEL, "{name}")
    ANSWERS.check("GET", described, response.status_code, response.headers["content-type"], response.content)


def test_what_is_stored_is_as_documented(address: str) -> None:
    def ask(method: str, path: str, **options: Any) -> Any:
        response = httpx.request(method, f"{address}{path}".replace("{response_id}", stored), timeout=20, **options)
        ANSWERS.check(method, path, response.status_code, response.headers["content-type"], response.content)
        return response.json()

    stored = ""
    item = {"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"}
    call = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "Wait."}]}
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    heard = {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": silence(), "format": "wav"}}]}
    stored = ask("POST", "/v1/responses", json={"input": [heard, thought, said, call, item]})["id"]
    assert ask("GET", "/v1/responses/{response_id}")["id"] == stored
    listed = ask("GET", "/v1/responses/{response_id}/input_items", params={"order": "asc", "limit": 4})
    assert (len(listed["data"]), listed["has_more"]) == (4, True)
    assert ask("DELETE", "/v1/responses/{response_id}")["deleted"]
    assert "error" in ask("DELETE", "/v1/responses/{response_id}")


def asked(max_examples: int) -> schemathesis.BaseSchema:
    """Schemathesis with all its checks but one, and what differs here from what they take for granted."""
    config = {
        "seed": 20261124,
        "generation": {"max-examples": max_examples, "deterministic": True, "database": "none"},
        "checks": {
            # A schema cannot say which fields go together, nor that base64 holds a picture or a pattern is a grammar's.
            # `check` asks instead that the wire model takes what the schema takes.
            "positive_data_acceptance": {"enabled": False},
            # 501 is what /v1/embeddings has to say; where it is not documented another check finds it.
            "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "501"]},
        },
        # `Allow` names GET and DELETE as well: to them, `input_tokens` is the id of a response.
        "operations": [
            {
                "include-path": "/v1/responses/input_tokens",
                "checks": {"allow_header_conformance": {"enabled": False}},
            },
            *({"include-path": path, "enabled": False} for (_, path) in OPERATIONS.keys() - OPEN.keys()),
        ],
    }
    return schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig.from_dict(config))


def check(case: Case[Any], address: str) -> None:
    body = OPERATIONS[case.operation.method.upper(), case.operation.path].body
    is_form = body is not None and bool(body.files)
    is_meant_to_fit = case.meta is None or case.meta.generation.mode.is_positive
    if is_meant_to_fit and body is not None and not is_form:
        body.model.model_validate(parse_object(json.dumps(case.body).encode()))
    response = case.call(base_url=address)
    # In a form all values are words, `0` is a boolean, and a list of one is the same as its item: what is sent may
    # well be in order though it was not meant to be.
    case.validate_response(response, excluded_checks=[negative_data_rejection] if is_form else [])
    if str(response.status_code) in case.operation.definition.raw["responses"]:  # else a check above has been at it
        content_type = response.headers["content-type"][0]
        ANSWERS.check(case.method, case.operation.path, response.status_code, content_type, response.content)


few, many = asked(FEW), asked(MANY)


@few.parametrize()
def test_no_request_breaks_the_server_or_the_document(case: Case[Any], address: str) -> None:
    check(case, address)


@pytest.mark.slow
@many.parametrize()
def test_many_requests_break_neither_the_server_nor_the_document(case: Case[Any], address: str) -> None:
    check(case, address)


def check_short(path: str, data: st.DataObject, address: str) -> None:
    """Who sends all fields at once is refused for two that contradict each other; a few of them go further."""
    body = OPERATIONS["POST", path].body
    assert body is not None
    case = data.draw(few[path]["POST"].as_strategy())
    assert isinstance(case.body, dict)
    required = {name for name, field in body.model.model_fields.items() if field.is_required()}
    optional = sorted(case.body.keys() - required - {"model"})
    names = data.draw(st.sets(st.sampled_from(optional), max_size=3)) if optional else set()
    plain = next(iter(body.examples.values())).body if data.draw(st.booleans()) else case.body
    case.body = {name: plain[name] for name in required} | {name: case.body[name] for name in names}
    check(case, address)


@pytest.mark.parametrize("path", WITH_JSON)
@settings(max_examples=2 * FEW, derandomize=True, deadline=None)
@given(data=st.data())
def test_no_short_request_breaks_the_server_or_the_document(path: str, data: st.DataObject, address: str) -> None:
    check_short(path, data, address)


@pytest.mark.slow
@pytest.mark.parametrize("path", WITH_JSON)
@settings(max_examples=4 * MANY, derandomize=True, deadline=None)
@given(data=st.data())
def test_many_short_requests_break_neither_the_server_nor_the_document(
    path: str, data: st.DataObject, address: str
) -> None:
    check_short(path, data, address)
