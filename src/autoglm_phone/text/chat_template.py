"""The model's own chat template, rendered so that its text and the users' text are told apart.

Template text is trusted to name control tokens; what a user, a medium, a tool or the model wrote is not, so
`<|im_start|>` in a message stays plain text. The template itself comes out of a model file and runs in a sandbox
that bounds what it writes; it is the file's digest that vouches for the rest.
"""

import json
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from autoglm_phone.core.errors import InvalidRequest, SetupError
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.module import Mark
from autoglm_phone.text.piece import PLACE_TOKEN, Piece
from autoglm_phone.text.tokenizer import Tokenizer

MAX_TEMPLATE_CHARS = 200_000
MAX_CHARS_A_MESSAGE = 10_000  # of the template's own text
# Whatever a template from a file raises, it is the template that is at fault.
FAULTS = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
PICTURES = ("<|image|>", "<|image_pad|>")  # of GLM-4.1V, of Qwen-VL
SOUNDS = ("<|pad|>", "<|audio|>", "<|audio_pad|>")  # of GLM-ASR, of Voxtral's kin, of Qwen-Omni
CONTROL_NAME = re.compile(r"<\|[^|<>]+\|>")
PROBE = " Aa1 <b> & \"c\" 'd' {{ e }}\n\n  好 "


@dataclass(frozen=True)
class TemplateMessage:
    """A message whose media have become text."""

    role: str
    pieces: tuple[Piece, ...]

    @property
    def num_chars(self) -> int:
        return sum(len(piece.text) for piece in self.pieces)


@dataclass(frozen=True)
class MediaMark:
    """What stands around a medium's embeddings, and the token that is shown in the place of each; it is never fed."""

    mark: Mark
    placeholder: TokenId


