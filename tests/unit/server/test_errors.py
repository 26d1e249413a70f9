"""The table is whole: every class of the tree has an answer, and every answer has OpenAI's shape."""

import asyncio

import httpx
import pytest
from scripted_services import House, ScriptedChat, asked

from autoglm_phone.core import errors
from autoglm_phone.server.errors import ANSWERS, answer_of, error_response

TOLD = [
    (errors.InvalidRequest("x", param="p"), 400, "invalid_value"),
    (errors.MediaUndecodable("x", param="messages[0].content[1]"), 400, "media_undecodable"),
    (errors.UnsupportedModality("the vision module is not loaded", param="p"), 400, "unsupported_modality"),
    (errors.ContextLengthExceeded("context_length_exceeded: 9 > 8"), 400, "context_length_exceeded"),
    (errors.Unauthorized("x"), 401, "invalid_api_key"),
    (errors.UnknownModel("x", param="model"), 404, "model_not_found"),
    (errors.MediaTooLarge("x", param="p"), 413, "media_too_large"),
    (errors.Overloaded("x", retry_after_s=7), 429, "overloaded"),
    (errors.StepFailed("x"), 500, "step_failed"),
    (errors.NotReady("x", retry_after_s=4), 503, "not_ready"),
    (errors.WorkerDied("x"), 503, "worker_died"),
    (errors.EngineError("x"), 500, None),
]


@pytest.mark.parametrize(("error", "status", "code"), TOLD, ids=lambda value: type(value).__name__)
def test_what_a_chat_raises_is_told_with_its_status(error: errors.AutoGLMError, status: int, code: str | None) -> None:
    response = House(ScriptedChat([error])).post(asked())
    told = response.json()["error"]
    assert (response.status_code, told["code"], told["message"]) == (status, code, str(error))
    assert told["param"] == getattr(error, "param", None)
    assert House(ScriptedChat([error])).post(asked(stream=True)).status_code == status


def test_who_should_come_again_is_told_when() -> None:
    for error, seconds in (
        (errors.Overloaded("x", retry_after_s=7), "7"),
        (errors.NotReady("x", retry_after_s=4), "4"),
    ):
        assert error_response(error).headers["retry-after"] == seconds
    assert "retry-after" in error_response(errors.WorkerDied("x")).headers
    assert "retry-after" not in error_response(errors.StepFailed("x")).headers


def test_a_missing_key_names_its_scheme() -> None:
    assert error_response(errors.Unauthorized("x")).headers["www-authenticate"] == "Bearer"


def test_an_error_that_the_table_does_not_name_answers_as_its_parent() -> None:
    class Odd(errors.MediaTooLarge):
        pass

    assert answer_of(Odd("x")) is ANSWERS[errors.MediaTooLarge]
    assert answer_of(ZeroDivisionError()).code == "internal_error"


def test_unknown_paths_and_methods_have_openais_shape() -> None:
    missing = House().get("/v1/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    wrong = House().get("/v1/chat/completions")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


def test_a_wrong_method_is_told_those_of_all_routes_of_the_path() -> None:
    async def ask() -> list[httpx.Response]:
        async with House().client() as client:
            return [await client.request("PUT", path) for path in ("/v1/responses/resp_1", "/health", "/web/app.js")]

    assert [response.headers["allow"] for response in asyncio.run(ask())] == ["DELETE, GET", "GET, HEAD", "GET, HEAD"]
