"""llguidance's matcher, made under limits; its errors as words for the caller."""

from llguidance import LLMatcher, LLTokenizer

from autoglm_phone.text.grammar import parser_limits
from autoglm_phone.text.grammar.deep_stack import on_deep_stack

_LONGEST_FAULT = 300


class GrammarFailed(Exception):
    """The answer cannot follow its grammar any further, or at all; the message says why."""


def compiled(tokenizer: LLTokenizer, grammar: str) -> LLMatcher:
    """A matcher at the beginning of its answer. Lets other threads run. Raises GrammarFailed."""
    limits = parser_limits()
    matcher = on_deep_stack(lambda: LLMatcher(tokenizer, grammar, log_level=0, limits=limits))
    check(matcher)
    return matcher


def check(matcher: LLMatcher) -> None:
    """Raise GrammarFailed if the matcher is in its error state, which it never leaves."""
    if matcher.is_error():
        raise GrammarFailed(in_words(matcher.get_error()))


def in_words(error: str) -> str:
    """Without the parser's inner state and the stack trace that follow on the next lines."""
    return error.partition("\n<")[0].strip()[:_LONGEST_FAULT] or "its grammar cannot be followed"
