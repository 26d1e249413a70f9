"""Holds answers to an OpenAPI document, tightly: a field that it does not name is a fault of the document."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

JSON, EVENTS = "application/json", "text/event-stream"


class DocumentedAnswers:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = _tight(document)

    def check(self, method: str, path: str, status: int, content_type: str, body: bytes) -> None:
        """path: as in the document, with its parameters' names. Raises AssertionError, or jsonschema's errors."""
        responses = self._document["paths"][path][method.lower()]["responses"]
        assert str(status) in responses, f"{method} {path}: {status} is not documented: {body!r}"
        content = responses[str(status)]["content"]
        media_type = content_type.partition(";")[0]
        assert media_type in content, f"{method} {path}: {media_type} is not documented"
        schema = content[media_type]["schema"]
        if media_type == JSON:
            self._validate(json.loads(body), schema)
        elif media_type == EVENTS:
            for event in events(body):
                self._validate(event, schema["properties"]["data"]["anyOf"][0]["contentSchema"])

    def _validate(self, value: Any, schema: Mapping[str, Any]) -> None:
        Draft202012Validator({**schema, "components": self._document["components"]}).validate(value)


def events(body: bytes) -> list[Any]:
    """What the events of a stream carry; its end is not one of them."""
    lines = [line.removeprefix("data: ") for line in body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def _tight(document: Mapping[str, Any]) -> dict[str, Any]:
    """Answers may grow, so the document leaves objects open; requests say that they are."""
    tight = copy.deepcopy(dict(document))
    for schema in tight["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return tight
