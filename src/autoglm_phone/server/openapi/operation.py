"""What the document says of one endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

JSON, EVENTS, FORM = "application/json", "text/event-stream", "multipart/form-data"
# The data of a stream's last event.
DONE = "[DONE]"

Tag = Literal["Chat", "Responses", "Audio", "Pictures", "Text and tokens", "Server", "Pages"]


@dataclass(frozen=True)
class Example:
    """A body that works as it stands; the document adds the name of the model."""

    summary: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Body:
    """files: fields of a form that hold bytes, with what they are for; a body that has them is a form."""

    model: type[BaseModel]
    examples: Mapping[str, Example] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Parameter:
    """type: a type that pydantic knows, with its limits."""

    name: str
    place: Literal["path", "query"]
    type: Any
    description: str


@dataclass(frozen=True, eq=False)
class Operation:
    """id names it in clients that are made from the document.

    answers   media type -> type of the body; for events, of the data of each before `[DONE]`
    errors    besides those that the way to every route has (see `document.py`)
    told      errors that come with an answer of their own form
    headers   of the answer, as `document.py` describes them
    needs_admin   asks for the admin key instead of the API key
    """

    id: str
    tag: Tag
    summary: str
    answers: Mapping[str, Any]
    description: str = ""
    body: Body | None = None
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[type[Exception], ...] = ()
    told: Mapping[type[Exception], Any] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    needs_key: bool = True
    needs_admin: bool = False
