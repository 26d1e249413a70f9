"""Fields of a response request that change nothing here, as `server/fields.py` has them for chats.

Top-level fields that neither table names are those of chats: `chat_body.py` hands them on.
"""

from collections.abc import Mapping

from autoglm_phone.server.fields import Unsupported

WITHOUT_EFFECT: Mapping[str, str] = {
    "stream_options": "no padding is sent, and the counts come in any case",
    "tools.output_schema": "outputs are read as they are",
    "input.phase": "part of an older answer that is not read again",
    "input.caller": "functions are called by the model alone",
    "input.name": "outputs are told apart by their `call_id`",
    "input.content.annotations": "part of an older answer that is not read again",
    "input.content.logprobs": "part of an older answer that is not read again",
    "input.content.prompt_cache_breakpoint": "prefixes are found by their content",
    "input.output.prompt_cache_breakpoint": "prefixes are found by their content",
}

_CHATS = "`POST /v1/chat/completions` has it"

UNSUPPORTED: Mapping[str, Unsupported] = {
    "background": Unsupported((False,), "a response is computed while its client waits; `stream` shows it coming"),
    "conversation": Unsupported(hint="use `previous_response_id`"),
    "prompt": Unsupported(hint="prompts are not kept here; send `instructions` and `input`"),
    "context_management": Unsupported(([],), 'use `truncation: "auto"`'),
    "moderation": Unsupported(),
    "text.verbosity": Unsupported(("medium",), "ask for it in `instructions`"),
    "reasoning.context": Unsupported(("auto", "current_turn"), "older thoughts are not read again"),
    "reasoning.mode": Unsupported(("standard",)),
    "tools.defer_loading": Unsupported((False,)),
    "tools.allowed_callers": Unsupported((["direct"],)),
    "input.namespace": Unsupported(hint="functions stand in no namespace"),
    "input.content.file_id": Unsupported(hint="there is no store of files; send the picture in `image_url`"),
    "messages": Unsupported(hint="use `input`"),
    "max_tokens": Unsupported(hint="use `max_output_tokens`"),
    "max_completion_tokens": Unsupported(hint="use `max_output_tokens`"),
    "response_format": Unsupported(hint="use `text.format`"),
    "reasoning_effort": Unsupported(hint="use `reasoning.effort`"),
    "logprobs": Unsupported((False,), "use `include`, or `top_logprobs`"),
    "n": Unsupported((1,), _CHATS),
    "continue_final_message": Unsupported((False,), _CHATS),
    "add_generation_prompt": Unsupported((True,), _CHATS),
}
