"""Two grammars as one: an answer in a given form, or calls of tools."""

import json
from typing import Any


def either_grammar(first: str, second: str) -> str:
    """Texts of the one or of the other. Both are what the functions beside this one give."""
    main = {"name": "either", "lark_grammar": "start: @first | @second"}
    return json.dumps({"grammars": [main, *_named("first", first), *_named("second", second)]})


def _named(name: str, grammar: str) -> list[dict[str, Any]]:
    """The grammar's own parts, the first of them under this name; only Lark can be referred to."""
    if not grammar.lstrip().startswith("{"):
        return [{"name": name, "lark_grammar": grammar}]
    first, *others = json.loads(grammar)["grammars"]
    lark = first.get("lark_grammar") or f"start: %json {json.dumps(first['json_schema'])}"
    return [{"name": name, "lark_grammar": lark}, *others]
