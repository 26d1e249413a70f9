"""instructor over the official client: objects out of text, a picture and a sound."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import instructor
import openai
import pytest
from instructor.core.exceptions import InstructorRetryException
from instructor.processing.multimodal import Audio, Image
from pydantic import BaseModel
from running_server import RunningServer
from sample_media import BAD_PICTURE, PICTURE, in_base64, sound_as_wav

MODEL = "autoglm-phone-9b"
PARIS = "Paris is the capital of France. Give name and country of the city."
MODES = [instructor.Mode.JSON_SCHEMA, instructor.Mode.TOOLS]

pytestmark = [pytest.mark.real, pytest.mark.allow_hosts(["127.0.0.1"])]


class City(BaseModel):
    name: str
    country: str


class Words(BaseModel):
    """Words, as they stand there."""

    words: list[str]


class Said(BaseModel):
    """What was said."""

    sentence: str


def user(*content: object) -> Any:
    """instructor takes a list of texts, pictures and sounds."""
    return [{"role": "user", "content": list(content) if len(content) > 1 else content[0]}]


@pytest.fixture
def openai_client(server: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key="EMPTY", max_retries=0) as client:
        yield client


@pytest.fixture(params=MODES, ids=lambda mode: str(mode.value))
def client(openai_client: openai.OpenAI, request: pytest.FixtureRequest) -> instructor.Instructor:
    return instructor.from_openai(openai_client, mode=request.param, model=MODEL, temperature=0, max_tokens=100)


@pytest.fixture
def schema_client(openai_client: openai.OpenAI) -> instructor.Instructor:
    """With tools described beside a medium so small a decoder writes on until it is cut off."""
    return instructor.from_openai(openai_client, mode=MODES[0], model=MODEL, temperature=0, max_tokens=100)


def test_an_object_out_of_text(client: instructor.Instructor) -> None:
    city = client.create(response_model=City, messages=user(PARIS))
    assert city.model_dump() == {"name": "Paris", "country": "France"}


def test_an_object_grows_while_it_streams(client: instructor.Instructor) -> None:
    grown = list(client.create_partial(response_model=City, messages=user(PARIS)))
    assert len(grown) > 1
    assert grown[-1].name == "Paris"


def test_an_object_out_of_a_picture(schema_client: instructor.Instructor) -> None:
    question = user("Give the first three words on the screen.", Image.from_path(PICTURE))
    found = schema_client.create(response_model=Words, messages=question)
    assert "Settings" in str(found.words)


def test_an_object_out_of_a_sound(schema_client: instructor.Instructor, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(sound_as_wav())
    heard = schema_client.create(response_model=Said, messages=user("Repeat what was said.", Audio.from_path(path)))
    assert "settings" in heard.sentence


def test_from_provider_reaches_it_too(server: RunningServer) -> None:
    client = instructor.from_provider(f"openai/{MODEL}", base_url=server.api, api_key="EMPTY")
    city = client.create(response_model=City, messages=user(PARIS), temperature=0)
    assert city.country == "France"


def test_errors_are_its_own(client: instructor.Instructor) -> None:
    with pytest.raises(InstructorRetryException, match="gpt-4o"):
        client.create(response_model=City, messages=user(PARIS), model="gpt-4o")
    bad = Image.from_base64(f"data:image/png;base64,{in_base64(BAD_PICTURE)}")
    with pytest.raises(InstructorRetryException, match="picture"):
        client.create(response_model=City, messages=user("What is it?", bad))
