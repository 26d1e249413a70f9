import asyncio
import json
from typing import Any

import httpx
import pytest
from scripted_services import House
from scripted_transcriptions import (
    END,
    FILE,
    HELLO,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    ScriptedTranscriptions,
    post_form,
)

from autoglm_phone.core.errors import MediaTooLarge, MediaUndecodable, NotReady, Overloaded, WorkerDied
from autoglm_phone.core.transcript import Heard
from autoglm_phone.server.sse import KEEP_ALIVE

TEXT = "Hello there. Who is it? Me."


def listening(transcriptions: ScriptedTranscriptions | None = None) -> House:
    return House(transcriptions=transcriptions or ScriptedTranscriptions())


def events(text: str) -> list[Any]:
    datas = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


def test_json() -> None:
    response = post_form(listening(), model="whisper-1")
    assert response.json() == {"text": TEXT, "usage": {"type": "duration", "seconds": 5}}
    assert response.headers["x-request-id"].startswith("transcription-")


def test_text() -> None:
    response = post_form(listening(), response_format="text")
    assert (response.text, response.headers["content-type"]) == (f"{TEXT}\n", "text/plain; charset=utf-8")


def test_subtitles() -> None:
    srt = post_form(listening(), response_format="srt")
    assert srt.text.startswith("1\n00:00:00,500 --> 00:00:01,250\nHello there.\n\n2\n")
    assert srt.headers["content-type"] == "text/plain; charset=utf-8"
    vtt = post_form(listening(), response_format="vtt")
    assert vtt.text.startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nHello there.\n\n")
    assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"


def test_verbose_json_has_segments() -> None:
    answer = post_form(listening(), response_format="verbose_json").json()
    assert {name: answer[name] for name in ("task", "language", "duration", "text")} == {
        "task": "transcribe",
        "language": "english",
        "duration": 4.2,
        "text": TEXT,
    }
    assert answer["usage"] == {"type": "duration", "seconds": 5}
    assert [segment["id"] for segment in answer["segments"]] == [0, 1, 2]
    assert answer["segments"][1] == {
        "id": 1,
        "seek": 125,
        "start": 1.5,
        "end": 2.0,
        "text": " Who is it?",
        "tokens": [50364, 7],
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 1.5,
        "no_speech_prob": 0.1,
    }
    assert "words" not in answer


def test_words_are_given_when_asked_for() -> None:
    house = listening()
    only = post_form(house, response_format="verbose_json", timestamp_granularities_list="word").json()
    assert only["words"][0] == {"word": "Hello", "start": 0.5, "end": 1.25, "probability": 0.75}
    assert " ".join(word["word"] for word in only["words"]) == TEXT
    assert "segments" not in only
    both = post_form(house, response_format="verbose_json", timestamp_granularities_list=["word", "segment"]).json()
    assert {"words", "segments"} <= both.keys()


def test_silence_is_an_empty_text_in_every_form() -> None:
    house = listening(ScriptedTranscriptions((END,)))
    assert post_form(house).json()["text"] == ""
    assert [post_form(house, response_format=form).text for form in ("text", "srt", "vtt")] == ["\n", "", "WEBVTT\n\n"]
    verbose = post_form(house, response_format="verbose_json").json()
    assert (verbose["text"], verbose["segments"], verbose["language"]) == ("", [], "unknown")
    assert post_form(house, response_format="verbose_json", language="zh").json()["language"] == "chinese"
    *_, done, _ = events(post_form(house, stream="true").text)
    assert (done["type"], done["text"]) == ("transcript.text.done", "")


def test_a_translation_is_english() -> None:
    transcriptions = ScriptedTranscriptions((Heard("zh", HELLO[0].segments), END))  # type: ignore[union-attr]  # a Heard
    answer = post_form(listening(transcriptions), TRANSLATIONS, response_format="verbose_json", language="zh").json()
    assert (answer["task"], answer["language"]) == ("translate", "english")
    assert (transcriptions.options.task, transcriptions.options.language) == ("translate", "zh")


def test_the_bytes_and_the_options_arrive() -> None:
    transcriptions = ScriptedTranscriptions()
    sound = bytes(range(256)) * 10
    post_form(
        listening(transcriptions),
        files={"file": ("a", sound)},
        language="de",
        prompt="Straße",
        temperature="0.2",
        response_format="srt",
    )
    ((given, options, param),) = transcriptions.asked
    assert (given, param) == (sound, "file")
    assert (options.language, options.prompt, options.temperature, options.with_times) == ("de", "Straße", 0.2, True)


def test_a_stream_is_deltas_and_done() -> None:
    response = post_form(listening(), stream="true")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    first, second, done, end = events(response.text)
    assert first == {"type": "transcript.text.delta", "delta": "Hello there. Who is it?"}
    assert second == {"type": "transcript.text.delta", "delta": " Me."}
    assert done == {
        "type": "transcript.text.done",
        "text": TEXT,
        "usage": {
            "type": "tokens",
            "input_tokens": 216,
            "input_token_details": {"audio_tokens": 210, "text_tokens": 6},
            "output_tokens": 6,
            "total_tokens": 222,
        },
    }
    assert end == "[DONE]"


