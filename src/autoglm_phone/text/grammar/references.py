"""Where the `$ref` of a JSON schema leads. Only within the schema itself: nothing is ever fetched."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from autoglm_phone.text.grammar.keyword_values import UnsupportedKeyword, shown


def resolved(root: Any, reference: Any) -> Any:
    """The schema at a JSON pointer. Source: RFC 6901."""
    if not isinstance(reference, str):
        raise UnsupportedKeyword("$ref", f"must be text, not {shown(reference)}")
    if not reference.startswith("#"):
        raise UnsupportedKeyword("$ref", f"is {shown(reference)}, which is never fetched; put it under '$defs'")
    first, *steps = reference[1:].split("/")
    if first:
        raise UnsupportedKeyword("$ref", f"is {shown(reference)}; anchors are not supported, write '#/$defs/name'")
    found = root
    for step in steps if steps != [""] else ():
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and len(name) < 6 and int(name) < len(found):
            found = found[int(name)]
        else:
            raise UnsupportedKeyword("$ref", f"is {shown(reference)}, which leads nowhere")
    return found
