from autoglm_phone.text.grammar.ebnf import ebnf_grammar
from autoglm_phone.text.grammar.either import either_grammar
from autoglm_phone.text.grammar.free_form import choice_grammar, regex_grammar
from autoglm_phone.text.grammar.json_schema import json_object_grammar, json_schema_grammar
from autoglm_phone.text.grammar.validated import parser_limits

__all__ = [
    "choice_grammar",
    "ebnf_grammar",
    "either_grammar",
    "json_object_grammar",
    "json_schema_grammar",
    "parser_limits",
    "regex_grammar",
]