def test_a_stream_is_kept_alive_while_nothing_is_heard() -> None:
    async def test() -> None:
        gate = asyncio.Event()
        house = listening(ScriptedTranscriptions((gate, *HELLO)))
        sent: list[bytes] = []
        await converse(house, sent, until=lambda: KEEP_ALIVE in sent, then=gate.set, keep_alive_s=0.01)
        text = b"".join(sent).decode()
        assert [event["type"] for event in events(text)[:-1]][-1] == "transcript.text.done"

    asyncio.run(test())


@pytest.mark.parametrize("stream", ["false", "true"])
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (MediaUndecodable("file: no sound", param="file"), 400, "media_undecodable"),
        (MediaTooLarge("file: too long", param="file"), 413, "media_too_large"),
        (Overloaded("busy"), 429, "overloaded"),
        (NotReady("loading"), 503, "not_ready"),
    ],
)
def test_a_refusal_has_its_status_for_streams_too(stream: str, error: Exception, status: int, code: str) -> None:
    transcriptions = ScriptedTranscriptions((error,))
    response = post_form(listening(transcriptions), stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert transcriptions.is_closed.is_set()


def test_a_death_in_the_middle_of_a_stream_is_an_error_event_without_done() -> None:
    response = post_form(listening(ScriptedTranscriptions((HELLO[0], WorkerDied("it has died")))), stream="true")
    *_, last = events(response.text)
    assert (last["error"]["code"], last["error"]["message"]) == ("worker_died", "it has died")


def test_without_ears_there_is_no_transcript() -> None:
    response = post_form(House())
    assert (response.status_code, response.json()["error"]["code"]) == (400, "unsupported_modality")
    assert response.json()["error"]["param"] == "file"


def test_faults_of_the_form_are_told_and_nothing_is_heard() -> None:
    transcriptions = ScriptedTranscriptions()
    house = listening(transcriptions)
    for fields, status, param in (
        ({"files": {}}, 400, None),  # no file at all: the client sends another kind of form
        ({"files": {"audio": ("a", b"RIFF")}}, 400, "file"),
        ({"model": "gpt-4"}, 404, "model"),
        ({"response_format": "xml"}, 400, "response_format"),
        ({"include_list": "logprobs"}, 400, "include"),
    ):
        response = post_form(house, **fields)
        assert (response.status_code, response.json()["error"]["param"]) == (status, param)
    assert transcriptions.asked == []


def test_unknown_fields_are_named_in_a_header() -> None:
    assert post_form(listening(), vad_filter="true").headers["x-autoglm-ignored"] == "vad_filter"
    assert "x-autoglm-ignored" not in post_form(listening()).headers


def test_a_body_over_the_limit_is_refused() -> None:
    response = post_form(
        listening(), files={"file": ("a", bytes(2000))}, settings={"max_body_bytes": 1000, "max_open_bytes": 1000}
    )
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("path", [TRANSCRIPTIONS, TRANSLATIONS])
def test_the_key_is_asked_for(path: str) -> None:
    assert post_form(listening(), path, settings={"api_key": "secret"}).status_code == 401


async def converse(
    house: House, sent: list[bytes], *, until: Any, then: Any, stream: str = "true", **settings: Any
) -> None:
    """One request over bare ASGI: when `until` holds, `then` is done; a `then` that gives True hangs up."""
    request = httpx.Request("POST", f"http://localhost{TRANSCRIPTIONS}", data={"stream": stream}, files=FILE)
    body = request.read()
    has_left = asyncio.Event()
    is_read = False

    async def receive() -> dict[str, Any]:
        nonlocal is_read
        if not is_read:
            is_read = True
            return {"type": "http.request", "body": body, "more_body": False}
        await has_left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    scope = {
        "type": "http",
        "method": "POST",
        "path": TRANSCRIPTIONS,
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
    }
    answering = asyncio.create_task(house.app(**settings)(scope, receive, send))
    async with asyncio.timeout(20):
        while not until():  # noqa: ASYNC110  # what was sent changes without an event
            await asyncio.sleep(0.001)
        if then():
            has_left.set()
        await answering


@pytest.mark.parametrize("stream", ["true", "false"])
def test_hanging_up_ends_the_work(stream: str) -> None:
    async def test() -> None:
        transcriptions = ScriptedTranscriptions((HELLO[0], asyncio.Event()))
        house = listening(transcriptions)
        await converse(house, [], until=transcriptions.is_waiting.is_set, then=lambda: True, stream=stream)
        assert transcriptions.is_closed.is_set()

    asyncio.run(test())
