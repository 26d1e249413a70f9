"""Keeps the tables of docs/http-api.md true: `python -m autoglm_phone.server.docs` writes them from the code's own."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from autoglm_phone.server.errors import ANSWERS
from autoglm_phone.server.fields import UNSUPPORTED, WITHOUT_EFFECT, Unsupported
from autoglm_phone.server.openapi.operations import OPERATIONS
from autoglm_phone.server.responses import fields as response_fields
from autoglm_phone.server.responses.request import ResponsesRequest
from autoglm_phone.server.schemas.chat_request import ChatCompletionRequest
from autoglm_phone.server.schemas.speech_request import SpeechRequest

PAGE = Path(__file__).parents[3] / "docs" / "http-api.md"

_TABLE = re.compile(r"(<!-- table: (\w+)[^>]*-->\n).*?(<!-- end -->)", re.DOTALL)


def updated(page: str) -> str:
    """The page with every table between `<!-- table: NAME -->` and `<!-- end -->` made anew."""
    tables = {
        "endpoints": endpoints_table(),
        "fields": fields_table(ChatCompletionRequest),
        "without_effect": without_effect_table(WITHOUT_EFFECT),
        "unsupported": unsupported_table(UNSUPPORTED),
        "response_fields": fields_table(ResponsesRequest),
        "response_without_effect": without_effect_table(response_fields.WITHOUT_EFFECT),
        "response_unsupported": unsupported_table(response_fields.UNSUPPORTED),
        "speech_fields": fields_table(SpeechRequest),
        "errors": errors_table(),
    }
    return _TABLE.sub(lambda match: f"{match[1]}{tables[match[2]]}{match[3]}", page)


def endpoints_table() -> str:
    rows = [
        (f"`{method} {path}`", "yes" if operation.needs_key else "no", operation.summary)
        for (method, path), operation in OPERATIONS.items()
    ]
    return _table(("Endpoint", "Key", "What it does"), rows)


def fields_table(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    rows = [
        (f"`{name}`", _type(schema["properties"][name]), field.description or "")
        for name, field in model.model_fields.items()
    ]
    return _table(("Field", "Type", "Meaning"), rows)


def without_effect_table(table: Mapping[str, str]) -> str:
    return _table(("Field", "Why it changes nothing"), [(f"`{_place(name)}`", why) for name, why in table.items()])


def unsupported_table(table: Mapping[str, Unsupported]) -> str:
    rows = [
        (f"`{_place(name)}`", ", ".join(f"`{_json(value)}`" for value in field.no_op), field.hint)
        for name, field in table.items()
    ]
    return _table(("Field", "Accepted all the same", "Instead"), rows)


def errors_table() -> str:
    answers = sorted(ANSWERS.values(), key=lambda answer: (answer.status, answer.code or "~"))
    rows = [(str(answer.status), f"`{answer.type}`", f"`{answer.code or 'null'}`", answer.when) for answer in answers]
    return _table(("Status", "`type`", "`code`", "When"), rows)


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON type in words; what has a form of its own is `object`."""
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    return " or ".join(dict.fromkeys(_type_of_one(option) for option in options))


def _type_of_one(option: Mapping[str, Any]) -> str:
    if "enum" in option:
        return " or ".join(f"`{_json(value)}`" for value in option["enum"])
    if "oneOf" in option or "anyOf" in option:
        return " or ".join(dict.fromkeys(_type_of_one(each) for each in option.get("oneOf", option.get("anyOf"))))
    if option.get("type") == "array":
        return "list of strings" if "enum" in option["items"] else f"list of {_type_of_one(option['items'])}s"
    return str(option.get("type", "object"))


def _json(value: Any) -> str:
    return json.dumps(value)


def _place(name: str) -> str:
    """`messages.content.uuid` as a reader expects it: `messages[].content[].uuid`."""
    return re.sub(r"\b(messages|content|input|output|tools)\.", r"\1[].", name)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def main() -> None:
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
