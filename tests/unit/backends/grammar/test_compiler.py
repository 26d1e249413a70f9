import threading

import pytest
from llguidance import LLMatcher, LLTokenizer

from autoglm_phone.backends.fake.byte_vocabulary import VOCAB_SIZE, byte_tokenizer
from autoglm_phone.backends.grammar.compiler import GrammarCompiler
from autoglm_phone.backends.grammar.follower import GrammarFollower
from autoglm_phone.backends.grammar.matcher import GrammarFailed
from autoglm_phone.core.ids import TokenId

SMALL = LLMatcher.grammar_from_regex("a+")


def finish(follower: GrammarFollower) -> bool:
    """Wait for the compiler by using what it makes."""
    return follower.take(TokenId(ord("a")))


def test_the_tokenizer_is_made_once_and_a_known_grammar_is_not_tried_again() -> None:
    made, tried = [], []

    def make() -> LLTokenizer:
        made.append(1)
        return byte_tokenizer()

    def fault(grammar: str) -> str:
        tried.append(grammar)
        return ""

    compiler = GrammarCompiler(make, VOCAB_SIZE, fault)
    assert not made, "nothing is made before it is needed"
    for grammar in (SMALL, SMALL, LLMatcher.grammar_from_regex("a*")):
        finish(compiler.follow(grammar, []))
    compiler.close()
    assert len(made) == 1
    assert len(tried) == 2


def test_a_fault_is_told_and_what_failed_is_tried_again() -> None:
    faults = ["too strange", ""]
    compiler = GrammarCompiler(byte_tokenizer, VOCAB_SIZE, lambda _: faults.pop(0))
    with pytest.raises(GrammarFailed, match="too strange"):
        finish(compiler.follow(SMALL, []))
    finish(compiler.follow(SMALL, []))
    compiler.close()


def test_whatever_goes_wrong_in_the_thread_is_told_to_the_one_who_waits() -> None:
    def make() -> LLTokenizer:
        raise MemoryError

    compiler = GrammarCompiler(make, VOCAB_SIZE, lambda _: "")
    with pytest.raises(GrammarFailed, match="MemoryError"):
        finish(compiler.follow(SMALL, []))
    compiler.close()


def test_a_follower_that_is_closed_in_the_queue_is_not_compiled() -> None:
    gate, tried = threading.Event(), []

    def fault(grammar: str) -> str:
        tried.append(grammar)
        gate.wait(20)
        return ""

    compiler = GrammarCompiler(byte_tokenizer, VOCAB_SIZE, fault)
    first = compiler.follow(SMALL, [])
    second = compiler.follow(LLMatcher.grammar_from_regex("b"), [])
    assert not first.is_ready
    second.close()
    gate.set()
    finish(first)
    compiler.close()
    assert tried == [SMALL]
