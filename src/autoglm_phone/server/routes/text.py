"""What can be said without computing: tokens of a text and back, a rendered template, and what the decoder is."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from autoglm_phone import __version__
from autoglm_phone.core.errors import InvalidRequest, NotSupported
from autoglm_phone.core.ids import TokenId
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import check_model, check_tokens, read_body, read_fields, to_chat_request
from autoglm_phone.server.respond import json_object
from autoglm_phone.server.schemas.text_request import DetokenizeRequest, TokenizeRequest
from autoglm_phone.server.services import Services
from autoglm_phone.text.tokenizer import Tokenizer


def text_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()

    @router.post("/tokenize")
    async def tokenize(request: Request) -> dict[str, Any]:
        wire, _ = read_body(TokenizeRequest, await json_object(request))
        check_model(wire.model, config)
        decoder = services.decoder()
        given = [name for name in ("prompt", "content", "messages") if getattr(wire, name) is not None]
        if len(given) != 1:
            raise InvalidRequest("send one of `prompt`, `content` and `messages`", param="prompt")
        if wire.messages is not None:
            tools = {"tools": wire.tools} if wire.tools is not None else {}
            tokens = await _rendered({"messages": wire.messages, **tools})
        else:
            tokens = await asyncio.to_thread(_encode, wire, decoder.tokenizer)
        answer: dict[str, Any] = {"count": len(tokens), "max_model_len": decoder.max_model_len, "tokens": tokens}
        if wire.with_pieces:
            answer["tokens"] = [{"id": token, "piece": decoder.tokenizer.written([token])} for token in tokens]
        if wire.return_token_strs:
            answer["token_strs"] = [decoder.tokenizer.written([token]) for token in tokens]
        return answer

    async def _rendered(body: dict[str, Any]) -> list[TokenId]:
        wire, _ = read_fields(body, config)
        built = await services.chat.prepare(await to_chat_request(wire, config, services.fetch))
        return list(built.prompt.tokens)

    @router.post("/detokenize")
    async def detokenize(request: Request) -> dict[str, Any]:
        wire, _ = read_body(DetokenizeRequest, await json_object(request))
        check_model(wire.model, config)
        tokenizer = services.decoder().tokenizer
        check_tokens(wire.tokens, tokenizer.vocab_size, param="tokens")
        text = await asyncio.to_thread(tokenizer.written, map(TokenId, wire.tokens))
        return {"prompt": text, "content": text}

    @router.post("/apply-template")
    async def apply_template(request: Request) -> dict[str, Any]:
        tokens = await _rendered(await json_object(request))
        return {"prompt": services.decoder().tokenizer.written(tokens)}

    @router.get("/props")
    async def props() -> dict[str, Any]:
        """As llama.cpp's clients expect it."""
        decoder = services.decoder()
        loaded = {module.modality for module in services.modules()}
        sampling = config.default_sampling
        return {
            "default_generation_settings": {
                "n_ctx": decoder.max_model_len,
                "params": {
                    "temperature": sampling.temperature,
                    "top_k": sampling.top_k,
                    "top_p": sampling.top_p,
                    "min_p": sampling.min_p,
                    "repeat_penalty": sampling.repetition_penalty,
                },
            },
            "total_slots": decoder.max_running,
            "model_alias": config.model_id,
            "modalities": {"vision": "vision" in loaded, "audio": "speech" in loaded},
            "chat_template": decoder.chat_template,
            "bos_token": decoder.tokenizer.bos_name,
            "eos_token": decoder.tokenizer.eos_name,
            "build_info": f"autoglm-phone {__version__}",
        }

    @router.post("/v1/embeddings")
    async def create_embeddings() -> dict[str, Any]:
        raise NotSupported(
            "embeddings are not offered: the decoder was trained to write, and vectors taken out of it compare texts "
            "badly; use a model that was trained for embeddings"
        )

    return router


def _encode(wire: TokenizeRequest, tokenizer: Tokenizer) -> list[TokenId]:
    text = wire.prompt if wire.prompt is not None else wire.content or ""
    tokens = tokenizer.encode(text) if wire.parse_special is False else tokenizer.encode_trusted(text)
    leading, wants_leading = tokenizer.leading_token, (wire.add_special_tokens, wire.add_special)
    if leading is None or False in wants_leading or tokens[:1] == [leading]:
        return tokens
    return [leading, *tokens]
