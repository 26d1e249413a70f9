"""A grammar as llguidance takes it, once llguidance itself has taken it under limits."""

from llguidance import LLMatcher, LLParserLimits

from autoglm_phone.core.errors import InvalidRequest


def parser_limits() -> LLParserLimits:
    """What a grammar may cost, here and where it is followed: the engine builds its matcher with the same limits."""
    return LLParserLimits(verbose_errors=False)


def fault(grammar: str) -> str:
    """What llguidance has against the grammar, or nothing. Takes up to about a second: not for the event loop."""
    is_error, messages = LLMatcher.validate_grammar_with_warnings(grammar, limits=parser_limits())
    return "; ".join(messages) if is_error or messages else ""


def validated(grammar: str, what: str, *, param: str) -> str:
    """The grammar itself. Raises InvalidRequest that begins with `what`."""
    if reason := fault(grammar):
        raise InvalidRequest(f"{what} cannot be used: {reason}", param=param)
    return grammar
