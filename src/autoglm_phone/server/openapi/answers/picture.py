"""What /v1/images/readings answers."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict


class ReadLine(TypedDict):
    text: str
    box: Annotated[
        list[int],
        Field(min_length=4, max_length=4, description="Left, top, right, bottom: 0 to 999 of width and height."),
    ]


class PictureReading(TypedDict):
    object: Literal["image.reading"]
    kind: Annotated[
        Literal["text", "embeddings"],
        Field(description="`embeddings`: this server's vision module gives the decoder numbers, not words."),
    ]
    text: Annotated[str, Field(description="As it stands in a prompt: a line of words each, with its middle.")]
    summary: NotRequired[Annotated[str, Field(description="Size and orientation; with words.")]]
    lines: list[ReadLine]
    num_tokens: NotRequired[Annotated[int, Field(description="Of the prompt; with embeddings.")]]
    seconds: Annotated[float, Field(description="Of work for this request.")]
    was_cached: bool
