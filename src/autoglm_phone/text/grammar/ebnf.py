"""Context-free grammars as clients write them: Lark, as llguidance knows it, and GBNF, of llama.cpp and xgrammar."""

import json
import re

from llguidance import LLMatcher

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar.gbnf import GbnfError, is_gbnf, to_lark
from autoglm_phone.text.grammar.json_schema import embedded_schema
from autoglm_phone.text.grammar.validated import validated

MAX_CHARS = 50_000
# What llguidance's lexer (parser/src/lark/lexer.rs) makes of a text, as far as it matters here.
_LARK_PART = re.compile(
    r'(?P<quoted>"(?:\\.|[^"\\])*"|/(?:\\.|[^/\\])+/|(?://|\#)[^\n]*)|(?P<json>%json\s*)|(?P<block>%(?:regex|llguidance)\s*)'
    r"|(?P<token><)|(?P<option>\b(?:max_tokens|temperature|stop|stop_capture)\s*=)",
    re.DOTALL,
)


def ebnf_grammar(text: str, *, param: str) -> str:
    """Texts of the rule `start` (Lark) or `root` (GBNF); a text with `name ::=` is GBNF.

    A schema behind `%json` is read as json_schema_grammar reads it. Takes up to a second: not for the event loop.
    """
    if len(text) > MAX_CHARS:
        raise InvalidRequest(f"the grammar has {len(text)} characters, the limit is {MAX_CHARS}", param=param)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidRequest("the grammar holds half of a surrogate pair", param=param)
    lark = _from_gbnf(text, param) if is_gbnf(text) else _checked_lark(text, param)
    return validated(LLMatcher.grammar_from_lark(lark), "the grammar", param=param)


def _from_gbnf(text: str, param: str) -> str:
    try:
        return to_lark(text)
    except GbnfError as error:
        raise InvalidRequest(f"the GBNF grammar cannot be read: {str(error)[:300]}", param=param) from error


def _checked_lark(text: str, param: str) -> str:
    """With schemas in the form that is followed. Raises InvalidRequest for what the engine has no part in."""
    parts, at = [], 0
    while found := _LARK_PART.search(text, at):
        parts.append(text[at : found.end()])
        at = found.end()
        if found["token"]:
            raise InvalidRequest("the grammar names a token with '<...>'; write its text in quotes", param=param)
        if found["option"]:
            raise InvalidRequest(f"the grammar has {found.group()!r}, which is not supported", param=param)
        if found["json"] or found["block"]:
            try:
                value, at = json.JSONDecoder().raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                raise InvalidRequest(
                    f"the grammar has no JSON behind {found.group().strip()!r}", param=param
                ) from error
            parts.append(embedded_schema(value, param=param) if found["json"] else json.dumps(value))
    return "".join([*parts, text[at:]])
