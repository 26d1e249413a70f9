"""The model's own chat template, rendered so that its text and the users' text are told apart.

Template text is trusted to name control tokens; everything a user, a medium or the model wrote is not, so
`<|im_start|>` in a message stays plain text. The template itself comes out of a model file and runs in a sandbox.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from autoglm_phone.core.errors import InvalidRequest, SetupError
from autoglm_phone.core.ids import TokenId
from autoglm_phone.text.tokenizer import Tokenizer

MAX_TEMPLATE_CHARS = 200_000


@dataclass(frozen=True)
class TemplateMessage:
    """A message whose media have become text. text is never trusted."""

    role: str
    text: str


class ChatTemplate:
    """Raises SetupError if the template does not keep the messages' texts whole and in order."""

    def __init__(self, source: str, tokenizer: Tokenizer, *, bos: str = "", eos: str = "") -> None:
        if len(source) > MAX_TEMPLATE_CHARS:
            raise SetupError(f"the chat template has {len(source)} characters, the limit is {MAX_TEMPLATE_CHARS}")
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        self._tokenizer = tokenizer
        self._names = {"bos_token": bos, "eos_token": eos}
        names = sorted(tokenizer.special_tokens, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, names))) if names else None
        try:
            self._template = environment.from_string(source)
            self._try_out()
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            # Whatever a template from a file does, it is the file that is wrong.
            raise SetupError(f"the chat template does not work: {error}") from error

    def tokenize(self, messages: Sequence[TemplateMessage], *, opening: str = "", **switches: object) -> list[TokenId]:
        """Tokens of the dialogue with the assistant's turn opened; `opening` is trusted text put behind that."""
        marks = [_mark() for _ in messages]
        try:
            rendered = self._render(messages, marks, switches)
        except TemplateError as error:
            raise InvalidRequest(f"the chat template refuses these messages: {error}", param="messages") from error
        texts = {mark: message.text for mark, message in zip(marks, messages, strict=True)}
        tokens: list[TokenId] = []
        plain = ""
        for piece in re.split("(" + "|".join(marks) + ")", rendered + opening) if marks else [rendered + opening]:
            if piece in texts:
                plain += texts[piece]
                continue
            for text, special in self._split_special(piece):
                plain += text
                if special is not None:
                    tokens += [*self._tokenizer.encode(plain), special]
                    plain = ""
        return tokens + self._tokenizer.encode(plain)

    def _split_special(self, trusted: str) -> list[tuple[str, TokenId | None]]:
        """Trusted text as runs of plain text, each with the control token that follows it."""
        if self._special is None:
            return [(trusted, None)]
        runs: list[tuple[str, TokenId | None]] = []
        at = 0
        for match in self._special.finditer(trusted):
            runs.append((trusted[at : match.start()], self._tokenizer.special_tokens[match.group()]))
            at = match.end()
        return [*runs, (trusted[at:], None)]

    def _render(self, messages: Sequence[TemplateMessage], marks: list[str], switches: Mapping[str, Any]) -> str:
        wire = [{"role": message.role, "content": mark} for message, mark in zip(messages, marks, strict=True)]
        return self._template.render(messages=wire, add_generation_prompt=True, **self._names, **switches)

    def _try_out(self) -> None:
        messages = [TemplateMessage(role, "") for role in ("system", "user", "assistant", "user")]
        marks = [_mark() for _ in messages]
        rendered = self._render(messages, marks, {})
        if re.findall("|".join(marks), rendered) != marks:
            raise SetupError("the chat template drops, repeats, changes or reorders messages; it cannot be used safely")


def _mark() -> str:
    """Letters only: templates may trim or split, but nothing touches a word; nobody can guess it."""
    return "QZ" + "".join(secrets.choice("ABCDEFGHJKLM") for _ in range(32)) + "ZQ"


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
