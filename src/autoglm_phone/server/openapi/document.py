"""The OpenAPI document of a server, made from the table of its operations."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, get_args

from autoglm_phone import __version__
from autoglm_phone.core import errors
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.errors import ANSWERS, BodyTooLarge, BodyTooSlow, ForeignOrigin
from autoglm_phone.server.openapi.answers.server import Failure
from autoglm_phone.server.openapi.operation import DONE, EVENTS, FORM, JSON, Body, Operation, Tag
from autoglm_phone.server.openapi.operations import OPERATIONS
from autoglm_phone.server.openapi.schema import form_schema, to_schemas

OPENAPI = "3.1.0"

_ABOUT = """An assistant that reads, sees and hears on your own hardware, behind OpenAI's API.

Bodies are one JSON object in UTF-8, whatever `Content-Type` says. Null is the same as leaving a field out. Names that \
no table of the documentation knows are ignored, and named in the header `x-autoglm-ignored`; fields that would change \
the answer and cannot be obeyed are a 400 that names them. Numbers in quotes are not numbers."""

_HEADERS = {
    "x-request-id": "The `id` of the answer.",
    "x-autoglm-ignored": "Names in the request that mean nothing here.",
    "x-autoglm-dropped-messages": "How many of the oldest messages the window had no room for.",
}
_RETRY_AFTER = {"retry-after": {"description": "Seconds.", "schema": {"type": "integer"}}}
_BODY_ERRORS = (errors.InvalidRequest, BodyTooSlow, BodyTooLarge, errors.Overloaded)
_CAN_TRY_AGAIN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def openapi_document(config: ServerConfig) -> dict[str, Any]:
    schemas, components = to_schemas(_types(OPERATIONS.values()))
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(operation, schemas, config)
    return {
        "openapi": OPENAPI,
        "info": {"title": "AutoGLM-Phone", "version": __version__, "description": _ABOUT},
        "tags": [{"name": tag} for tag in get_args(Tag)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Asked for if the server was started with `--api-key`; else any key will do.",
                },
                "adminKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "What `--admin-key` has set; a server that was started without it refuses.",
                },
            },
        },
    }


def _types(operations: Iterable[Operation]) -> Iterator[Any]:
    yield Failure
    for operation in operations:
        yield from (*operation.answers.values(), *operation.told.values())
        yield from (parameter.type for parameter in operation.parameters)
        if operation.body is not None and not operation.body.files:
            yield operation.body.model


def _operation(operation: Operation, schemas: Mapping[Any, dict[str, Any]], config: ServerConfig) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": _security(operation, config),
        "responses": {**_success(operation, schemas), **_failures(operation, schemas)},
    }
    if operation.description:
        told["description"] = operation.description
    if operation.parameters:
        told["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.place,
                "required": parameter.place == "path",
                "description": parameter.description,
                "schema": schemas[parameter.type],
            }
            for parameter in operation.parameters
        ]
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": _body(operation.body, schemas, config)}
    return told


def _security(operation: Operation, config: ServerConfig) -> list[dict[str, list[str]]]:
    if operation.needs_admin:
        return [{"adminKey": []}]
    if not operation.needs_key:
        return []
    with_key: dict[str, list[str]] = {"key": []}
    return [with_key] if config.api_key is not None else [{}, with_key]


def _body(body: Body, schemas: Mapping[Any, dict[str, Any]], config: ServerConfig) -> dict[str, Any]:
    if body.files:
        return {FORM: {"schema": form_schema(body.model, body.files)}}
    model = {"model": config.model_id} if "model" in body.model.model_fields else {}
    examples = {
        name: {"summary": example.summary, "value": {**model, **example.body}}
        for name, example in body.examples.items()
    }
    return {JSON: {"schema": schemas[body.model], "examples": examples}}


def _success(operation: Operation, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    if not operation.answers:
        return {}
    answer: dict[str, Any] = {
        "description": "What was asked for.",
        "content": {
            media_type: {"schema": _event(schemas[form]) if media_type == EVENTS else schemas[form]}
            for media_type, form in operation.answers.items()
        },
    }
    if operation.headers:
        answer["headers"] = {
            name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in operation.headers
        }
    return {str(HTTPStatus.OK.value): answer}


def _event(data: Mapping[str, Any]) -> dict[str, Any]:
    """One event of a stream (OpenAPI has a way to say so only from 3.2 on)."""
    return {
        "type": "object",
        "description": "Each event of the stream.",
        "properties": {
            "event": {"type": "string"},
            "data": {
                "type": "string",
                "description": f"JSON text; where the operation says so, `{DONE}` ends the stream.",
                "anyOf": [{"contentMediaType": JSON, "contentSchema": data}, {"const": DONE}],
            },
        },
        "required": ["data"],
    }


def _failures(operation: Operation, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    """By status. Every request may come from elsewhere or find a fault; keys and bodies have theirs."""
    possible: list[type[Exception]] = [ForeignOrigin, errors.AutoGLMError]
    if operation.needs_key:
        possible.append(errors.Unauthorized)
    if operation.needs_admin:
        possible.append(errors.Forbidden)
    if operation.body is not None:
        possible += _BODY_ERRORS
    possible += (*operation.errors, *operation.told)
    failures: dict[int, dict[str, Any]] = {}
    for error in sorted(dict.fromkeys(possible), key=lambda error: ANSWERS[error].status):
        answer = ANSWERS[error]
        line = f"`{answer.code}`: {answer.when}" if answer.code is not None else answer.when
        form = schemas[operation.told.get(error, Failure)]
        failure = failures.setdefault(answer.status, {"description": "", "content": {JSON: {"schema": form}}})
        failure["description"] += f"\n- {line}" if failure["description"] else f"- {line}"
        if answer.status in _CAN_TRY_AGAIN:
            failure["headers"] = _RETRY_AFTER
    return {str(status): failure for status, failure in failures.items()}
