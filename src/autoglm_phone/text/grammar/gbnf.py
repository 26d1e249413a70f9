"""GBNF, the grammars of llama.cpp and xgrammar, to Lark.

llguidance's own converter reads it. What it writes is written here, since there `([0-9]+)?` loses its brackets and
`\\u0041` its zeros, and rules that are named `start`, or differ only in case or hyphens, are taken for one.
"""

import json
import re
from collections.abc import Iterator, Mapping

from llguidance.gbnf_to_lark import (
    AlternativeNode,
    ASTNode,
    GrammarParser,
    LiteralNode,
    RegexNode,
    RepetitionNode,
    RuleNode,
    RuleRefNode,
)

from autoglm_phone.text.grammar.regex_dialect import PatternError, to_rust

MAX_RULES = 400

_PART = re.compile(r'(?P<kept>"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\])|(?P<comment>\#[^\n]*)|\n\s*(?=\|)', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}


class GbnfError(ValueError):
    """What is wrong with a grammar."""


def is_gbnf(text: str) -> bool:
    return re.search(r"^[ \t]*[A-Za-z_][\w-]*[ \t]*::=", text, re.MULTILINE) is not None


def to_lark(text: str) -> str:
    """Raises GbnfError. `root` becomes `start`; a rule may go on in the next line that begins with `|`."""
    if (num_rules := text.count("::=")) > MAX_RULES:
        raise GbnfError(f"it has {num_rules} rules, the limit is {MAX_RULES}")
    try:
        return _lark(GrammarParser().parse(_PART.sub(_plain, text)))
    except PatternError as error:
        raise GbnfError(f"a class of letters {error}") from error
    except RecursionError as error:
        raise GbnfError("it is nested too deeply") from error
    except GbnfError:
        raise
    except Exception as error:  # the parser raises a bare Exception of its own, and IndexError at the end of a text
        raise GbnfError(str(error)) from error


def _plain(found: re.Match[str]) -> str:
    """Without what the parser does not take or spoils: comments and breaks before `|`, escapes by long numbers."""
    if found["comment"]:
        return ""
    return " " if found["kept"] is None else _ESCAPE.sub(_short_escape, found["kept"])


def _short_escape(found: re.Match[str]) -> str:
    digits = found[2] or found[3]
    if not digits:
        return found[0]
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise GbnfError(f"{found[0]} is no character")
    return chr(code) if code > 0x7F else f"\\x{code:02x}"


def _lark(rules: Mapping[str, RuleNode]) -> str:
    if "root" not in rules:
        raise GbnfError("it has no rule 'root'")
    bodies = {name: rule.alternatives.simplify() for name, rule in rules.items()}
    used = {
        name: {node.name for node in _nodes(body) if isinstance(node, RuleRefNode)} for name, body in bodies.items()
    }
    if missing := {name for names in used.values() for name in names} - set(rules):
        raise GbnfError(f"there is no rule {min(missing)!r}")
    names = _lark_names(used)
    for body in bodies.values():
        for node in _nodes(body):
            _rewrite(node, names)
    return "\n".join(["%llguidance {}", *(f"{names[name]}: {body.top_str()}" for name, body in bodies.items())])


def _lark_names(used: Mapping[str, set[str]]) -> dict[str, str]:
    """In capitals where a rule can be a terminal, because it is made of terminals all the way: those are fast."""
    terminals: set[str] = set()
    while more := {name for name in used if name not in terminals and name != "root" and used[name] <= terminals}:
        terminals |= more
    names = {name: f"r_{re.sub('[^a-z0-9]', '_', name.lower())}_{index}" for index, name in enumerate(used)}
    return {name: names[name].upper() if name in terminals else names[name] for name in used} | {"root": "start"}


def _nodes(node: ASTNode) -> Iterator[ASTNode]:
    yield node
    for child in node.children():
        yield from _nodes(child)


def _rewrite(node: ASTNode, names: Mapping[str, str]) -> None:
    match node:
        case RuleRefNode():
            node.name = names[node.name]
        case RegexNode(rx="."):
            node.rx = "(?s:.)"
        case RegexNode():
            node.rx = to_rust(node.rx.replace("\\/", "/")).replace("/", "\\/")
        case LiteralNode():
            # Its text without the quotes that json.dumps puts around it and the node will put again.
            node.value = json.dumps(_ESCAPE.sub(_letter, node.value))[1:-1]
        case RepetitionNode(node=RepetitionNode()):
            node.node = AlternativeNode([node.node])  # which is written in brackets


def _letter(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else _LETTERS.get(found[4], found[4])
