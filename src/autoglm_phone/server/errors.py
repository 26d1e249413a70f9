"""Errors as answers: the one table from classes to status codes, and OpenAI's shape around them."""

import http
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from autoglm_phone.core import errors

_log = logging.getLogger(__name__)


class BodyTooLarge(errors.RequestError):
    pass


class BodyTooSlow(errors.RequestError):
    pass


class PreviousResponseNotFound(errors.RequestError):
    pass


class NotStored(errors.RequestError):
    """A response, or an item of one, that is not stored here."""


class ForeignOrigin(errors.RequestError):
    """The Host or the Origin of a browser's request is not ours."""


@dataclass(frozen=True)
class Answer:
    """How a class of errors is told. retry_after_s: for errors that do not bring their own."""

    status: int
    type: str
    code: str | None
    when: str
    retry_after_s: int | None = None


_INVALID = "invalid_request_error"

# Looked up along the class's ancestors, so a new error is never without an answer.
ANSWERS: Mapping[type[Exception], Answer] = {
    errors.RequestError: Answer(400, _INVALID, None, "any other fault of a request"),
    errors.InvalidRequest: Answer(
        400, _INVALID, "invalid_value", "malformed JSON, a wrong value, an unsupported field or combination"
    ),
    errors.MediaUndecodable: Answer(400, _INVALID, "media_undecodable", "a picture or a sound that cannot be read"),
    errors.UnsupportedModality: Answer(
        400, _INVALID, "unsupported_modality", "the module for this kind of input is not loaded"
    ),
    errors.ContextLengthExceeded: Answer(
        400, _INVALID, "context_length_exceeded", "the prompt does not fit the window"
    ),
    PreviousResponseNotFound: Answer(
        400, _INVALID, "previous_response_not_found", "`previous_response_id` names no stored response"
    ),
    errors.Unauthorized: Answer(401, "authentication_error", "invalid_api_key", "the key is missing or wrong"),
    ForeignOrigin: Answer(403, "permission_error", "foreign_origin", "a web page of another site is asking"),
    errors.Forbidden: Answer(403, "permission_error", "forbidden", "modules are not loaded here, or not from there"),
    errors.UnknownModel: Answer(404, _INVALID, "model_not_found", "the model name is not served here"),
    NotStored: Answer(404, _INVALID, "not_found", "the response, or the item of one, is not stored"),
    errors.NoSuchModule: Answer(404, _INVALID, "module_not_found", "there is no module of that name or kind"),
    BodyTooSlow: Answer(408, _INVALID, "body_timeout", "the body did not arrive in time"),
    errors.ModuleRefused: Answer(
        409, _INVALID, "module_refused", "the module is not what it says, does not fit, or did not come up"
    ),
    errors.MediaTooLarge: Answer(
        413, _INVALID, "media_too_large", "a picture over the pixel limit, a sound over the length limit"
    ),
    BodyTooLarge: Answer(413, _INVALID, "body_too_large", "the body is over the size limit"),
    errors.Overloaded: Answer(429, "rate_limit_error", "overloaded", "the queue is full"),
    errors.AutoGLMError: Answer(500, "server_error", None, "any other fault of the server"),
    errors.StepFailed: Answer(500, "server_error", "step_failed", "the decoder failed"),
    errors.NotSupported: Answer(501, _INVALID, "not_supported", "an endpoint that this server cannot honestly serve"),
    errors.NotReady: Answer(503, "server_error", "not_ready", "the decoder or a module is loading"),
    errors.WorkerDied: Answer(
        503, "server_error", "worker_died", "the process that computed the answer has died; it is restarted", 2
    ),
}

INTERNAL = Answer(500, "server_error", "internal_error", "an unexpected fault; the log has it")


def answer_of(error: BaseException) -> Answer:
    return next((ANSWERS[cls] for cls in type(error).__mro__ if cls in ANSWERS), INTERNAL)


def error_body(error: BaseException) -> dict[str, Any]:
    """OpenAI's shape. What is not one of our errors may hold secrets, so its text stays in the log."""
    answer = answer_of(error)
    is_ours = isinstance(error, errors.AutoGLMError)
    return _body(
        str(error) if is_ours else "internal error; the server's log has the details",
        answer.type,
        getattr(error, "param", None) if is_ours else None,
        answer.code,
    )


def error_response(error: BaseException) -> JSONResponse:
    answer = answer_of(error)
    headers = {}
    if (retry_after_s := getattr(error, "retry_after_s", answer.retry_after_s)) is not None:
        headers["retry-after"] = str(retry_after_s)
    if answer.status == http.HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if answer.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s: %s", type(error).__name__, error)
    return JSONResponse(error_body(error), answer.status, headers)


def install(app: FastAPI) -> None:
    app.add_exception_handler(errors.AutoGLMError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http_error)


async def _answer_error(request: Request, error: Exception) -> JSONResponse:
    return error_response(error)


async def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    """What the router itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    kind = _INVALID if error.status_code < http.HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    code = http.HTTPStatus(error.status_code).name.lower()
    message = f"{request.method} {request.url.path}: {error.detail}"
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED and (methods := _methods_of(request)):
        headers["allow"] = ", ".join(methods)
    return JSONResponse(_body(message, kind, None, code), error.status_code, headers)


def _methods_of(request: Request) -> list[str]:
    """Of all routes that share the path; the router names those of the first alone."""
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "POST")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.router.routes
        )
    ]


def _body(message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
