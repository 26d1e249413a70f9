"""A grammar as llguidance takes it, once llguidance itself has taken it under limits."""

from llguidance import LLMatcher, LLParserLimits

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar.deep_stack import on_deep_stack

_LONGEST_REASON = 500  # it may quote the grammar


def parser_limits() -> LLParserLimits:
    """What a grammar may cost, here and where it is followed: the engine builds its matcher with the same limits.

    Every running stream waits while one answer's next tokens are looked up. Ambiguous grammars of two lines took up to
    2.3 s for that with the library's 2,000 items in a row and 50,000 a step; with these they are refused before it is
    0.1 s. An optional property takes four items in a row, so 250 may stand side by side; required ones take none.
    250,000 states may take half a gigabyte a request; 50,000 were 20 MB at most, and a long pattern of Chinese and
    Latin letters needs 25,000. Errors are for callers, so they do not tell the parser's state.
    """
    return LLParserLimits(max_items_in_row=1000, step_max_items=10_000, max_lexer_states=50_000, verbose_errors=False)


def fault(grammar: str) -> str:
    """What llguidance has against the grammar, or nothing. Takes up to about a second: not for the event loop."""
    is_error, messages = on_deep_stack(
        lambda: LLMatcher.validate_grammar_with_warnings(grammar, limits=parser_limits())
    )
    return "; ".join(messages) if is_error or messages else ""


def validated(grammar: str, what: str, *, param: str) -> str:
    """The grammar itself. Raises InvalidRequest that begins with `what`."""
    if reason := fault(grammar):
        raise InvalidRequest(f"{what} cannot be used: {reason[:_LONGEST_REASON]}", param=param)
    return grammar
