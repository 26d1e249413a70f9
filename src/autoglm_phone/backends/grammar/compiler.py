"""GrammarCompiler: strings to matchers, in a thread of its own, so that no stream waits for a compiler."""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from llguidance import LLMatcher, LLTokenizer

from autoglm_phone.backends.grammar.follower import GrammarFollower
from autoglm_phone.backends.grammar.matcher import GrammarFailed, compiled
from autoglm_phone.backends.grammar.trial import trial_fault
from autoglm_phone.core.ids import TokenId

_REMEMBERED = 1024  # grammars that are known to compile; a digest each

_log = logging.getLogger(__name__)


class GrammarCompiler:
    """One a backend. The tokenizer is made with the first grammar, which is also when the thread starts.

    make_tokenizer   takes about 0.6 s on 150,000 tokens; vocab_size + 1 entries, the last one for the end
    fault            what is wrong with a grammar that was never seen before, or nothing
    """

    def __init__(
        self,
        make_tokenizer: Callable[[], LLTokenizer],
        vocab_size: int,
        fault: Callable[[str], str] = trial_fault,
    ) -> None:
        self._make_tokenizer = make_tokenizer
        self._vocab_size = vocab_size
        self._fault = fault
        self._tokenizer: LLTokenizer | None = None
        self._proven: OrderedDict[bytes, None] = OrderedDict()  # least recently used first
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="grammar")

    def follow(self, grammar: str, stop_tokens: Iterable[TokenId]) -> GrammarFollower:
        """Begin to compile; the follower tells when that is done."""
        compiling: Future[LLMatcher] = self._thread.submit(self._compile, grammar)
        return GrammarFollower(compiling, self._vocab_size, stop_tokens)

    def close(self) -> None:
        """Give up what is not compiled yet, and wait for what is being compiled."""
        self._thread.shutdown(cancel_futures=True)

    def _compile(self, grammar: str) -> LLMatcher:
        try:
            self._prove(grammar)
            if self._tokenizer is None:
                self._tokenizer = self._make_tokenizer()
            return compiled(self._tokenizer, grammar)
        except GrammarFailed:
            raise
        except BaseException as error:  # a panic inside the library is no Exception
            _log.exception("a grammar could not be compiled")
            raise GrammarFailed(f"compiling it failed: {type(error).__name__}") from error

    def _prove(self, grammar: str) -> None:
        digest = hashlib.sha256(grammar.encode()).digest()
        if digest not in self._proven:
            if fault := self._fault(grammar):
                raise GrammarFailed(fault)
            self._proven[digest] = None
            if len(self._proven) > _REMEMBERED:
                self._proven.popitem(last=False)
        self._proven.move_to_end(digest)
