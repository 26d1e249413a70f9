"""POST /v1/completions: prompts that their callers have written whole."""

import asyncio
import time
import uuid

from fastapi import APIRouter, Request
from fastapi.responses import Response

from autoglm_phone.chat.batch import stream_batch
from autoglm_phone.chat.chat_request import ChatRequest, RawPrompt
from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import Client
from autoglm_phone.server.client import client_of
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import check_model, check_tokens, read_body
from autoglm_phone.server.convert_output import is_constrained, to_grammar
from autoglm_phone.server.convert_sampling import to_sampling, to_stop
from autoglm_phone.server.ignored import ignored_header
from autoglm_phone.server.ready import check_ready
from autoglm_phone.server.respond import Chosen, json_object, respond
from autoglm_phone.server.schemas.completion_answer import CompletionForm
from autoglm_phone.server.schemas.completion_request import DEFAULT_MAX_TOKENS, CompletionRequest
from autoglm_phone.server.schemas.generation import MAX_CHOICES
from autoglm_phone.server.services import Services


def completion_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/completions")
    async def create_completion(request: Request) -> Response:
        body = await json_object(request)
        wire, ignored = read_body(CompletionRequest, body)
        client = client_of(request, body)
        check_model(wire.model, config)
        prompts = _prompts(wire)
        num_a_prompt = wire.n or 1
        _check_combinations(wire, len(prompts) * num_a_prompt)
        check_ready(services)
        echoes = [_echo(prompt, services) if wire.echo else "" for prompt in prompts for _ in range(num_a_prompt)]
        form = CompletionForm(f"cmpl-{uuid.uuid4().hex}", int(time.time()), config.model_id, echoes, num_a_prompt)

        async def choose() -> Chosen:
            grammar = await asyncio.to_thread(to_grammar, wire)
            requests = [_to_request(wire, prompt, grammar, config, client) for prompt in prompts]
            return Chosen(
                stream_batch(services.chat.stream, requests),
                len(echoes),
                form,
                is_streamed=bool(wire.stream),
                includes_usage=wire.stream_options is not None and bool(wire.stream_options.include_usage),
                headers={"x-request-id": form.id, **ignored_header(ignored)},
            )

        return await respond(request, choose, config.keep_alive_s)

    return router


def _prompts(wire: CompletionRequest) -> list[RawPrompt]:
    match wire.prompt:
        case str() as text:
            return [RawPrompt(text)]
        case [str(), *_]:
            return [RawPrompt(str(text)) for text in wire.prompt]
        case [int(), *_]:
            return [RawPrompt(tokens=tuple(TokenId(int(str(token))) for token in wire.prompt))]
        case _:
            return [RawPrompt(tokens=tuple(map(TokenId, tokens))) for tokens in wire.prompt if isinstance(tokens, list)]


def _check_combinations(wire: CompletionRequest, num_choices: int) -> None:
    if wire.stream_options is not None and not wire.stream:
        raise InvalidRequest("`stream_options` is for streams; set `stream` to true", param="stream_options")
    if num_choices > MAX_CHOICES:
        raise InvalidRequest(
            f"`prompt` and `n` ask for {num_choices} answers, the limit is {MAX_CHOICES}; send fewer at once", param="n"
        )
    if wire.echo and wire.logprobs is not None:
        raise InvalidRequest(
            "`logprobs` of the prompt are not computed; leave `echo` or `logprobs` out", param="logprobs"
        )
    if wire.ignore_eos and is_constrained(wire):
        raise InvalidRequest("`ignore_eos` cannot go with a form that has an end", param="ignore_eos")


def _echo(prompt: RawPrompt, services: Services) -> str:
    tokenizer = services.decoder().tokenizer
    check_tokens(prompt.tokens, tokenizer.vocab_size, param="prompt")
    return prompt.text or tokenizer.written(prompt.tokens)


def _to_request(
    wire: CompletionRequest, prompt: RawPrompt, grammar: str, config: ServerConfig, client: Client
) -> ChatRequest:
    return ChatRequest(
        conversation=prompt,
        sampling=to_sampling(wire, config.default_sampling),
        max_tokens=wire.max_tokens or DEFAULT_MAX_TOKENS,
        stop=to_stop(wire.stop),
        stop_tokens=tuple(map(TokenId, wire.stop_token_ids or ())),
        ignore_eos=bool(wire.ignore_eos),
        grammar=grammar,
        num_choices=wire.n or 1,
        top_logprobs=wire.logprobs,
        client=client,
    )
