"""Regular expressions, lists of choices and context-free grammars as clients write them."""

import json
from collections.abc import Sequence

from llguidance import LLMatcher
from llguidance.gbnf_to_lark import gbnf_to_lark

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar.validated import validated


def regex_grammar(pattern: str, *, param: str) -> str:
    """Texts that the pattern matches from beginning to end, in the syntax of Rust's regex."""
    return validated(LLMatcher.grammar_from_regex(pattern), "the regular expression", param=param)


def choice_grammar(choices: Sequence[str], *, param: str) -> str:
    """One of the choices, letter for letter."""
    if not choices:
        raise InvalidRequest("at least one choice is needed", param=param)
    grammar = LLMatcher.grammar_from_lark("start: " + " | ".join(json.dumps(choice) for choice in choices))
    return validated(grammar, "the list of choices", param=param)


def ebnf_grammar(text: str, *, param: str) -> str:
    """Lark as llguidance knows it, or GBNF as llama.cpp and xgrammar write it, told apart by "::="."""
    if "::=" in text:
        try:
            text = gbnf_to_lark(text)
        except Exception as error:  # its own errors and a bare Exception
            raise InvalidRequest(f"the GBNF grammar cannot be read: {error}", param=param) from error
    return validated(LLMatcher.grammar_from_lark(text), "the grammar", param=param)
