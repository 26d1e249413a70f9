import threading

import pytest

from autoglm_phone.text.grammar import json_schema_grammar
from autoglm_phone.text.grammar.deep_stack import on_deep_stack


def test_a_result_and_an_error_come_back_and_later_threads_have_the_usual_stack() -> None:
    usual = threading.stack_size()
    assert on_deep_stack(lambda: 7) == 7
    with pytest.raises(KeyError):
        on_deep_stack(lambda: {}["absent"])
    assert threading.stack_size() == usual


def test_a_long_chain_of_references_does_not_end_the_process() -> None:
    chain = {f"d{i}": {"type": "array", "items": {"$ref": f"#/$defs/d{i + 1}"}} for i in range(4000)}
    schema = {"$defs": chain | {"d4000": {"type": "string"}}, "$ref": "#/$defs/d0"}
    assert "d4000" in json_schema_grammar(schema, param="response_format")
