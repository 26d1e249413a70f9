import threading

import pytest

from autoglm_phone.text.grammar import ebnf_grammar
from autoglm_phone.text.grammar.deep_stack import on_deep_stack


def test_a_result_and_an_error_come_back_and_later_threads_have_the_usual_stack() -> None:
    usual = threading.stack_size()
    assert on_deep_stack(lambda: 7) == 7
    with pytest.raises(KeyError):
        on_deep_stack(lambda: dict[str, int]()["absent"])
    assert threading.stack_size() == usual


def test_a_long_chain_of_rules_does_not_end_the_process() -> None:
    rules = ["start: r0", *(f'r{i}: r{i + 1} "x"' for i in range(3000)), 'r3000: "a"']
    assert "r3000" in ebnf_grammar("\n".join(rules), param="grammar")
