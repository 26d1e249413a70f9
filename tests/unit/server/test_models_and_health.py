from typing import Any

from scripted_services import DECODER, MODEL, FakeEngine, FakeMedia, FakeMediaState, House, ScriptedChat, asked

from autoglm_phone.core.request import EngineStatus


def test_the_list_has_the_true_id_first_and_every_alias() -> None:
    cards = House().get("/v1/models").json()["data"]
    assert [card["id"] for card in cards] == [MODEL, "nano", "autoglm-phone-9b"]
    assert {card["root"] for card in cards} == {MODEL}
    assert [card["parent"] for card in cards] == [None, MODEL, MODEL]
    assert cards[0]["max_model_len"] == 8192
    assert cards[0]["aliases"] == ["nano", "autoglm-phone-9b"]
    assert cards[0]["limits"] == "small"


def test_modules_are_told_with_kind_version_and_digest_but_without_folders() -> None:
    decoder, eye = House().get(f"/v1/models/{MODEL}").json()["modules"]
    assert (decoder["kind"], decoder["version"], decoder["digest"]) == ("decoder", "2.5", DECODER.digest)
    assert decoder["files"] == ["nano.gguf"]
    assert (eye["modality"], eye["limits"]) == ("vision", "reads words")


def test_one_model_is_found_by_any_of_its_names() -> None:
    assert House().get("/v1/models/autoglm-phone-9b").json()["root"] == MODEL
    assert House().get("/v1/models/org/name", aliases=("org/name",)).status_code == 200
    missing = House().get("/v1/models/gpt-4o")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
    assert House().get("/v1/models/autoglm-phone-9b", strict_model=True).status_code == 404


def test_a_healthy_server_tells_its_processes() -> None:
    response = House().get("/health")
    assert response.status_code == 200
    body = response.json()
    assert (body["status"], body["engine_pid"], body["media_pid"]) == ("ok", 4711, 4712)


def not_ready(**status: Any) -> House:
    return House(engine=FakeEngine(EngineStatus(**status)))


def test_a_loading_server_is_503_with_a_time_to_come_again() -> None:
    for house in (not_ready(state="loading"), not_ready(state="failed", error="no such file")):
        response = house.get("/health")
        assert response.status_code == 503
        assert "retry-after" in response.headers
        assert response.json()["status"] == house.engine.state.state
        chat = house.post(asked())
        assert chat.status_code == 503
        assert "retry-after" in chat.headers
        assert house.engine.state.error in chat.json()["error"]["message"]
        assert not house.chat.requests


def test_without_its_media_process_the_server_still_answers_text() -> None:
    response = House(media=FakeMedia(FakeMediaState("loading", pid=None, restarts=1))).get("/health")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["media"]["restarts"] == 1


def test_metrics_are_prometheus_text_and_belong_to_one_server() -> None:
    status = EngineStatus(
        "ready",
        running=3,
        waiting=2,
        kv_tokens_used=10,
        kv_tokens_total=100,
        restarts=1,
        tokens_forced=7,
        tokens_drafted=6,
        tokens_accepted=5,
    )
    engine = FakeEngine(status)
    text = House(ScriptedChat(), engine).get("/metrics").text
    for line in (
        'autoglm_requests{state="running"} 3.0',
        'autoglm_requests{state="waiting"} 2.0',
        'autoglm_kv_tokens{state="used"} 10.0',
        "autoglm_engine_ready 1.0",
        "autoglm_engine_restarts_total 1.0",
        'autoglm_speculated_tokens_total{kind="forced"} 7.0',
        'autoglm_speculated_tokens_total{kind="drafted"} 6.0',
        'autoglm_speculated_tokens_total{kind="accepted"} 5.0',
    ):
        assert line in text.splitlines()
