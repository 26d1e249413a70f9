"""LlamaCppBackend: one `llama_process` a step, with tokens and embeddings of many sequences."""

from functools import partial
from typing import Any

import numpy as np

from autoglm_phone.backends.grammar.compiler import GrammarCompiler
from autoglm_phone.backends.grammar.matcher import GrammarFailed
from autoglm_phone.backends.llama_cpp.binding import LOAD_MODE_NONE, PROCESS_TYPE_DECODE, LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.backends.llama_cpp.draw import TokenDraw
from autoglm_phone.backends.llama_cpp.sampler import SamplerChain, is_plain_argmax
from autoglm_phone.backends.llama_cpp.vocabulary import grammar_tokenizer
from autoglm_phone.backends.verify import Drawn, draw_along
from autoglm_phone.core.backend import StepItem, StepPlan, StepResult
from autoglm_phone.core.errors import BundleError, StepFailed
from autoglm_phone.core.ids import RequestId, SlotId
from autoglm_phone.core.request import Request

LLAMA_MAX_SEQ = 256  # llama-cparams.h; more slots abort the process
END = -1  # "to the last position" in llama.cpp's ranges


class LlamaCppBackend:
    """Implements core.backend.Backend. Not thread-safe; the GIL is released while a step computes."""

    def __init__(self, config: LlamaCppConfig, library: LlamaLibrary) -> None:
        if not 0 < config.max_slots <= LLAMA_MAX_SEQ:
            raise ValueError(f"max_slots is {config.max_slots}, llama.cpp takes 1 to {LLAMA_MAX_SEQ}")
        self._library, self._lib, self._ffi = library, library.lib, library.ffi
        self._config = config
        self._draws: dict[RequestId, TokenDraw] = {}
        self._model = self._load_model()
        vocab = self._lib.llama_model_get_vocab(self._model)
        self._vocab_size: int = self._lib.llama_vocab_n_tokens(vocab)
        self._grammars = GrammarCompiler(partial(grammar_tokenizer, library, vocab), self._vocab_size)
        self._width: int = self._lib.llama_model_n_embd_inp(self._model)
        self.context = self._make_context()
        self._memory = self._lib.llama_get_memory(self.context)
        self._batch = self._lib.llama_batch_ext_init(self.context)
        self._position = self._ffi.new("llama_pos[4]")  # time, row, column, and one that stays 0

    def _load_model(self) -> Any:
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = 0
        if self._library.has_native_kernels:
            # They repack most weights at load: a map of the file beside the repacked ones would count twice.
            params.load_mode = LOAD_MODE_NONE
        model = self._lib.llama_model_load_from_file(str(self._config.model_file).encode(), params)
        if model == self._ffi.NULL:
            raise BundleError(f"llama.cpp cannot load {self._config.model_file}: {self._library.last_warning}")
        return model

    def _make_context(self) -> Any:
        config, params = self._config, self._lib.llama_context_default_params()
        params.n_ctx = config.kv_tokens
        params.n_batch = params.n_ubatch = config.max_step_tokens
        params.n_seq_max = config.max_slots
        params.n_outputs_max = config.max_slots + config.max_draft  # less asserts; V floats are reserved for each
        params.n_outputs_max_per_seq = 1 + config.max_draft
        params.n_threads = params.n_threads_batch = config.threads
        # Without a unified cache a partial seq_cp asserts, and mixed batches are split by sequence.
        params.kv_unified = True
        context = self._lib.llama_init_from_model(self._model, params)
        if context == self._ffi.NULL:
            raise BundleError(f"llama.cpp cannot make a context for it: {self._library.last_warning}")
        return context

    @property
    def vocab_size(self) -> int:
        return self._vocab_size

    @property
    def trained_window(self) -> int:
        """Tokens that the model was trained to attend to."""
        return int(self._lib.llama_model_n_ctx_train(self._model))

    def step(self, plan: StepPlan) -> StepResult:
        """Compute all items in one call, then draw the tokens that were asked for."""
        self._lib.llama_batch_ext_clear(self._batch)
        outputs = [(item, self._add(item)) for item in plan.items]
        if (code := self._lib.llama_process(self.context, PROCESS_TYPE_DECODE, self._batch)) != 0:
            raise StepFailed(f"llama_process gave {code} for {plan.num_tokens} tokens: {self._library.last_warning}")
        return self._drawn(outputs)

    def _drawn(self, outputs: list[tuple[StepItem, list[int]]]) -> StepResult:
        """Draw for the items that want it, each behind its batch entries."""
        sampled, logprobs, failed, ended, num_forced = {}, {}, {}, set(), 0
        for item, indices in outputs:
            if (request := item.sample_for) is None:
                continue
            try:
                drawn = draw_along(item.drafts, item.max_sampled, partial(self._draw, request, indices))
            except GrammarFailed as error:
                failed[request] = f"the answer's form: {error}"
                continue
            if drawn.tokens:
                sampled[request] = drawn.tokens
                num_forced += drawn.num_forced
            if drawn.logprobs is not None:
                logprobs[request] = drawn.logprobs
            if drawn.is_last:
                ended.add(request)
        return StepResult(sampled, logprobs, failed, frozenset(ended), num_forced)

    def _draw(self, request: RequestId, indices: list[int], num_drafts: int, most: int) -> Drawn:
        return self._draws[request].draw(self, indices[num_drafts], most)

    def _add(self, item: StepItem) -> list[int]:
        """Put one item into the batch; gives the batch indices that have logits: its last position and guesses."""
        indices = []
        positions = item.positions.tolist() if item.positions is not None else None
        for offset, token in enumerate(item.tokens):
            if item.embeddings is None:
                index = self._lib.llama_batch_ext_add_token(self._batch, item.slot, token)
            else:
                index = self._lib.llama_batch_ext_add_embd(self._batch, item.slot, self._embd(item.embeddings[offset]))
            if index < 0:
                raise StepFailed(f"llama.cpp refuses cell {item.start + offset} of slot {item.slot}: code {index}")
            # Of a token llama.cpp reads the first and repeats it; of an embedding, all four where there is M-RoPE.
            self._position[0:3] = [item.position + offset] * 3 if positions is None else positions[offset]
            self._lib.llama_batch_ext_set_pos(self._batch, index, self._position)
            indices.append(index)
        if item.sample_for is None:
            return []
        wanted = indices[-1 - item.num_drafts :]
        for index in wanted:
            self._lib.llama_batch_ext_set_output_logits(self._batch, index, True)
        return wanted

    def _embd(self, row: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
        if row.shape != (self._width,) or not row.flags.c_contiguous or row.dtype != np.float32:
            raise StepFailed(f"an embedding is {row.dtype} {row.shape}, the decoder takes float32 ({self._width},)")
        data = self._ffi.cast("float *", row.ctypes.data)
        return self._ffi.new("struct llama_embd *", {"data": data, "n_rows": 1, "n_embd": self._width})[0]

    def logits(self, output_index: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        """(V,) float32 of one output of the last step; a view that drawing edits and the next step overwrites."""
        row = self._lib.llama_get_logits_ith(self.context, output_index)
        if row == self._ffi.NULL:
            raise StepFailed(f"llama.cpp has no logits for batch entry {output_index}")
        return np.frombuffer(self._ffi.buffer(row, self._vocab_size * 4), dtype=np.float32)

    def copy_prefix(self, source: SlotId, target: SlotId, end: int) -> None:
        self._lib.llama_memory_seq_cp(self._memory, source, target, 0, end)

    def trim(self, slot: SlotId, end: int) -> None:
        if not self._lib.llama_memory_seq_rm(self._memory, slot, end, END):
            raise StepFailed(f"llama.cpp cannot trim slot {slot} at position {end}")

    def save(self, slot: SlotId) -> bytearray:
        size = self._lib.llama_state_seq_get_size(self.context, slot)
        state = bytearray(size)
        written = self._lib.llama_state_seq_get_data(self.context, self._ffi.from_buffer(state), size, slot)
        if written != size:
            raise StepFailed(f"llama.cpp saved {written} of {size} bytes of slot {slot}")
        return state

    def restore(self, slot: SlotId, state: bytes | bytearray) -> None:
        if self._lib.llama_state_seq_set_data(self.context, self._ffi.from_buffer(state), len(state), slot) == 0:
            raise StepFailed(f"llama.cpp cannot restore {len(state)} bytes into slot {slot}")

    def start_sampling(self, request: Request) -> None:
        chain, grammar = None, None
        if not is_plain_argmax(request.sampling):
            window, prompt = self._config.kv_tokens, request.prompt.fed_tokens
            chain = SamplerChain(self._library, self._vocab_size, window, request.sampling, prompt)
        if request.grammar:
            grammar = self._grammars.follow(request.grammar, request.stop_tokens)
        self._draws[request.id] = TokenDraw(request, self._vocab_size, chain, grammar)

    def is_ready(self, request: RequestId) -> bool:
        return self._draws[request].is_ready

    def stop_sampling(self, request: RequestId) -> None:
        draw = self._draws.pop(request, None)
        if draw is not None:
            draw.close()

    def close(self) -> None:
        for request in list(self._draws):
            self.stop_sampling(request)
        self._grammars.close()  # before the vocabulary that it reads
        self._lib.llama_batch_ext_free(self._batch)
        self._lib.llama_free(self.context)
        self._lib.llama_model_free(self._model)