class ChatTemplate:
    """Raises SetupError if the template does not keep the messages' texts whole and in order.

    A template that trims is used without its trimming: blank space around a text is the user's.
    """

    def __init__(self, source: str, tokenizer: Tokenizer) -> None:
        if len(source) > MAX_TEMPLATE_CHARS:
            raise SetupError(f"the chat template has {len(source)} characters, the limit is {MAX_TEMPLATE_CHARS}")
        self._tokenizer = tokenizer
        self._names = {"bos_token": tokenizer.bos_name, "eos_token": tokenizer.eos_name}
        self.source = source
        try:
            self._template = _environment().from_string(source)
            self._try_out()
        except FAULTS as error:
            raise SetupError(f"the chat template does not work: {error}") from error

    def tokenize(
        self, messages: Sequence[TemplateMessage], *, opening: Sequence[Piece] = (), **switches: object
    ) -> list[TokenId]:
        """Tokens of the dialogue with the assistant's turn opened, and `opening` put behind that."""
        marks = _marks(len(messages))
        try:
            rendered = self._render([message.role for message in messages], marks, switches)
        except FAULTS as error:
            raise InvalidRequest(f"the chat template refuses these messages: {error}", param="messages") from error
        contents = {mark: message.pieces for mark, message in zip(marks, messages, strict=True)}
        parts = re.split("(" + "|".join(marks) + ")", rendered) if marks else [rendered]
        for mark, message in zip(marks, messages, strict=True):
            if mark not in parts:
                raise InvalidRequest(
                    f"the model's chat template has no place here for a message of role {message.role!r}",
                    param="messages",
                )
        frame = (contents.get(part, (Piece(part, is_trusted=True),)) for part in parts)
        tokens = self.join([*chain.from_iterable(frame), *opening])
        leading = self._tokenizer.leading_token
        return tokens if leading is None or tokens[:1] == [leading] else [leading, *tokens]

    def join(self, pieces: Iterable[Piece]) -> list[TokenId]:
        """Plain text between two control tokens is tokenised as a whole, whoever wrote its parts: as in training."""
        tokens: list[TokenId] = []
        plain: list[str] = []
        for piece in pieces:
            if piece.is_place:
                tokens += [*self._tokenizer.encode("".join(plain)), PLACE_TOKEN]
                plain = []
                continue
            if not piece.is_trusted:
                plain.append(piece.text)
                continue
            for text, special in self._tokenizer.split_special(piece.text):
                plain.append(text)
                if special is not None:
                    tokens += [*self._tokenizer.encode("".join(plain)), special]
                    plain = []
        return tokens + self._tokenizer.encode("".join(plain))

    def opened_turn(self) -> str:
        """What the template writes to open the assistant's turn behind a question."""
        [mark] = _marks(1)
        return self._render(["user"], [mark], {}).partition(mark)[2]

    @cached_property
    def picture_mark(self) -> MediaMark:
        """Raises SetupError if the template has no place for pictures, or treats texts beside them in its own way."""
        return self._media_mark("image", PICTURES)

    @cached_property
    def sound_mark(self) -> MediaMark:
        """Of a template that has no place for sounds, as those of decoders that were made for text and pictures:
        nothing around the embeddings, as llama.cpp has it beside Whisper's encoder (b11549, tools/mtmd/mtmd.cpp)."""
        try:
            return self._media_mark("audio", SOUNDS)
        except SetupError:
            return self.own_mark(Mark())

    def own_mark(self, mark: Mark) -> MediaMark:
        """For embeddings that bring their mark. Raises SetupError if it names a control token that is none here."""
        known = self._tokenizer.special_tokens
        unknown = [name for name in CONTROL_NAME.findall(f"{mark.before} {mark.behind}") if name not in known]
        if unknown:
            raise SetupError(f"the decoder's vocabulary has no control token {', '.join(unknown)}")
        return MediaMark(mark, next(iter(known.values()), TokenId(0)))

    def _media_mark(self, kind: str, placeholders: Sequence[str]) -> MediaMark:
        [mark] = _marks(1)
        text, medium = {"type": "text", "text": mark}, {"type": kind}
        try:
            plain, listed, seen = (self._render(["user"], [said], {}) for said in (mark, [text], [medium, text]))
        except FAULTS as error:
            raise SetupError(f"the chat template takes no parts of type {kind}: {error}") from error
        before, _, behind = plain.partition(mark)
        written = seen.removeprefix(before).removesuffix(mark + behind)
        names = [name for name in placeholders if name in self._tokenizer.special_tokens and written.count(name) == 1]
        if listed != plain or seen != before + written + mark + behind or len(names) != 1:
            raise SetupError(
                f"the chat template has no place for a part of type {kind} that could be found: it writes {written!r}"
            )
        around = written.partition(names[0])
        return MediaMark(Mark(around[0], around[2]), self._tokenizer.special_tokens[names[0]])

    def _render(self, roles: Sequence[str], contents: Sequence[object], switches: Mapping[str, Any]) -> str:
        messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
        limit = MAX_TEMPLATE_CHARS + MAX_CHARS_A_MESSAGE * len(messages)
        pieces: list[str] = []
        for piece in self._template.generate(messages=messages, add_generation_prompt=True, **self._names, **switches):
            pieces.append(piece)
            limit -= len(piece)
            if limit < 0:
                raise TemplateError("it writes far more than the messages it is given")
        return "".join(pieces)

    def _try_out(self) -> None:
        roles = ("system", "user", "assistant", "user")
        marks = _marks(2 * len(roles))
        contents = [first + PROBE + last for first, last in zip(marks[::2], marks[1::2], strict=True)]
        rendered = self._render(roles, contents, {})
        in_order = ".*".join(map(re.escape, contents))
        if re.findall("|".join(marks), rendered) != marks or not re.search(in_order, rendered, re.DOTALL):
            raise SetupError("the chat template drops, repeats, changes or reorders messages; it cannot be used safely")


class _Sandbox(ImmutableSandboxedEnvironment):
    """A product of sizes is the cheap way to a huge value; templates have no use for one."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or not (isinstance(left, int) and isinstance(right, int)):
            raise TemplateError(f"the operator {operator} is not allowed on {type(left).__name__}")
        return left * right


def _environment() -> _Sandbox:
    """What Hugging Face's apply_chat_template gives to templates, which are written for it."""
    environment = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = time.strftime
    environment.filters["tojson"] = _to_json
    return environment


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _marks(count: int) -> list[str]:
    """Letters only: templates may trim or split, but nothing touches a word; nobody can guess it."""
    secret = "".join(secrets.choice("ABCDEFGHJKLM") for _ in range(32))
    letters = str.maketrans("0123456789", "ABCDEFGHIJ")
    return [f"QZ{secret}X{str(index).translate(letters)}ZQ" for index in range(count)]
