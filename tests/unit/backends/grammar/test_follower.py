"""What may come next, over a vocabulary of bytes: token n < 256 is byte n, and 300 ends an answer."""

from collections.abc import Iterator

import numpy as np
import pytest
from llguidance import LLMatcher

from autoglm_phone.backends.fake.byte_vocabulary import VOCAB_SIZE, byte_tokenizer
from autoglm_phone.backends.grammar.compiler import GrammarCompiler
from autoglm_phone.backends.grammar.follower import GrammarFollower
from autoglm_phone.backends.grammar.matcher import GrammarFailed
from autoglm_phone.core.ids import TokenId

END = TokenId(300)


@pytest.fixture
def compiler() -> Iterator[GrammarCompiler]:
    compiler = GrammarCompiler(byte_tokenizer, VOCAB_SIZE, fault=lambda _: "")
    yield compiler
    compiler.close()


def allowed(follower: GrammarFollower) -> set[int]:
    logits = np.zeros(VOCAB_SIZE, dtype=np.float32)
    if not follower.limit(logits):
        return set()
    assert set(np.unique(logits)) <= {0.0, -np.inf}
    return set(np.flatnonzero(logits == 0).tolist())


def test_the_end_is_allowed_only_where_the_grammar_may_end(compiler: GrammarCompiler) -> None:
    follower = compiler.follow(LLMatcher.grammar_from_regex("ab?"), [END])
    assert allowed(follower) == {ord("a")}
    assert not follower.take(TokenId(ord("a")))
    assert allowed(follower) == {ord("b"), END}
    assert follower.take(TokenId(ord("b"))), "nothing can follow"


def test_the_end_token_completes_the_answer(compiler: GrammarCompiler) -> None:
    follower = compiler.follow(LLMatcher.grammar_from_regex("a*"), [END])
    assert allowed(follower) == {ord("a"), END}
    assert follower.take(END)


def test_without_stop_tokens_an_answer_goes_on_as_long_as_it_can(compiler: GrammarCompiler) -> None:
    follower = compiler.follow(LLMatcher.grammar_from_regex("a?"), [])
    assert allowed(follower) == {ord("a")}
    nothing = compiler.follow(LLMatcher.grammar_from_regex(""), [])
    assert allowed(nothing) == set()


def test_a_stop_token_of_plain_text_ends_nothing_early(compiler: GrammarCompiler) -> None:
    follower = compiler.follow(LLMatcher.grammar_from_regex("x;y"), [TokenId(ord(";")), TokenId(10**6)])
    follower.take(TokenId(ord("x")))
    assert allowed(follower) == set(), "the semicolon would end it before it is complete, and nothing else may come"


def test_everything_may_follow_in_a_grammar_of_everything(compiler: GrammarCompiler) -> None:
    follower = compiler.follow(LLMatcher.grammar_from_regex(r"(.|\n)*"), [END])
    assert allowed(follower) == {*range(128), *range(0xC2, 0xF5), END}, "all that begins a character, and the end"


def test_logits_of_allowed_tokens_stay_as_they_are(compiler: GrammarCompiler) -> None:
    logits = np.random.default_rng(0).normal(size=VOCAB_SIZE).astype(np.float32)
    before = logits.copy()
    assert compiler.follow(LLMatcher.grammar_from_regex("[a-f]"), [END]).limit(logits)
    kept = np.isfinite(logits)
    assert set(np.flatnonzero(kept).tolist()) == set(range(ord("a"), ord("g")))
    assert (logits[kept] == before[kept]).all()


def test_a_grammar_that_does_not_compile_fails_where_it_is_needed(compiler: GrammarCompiler) -> None:
    follower = compiler.follow("start: absent", [END])
    with pytest.raises(GrammarFailed, match="absent"):
        follower.limit(np.zeros(VOCAB_SIZE, dtype=np.float32))
    assert follower.is_ready


def test_a_token_that_the_grammar_forbids_is_an_error_for_good(compiler: GrammarCompiler) -> None:
    follower = compiler.follow(LLMatcher.grammar_from_regex("ab"), [END])
    with pytest.raises(GrammarFailed) as caught:
        follower.take(TokenId(ord("z")))
    assert "\n" not in str(caught.value), "the parser's state is not for callers"
    with pytest.raises(GrammarFailed):
        allowed(follower)


def test_a_grammar_over_its_limits_fails_in_words(compiler: GrammarCompiler) -> None:
    names = [f"s{i}" for i in range(20)]
    ambiguous = "\n".join([f"start: {' | '.join(names)}", *(f'{name}: {name} {name} | "a"' for name in names)])
    follower = compiler.follow(ambiguous, [END])
    with pytest.raises(GrammarFailed, match="items"):
        take_many(follower, ord("a"), 500)


def take_many(follower: GrammarFollower, byte: int, count: int) -> None:
    for _ in range(count):
        assert byte in allowed(follower)
        follower.take(TokenId(byte))
