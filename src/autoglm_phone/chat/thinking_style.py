"""How a decoder is brought to think before it answers, or kept from it: text that is put behind its opened turn.

Three kinds are told apart by template and vocabulary: decoders whose template has a switch (`enable_thinking`),
decoders that think of themselves in `<think>` tags (AutoGLM's and GLM-4.1V's then answer in `<answer>` tags), and
decoders that do neither. The last are prompted: a thought is opened for them, with its first words.
"""

from dataclasses import dataclass

from autoglm_phone.chat.chat_request import Thinking
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.reasoning import ANSWER, END_THINK, THINK
from autoglm_phone.text.tokenizer import Tokenizer

SWITCH = "enable_thinking"


@dataclass(frozen=True)
class ThinkingStyle:
    """is_native: it thinks of itself. has_switch: its template can be told. is_opened: its template opens a thought.

    has_answer_tag: its answers stand in tags.
    """

    is_native: bool
    has_switch: bool
    is_opened: bool
    has_answer_tag: bool

    @classmethod
    def of(cls, template: ChatTemplate, tokenizer: Tokenizer) -> "ThinkingStyle":
        has_switch = SWITCH in template.source
        is_native = has_switch or THINK in template.source or THINK in tokenizer.special_tokens
        # A prompted decoder answers if an answer's tag is opened; without, it thinks on or ends its turn.
        has_answer_tag = not is_native or ANSWER in template.source or ANSWER in tokenizer.special_tokens
        is_opened = template.opened_turn().rstrip().endswith(THINK)
        return cls(is_native, has_switch, is_opened, has_answer_tag)

    @property
    def closing(self) -> str:
        """What ends a thought and begins the answer."""
        return f"\n{END_THINK}\n{ANSWER}\n" if self.has_answer_tag else f"\n{END_THINK}\n\n"

    def switches(self, thinking: Thinking) -> dict[str, bool]:
        """What the template is told."""
        return {SWITCH: thinking.is_on} if self.has_switch and thinking.is_on is not None else {}

    def opening(self, thinking: Thinking, lead: str) -> str:
        """What stands behind the opened turn. lead: first words of a thought, for those that must be prompted."""
        match thinking.is_on:
            case True:
                begun = "" if self.is_opened else f"{THINK}\n"
                return begun if self.is_native else begun + lead
            case False if self.is_native and not self.has_switch:
                return ("" if self.is_opened else THINK) + self.closing
            case _:
                return ""
