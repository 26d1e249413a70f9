import asyncio
from typing import Any

import httpx
import pytest
from openapi_answers import DocumentedAnswers
from scripted_services import DECODER, EYE, FakeChanges, FakeMedia, House

from autoglm_phone.core.errors import Forbidden, ModuleRefused, NoSuchModule
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.openapi.document import openapi_document

ANSWERS = DocumentedAnswers(openapi_document(ServerConfig("autoglm-phone-nano")))
ADMIN, KEY = "boss", "guest"
LOAD = {"source": "nano-plus"}


def ask(
    house: House, method: str, path: str, body: Any = None, key: str | None = ADMIN, **settings: Any
) -> httpx.Response:
    async def send() -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        async with house.client(**{"admin_key": ADMIN, **settings}) as client:
            return await client.request(method, path, json=body, headers=headers)

    return asyncio.run(send())


def check(response: httpx.Response, method: str, path: str = "/v1/modules/{modality}") -> httpx.Response:
    ANSWERS.check(method, path, response.status_code, response.headers["content-type"], response.content)
    return response


def test_the_list_tells_who_answers_how_many() -> None:
    listed = check(ask(House(), "GET", "/v1/modules", key=None), "GET", "/v1/modules").json()["data"]
    assert [(one["digest"], one["requests"], one["is_leaving"]) for one in listed] == [
        (DECODER.digest, 3, False),
        (EYE.digest, 0, False),
        (EYE.digest, 1, True),
    ]
    assert all(set(one) >= {"kind", "version", "licence", "limits", "memory_bytes"} for one in listed)


def test_the_admin_loads_and_unloads() -> None:
    house = House()
    loaded = check(ask(house, "POST", "/v1/modules/vision", LOAD), "POST")
    assert (loaded.json()["loaded"]["digest"], loaded.json()["seconds"]) == (EYE.digest, 1.25)
    unloaded = check(ask(house, "DELETE", "/v1/modules/speech"), "DELETE")
    assert (unloaded.json()["loaded"], unloaded.json()["replaced"]["digest"]) == (None, EYE.digest)
    assert house.changes.asked == [("load", "vision", "nano-plus"), ("unload", "speech")]


@pytest.mark.parametrize(("method", "body"), [("POST", LOAD), ("DELETE", None)])
def test_nobody_else_does(method: str, body: Any) -> None:
    house = House()
    path = "/v1/modules/vision"
    for key in (None, "wrong", KEY):
        refused = check(ask(house, method, path, body, key, api_key=KEY), method)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    for settings in ({"admin_key": None}, {"admin_key": None, "api_key": ADMIN}):
        closed = check(ask(house, method, path, body, ADMIN, **settings), method)
        assert (closed.status_code, closed.json()["error"]["code"]) == (403, "forbidden")
        assert "--admin-key" in closed.json()["error"]["message"]
    assert not house.changes.asked


def test_the_admins_key_opens_the_rest_too() -> None:
    assert ask(House(), "GET", "/v1/models", api_key=KEY).status_code == 200
    assert ask(House(), "GET", "/v1/models", key="wrong", api_key=KEY).status_code == 401


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoSuchModule("no such"), 404, "module_not_found"),
        (Forbidden("not from there"), 403, "forbidden"),
        (ModuleRefused("damaged"), 409, "module_refused"),
    ],
)
def test_what_is_refused_is_said(error: Exception, status: int, code: str) -> None:
    response = check(ask(House(changes=FakeChanges(error=error)), "POST", "/v1/modules/speech", LOAD), "POST")
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json()["error"]["message"] == str(error)


@pytest.mark.parametrize("body", [{}, {"source": ""}, {"source": 7}, {"source": "x" * 5000}, [], None])
def test_a_body_that_names_nothing_is_refused(body: Any) -> None:
    house = House()
    assert check(ask(house, "POST", "/v1/modules/vision", body), "POST").status_code == 400
    assert not house.changes.asked


def test_there_are_three_modules() -> None:
    assert ask(House(), "DELETE", "/v1/modules/smell").status_code == 404
    assert ask(House(), "POST", "/v1/modules/smell", LOAD).status_code == 404


def test_health_and_metrics_name_the_versions() -> None:
    health = ask(House(), "GET", "/health").json()
    assert health["modules"][0] == {"modality": "text", "version": DECODER.version, "digest": DECODER.digest}
    text = ask(House(), "GET", "/metrics").text
    assert f'arch="rapidocr",digest="{EYE.digest}",modality="vision",version="3.10"}} 1.0' in text
    assert 'autoglm_module_bytes{modality="text"} 4.194304e+08' in text


def test_a_server_without_eyes_and_ears_says_so() -> None:
    house = House(media=FakeMedia(None))
    health = ask(house, "GET", "/health").json()
    assert (health["status"], health["media"], health["media_pid"]) == ("ok", None, None)
    assert "autoglm_media_ready" not in ask(house, "GET", "/metrics").text
