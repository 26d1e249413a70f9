"""Regular expressions and lists of choices as clients write them, to grammars."""

import json
from collections.abc import Sequence

from llguidance import LLMatcher

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar.regex_dialect import PatternError, to_rust
from autoglm_phone.text.grammar.validated import validated

MAX_CHOICES = 10_000
MAX_CHOICES_BYTES = 200_000


def regex_grammar(pattern: str, *, param: str) -> str:
    """Texts that the pattern matches from beginning to end, as Python's re.fullmatch and ECMA-262 both would.

    Takes up to a second, as do the others: not for the event loop.
    """
    try:
        grammar = LLMatcher.grammar_from_regex(to_rust(pattern))
    except PatternError as error:
        raise InvalidRequest(f"the regular expression {error}", param=param) from error
    return validated(grammar, "the regular expression", param=param)


def choice_grammar(choices: Sequence[str], *, param: str) -> str:
    """One of the choices, letter for letter."""
    if not choices:
        raise InvalidRequest("at least one choice is needed", param=param)
    if len(choices) > MAX_CHOICES:
        raise InvalidRequest(f"there are {len(choices)} choices, the limit is {MAX_CHOICES}", param=param)
    try:
        size_bytes = sum(len(choice.encode()) for choice in choices)
    except UnicodeEncodeError as error:
        raise InvalidRequest("a choice holds half of a surrogate pair", param=param) from error
    if size_bytes > MAX_CHOICES_BYTES:
        raise InvalidRequest(f"the choices have {size_bytes} bytes, the limit is {MAX_CHOICES_BYTES}", param=param)
    # One terminal: as rules of their own, ten thousand choices would take 0.1 s a token.
    grammar = "start: CHOICE\nCHOICE: " + " | ".join(json.dumps(choice) for choice in choices)
    return validated(LLMatcher.grammar_from_lark(grammar), "the list of choices", param=param)
