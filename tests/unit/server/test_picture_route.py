import asyncio
from dataclasses import dataclass, field

import httpx
import numpy as np
import pytest
from scripted_services import House

from autoglm_phone.core.errors import MediaUndecodable
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Embeddings, MediaReading, Reading, ReadLine
from autoglm_phone.core.request import Client
from autoglm_phone.server.services import Pictures

PICTURE = "data:image/png;base64,YSBwaWN0dXJl"
WORDS = Reading('"Save" [150,60]', "10x20 pixels, portrait", (ReadLine("Save", (100, 50, 200, 70)),))


@dataclass
class ScriptedPictures:
    reading: Reading | Embeddings | Exception = WORDS
    seen: list[bytes] = field(default_factory=list)

    async def read(self, picture: bytes, *, param: str, client: Client) -> MediaReading:
        self.seen.append(picture)
        if isinstance(self.reading, Exception):
            raise self.reading
        return MediaReading("vision", self.reading, Digest("a"), Digest("b"), was_cached=False, seconds=0.25)


def post(body: object, pictures: Pictures | None, **settings: object) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with House(pictures=pictures).client(**settings) as client:
            return await client.post("/v1/images/readings", json=body)

    return asyncio.run(ask())


def test_words_and_their_places_are_told() -> None:
    pictures = ScriptedPictures()
    answer = post({"image": PICTURE}, pictures).json()
    assert pictures.seen == [b"a picture"]
    assert answer == {
        "object": "image.reading",
        "kind": "text",
        "text": WORDS.text,
        "summary": WORDS.summary,
        "lines": [{"text": "Save", "box": [100, 50, 200, 70]}],
        "seconds": 0.25,
        "was_cached": False,
    }


def test_embeddings_are_nothing_to_look_at() -> None:
    answer = post({"image": PICTURE}, ScriptedPictures(Embeddings(np.zeros((7, 4), np.float32)))).json()
    assert (answer["kind"], answer["num_tokens"], answer["lines"]) == ("embeddings", 7, [])


@pytest.mark.parametrize(
    ("body", "pictures", "status"),
    [
        ({}, ScriptedPictures(), 400),
        ({"image": 5}, ScriptedPictures(), 400),
        ({"image": ""}, ScriptedPictures(), 400),
        ({"image": "http://example.com/a.png"}, ScriptedPictures(), 400),
        ({"image": PICTURE, "model": "other"}, ScriptedPictures(), 404),
        ({"image": PICTURE}, None, 400),
        ({"image": PICTURE}, ScriptedPictures(MediaUndecodable("image: not a picture", param="image")), 400),
    ],
)
def test_what_cannot_be_read_is_refused(body: object, pictures: Pictures | None, status: int) -> None:
    response = post(body, pictures)
    assert response.status_code == status
    assert response.json()["error"]["message"]


def test_pictures_are_read_for_those_with_the_key_alone() -> None:
    assert post({"image": PICTURE}, ScriptedPictures(), api_key="secret").status_code == 401
