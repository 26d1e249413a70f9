"""The only file that touches llama.cpp's C API.

The API is that of llama.h and ggml.h of release b11549, taken from the shared object inside the wheel
`xllamacpp`. The ABI moves from week to week, so the exact version is required and the structs are checked
before anything is loaded.
"""

import logging
from importlib import metadata, util
from pathlib import Path
from typing import Any, cast

from cffi import FFI

from autoglm_phone.backends.llama_cpp.release import PACKAGE, VERSION
from autoglm_phone.core.errors import MissingDependency, SetupError

MODEL_PARAMS_BYTES = 80
CONTEXT_PARAMS_BYTES = 168

DECLARATIONS = """
typedef int32_t llama_token; typedef int32_t llama_pos; typedef int32_t llama_seq_id;
struct llama_model; struct llama_context; struct llama_vocab; struct llama_memory_i; struct llama_sampler;
struct llama_batch_ext;

struct llama_model_params {
    void * devices; const void * tensor_buft_overrides;
    int32_t n_gpu_layers; int split_mode; int load_mode; int lazy_mode; int32_t main_gpu;
    const float * tensor_split; void * progress_callback; void * progress_callback_user_data;
    const void * kv_overrides;
    bool vocab_only; bool check_tensors; bool use_extra_bufts; bool no_host; bool no_alloc; bool load_mtp;
};
struct llama_context_params {
    uint32_t n_ctx, n_batch, n_ubatch, n_seq_max, n_rs_seq, n_outputs_max, n_outputs_max_per_seq;
    int32_t n_threads, n_threads_batch;
    int ctx_type, rope_scaling_type, pooling_type, attention_type, flash_attn_type;
    float rope_freq_base, rope_freq_scale, yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
    uint32_t yarn_orig_ctx; float defrag_thold;
    void * cb_eval; void * cb_eval_user_data; int type_k, type_v; size_t moe_cache_size;
    void * abort_callback; void * abort_callback_data;
    bool embeddings, offload_kqv, no_perf, op_offload, swa_full, kv_unified;
    void * samplers; size_t n_samplers; void * ctx_other;
};
struct llama_sampler_chain_params { bool no_perf; };
typedef struct { llama_token id; float logit, p; } llama_token_data;
typedef struct { llama_token_data * data; size_t size; int64_t selected; bool sorted; } llama_token_data_array;
struct llama_embd { const float * data; size_t n_rows; size_t n_embd; };

typedef void (*log_callback)(int level, const char * text, void * user_data);
void llama_log_set(log_callback callback, void * user_data);
void llama_backend_init(void);
void * ggml_backend_load(const char * path);
void * ggml_backend_reg_by_name(const char * name);
void ggml_backend_unload(void * reg);
const char * llama_print_system_info(void);

struct llama_model_params llama_model_default_params(void);
struct llama_context_params llama_context_default_params(void);
struct llama_model * llama_model_load_from_file(const char * path, struct llama_model_params params);
void llama_model_free(struct llama_model * model);
struct llama_context * llama_init_from_model(struct llama_model * model, struct llama_context_params params);
void llama_free(struct llama_context * ctx);
const struct llama_vocab * llama_model_get_vocab(const struct llama_model * model);
int32_t llama_vocab_n_tokens(const struct llama_vocab * vocab);
int llama_vocab_get_attr(const struct llama_vocab * vocab, llama_token token);
int32_t llama_token_to_piece(
    const struct llama_vocab * vocab, llama_token token, char * buf, int32_t length, int32_t lstrip, bool special);
int32_t llama_tokenize(
    const struct llama_vocab * vocab, const char * text, int32_t text_len, llama_token * tokens, int32_t n_tokens_max,
    bool add_special, bool parse_special);
int32_t llama_model_n_embd_inp(const struct llama_model * model);
int32_t llama_model_n_ctx_train(const struct llama_model * model);
uint64_t llama_model_size(const struct llama_model * model);

struct llama_memory_i * llama_get_memory(const struct llama_context * ctx);
void llama_memory_clear(struct llama_memory_i * mem, bool data);
bool llama_memory_seq_rm(struct llama_memory_i * mem, llama_seq_id seq, llama_pos p0, llama_pos p1);
void llama_memory_seq_cp(struct llama_memory_i * mem, llama_seq_id src, llama_seq_id dst, llama_pos p0, llama_pos p1);
llama_pos llama_memory_seq_pos_max(struct llama_memory_i * mem, llama_seq_id seq);
size_t llama_state_seq_get_size(struct llama_context * ctx, llama_seq_id seq);
size_t llama_state_seq_get_data(struct llama_context * ctx, uint8_t * dst, size_t size, llama_seq_id seq);
size_t llama_state_seq_set_data(struct llama_context * ctx, const uint8_t * src, size_t size, llama_seq_id seq);

struct llama_batch_ext * llama_batch_ext_init(struct llama_context * ctx);
void llama_batch_ext_free(struct llama_batch_ext * batch);
void llama_batch_ext_clear(struct llama_batch_ext * batch);
int32_t llama_batch_ext_add_token(struct llama_batch_ext * batch, llama_seq_id seq, llama_token id);
int32_t llama_batch_ext_add_embd(struct llama_batch_ext * batch, llama_seq_id seq, struct llama_embd embd);
bool llama_batch_ext_set_output_logits(struct llama_batch_ext * batch, int32_t idx, bool value);
bool llama_batch_ext_set_pos(struct llama_batch_ext * batch, int32_t idx, const llama_pos * pos);
int32_t llama_process(struct llama_context * ctx, int type, struct llama_batch_ext * batch);
float * llama_get_logits_ith(struct llama_context * ctx, int32_t i);

struct llama_sampler_chain_params llama_sampler_chain_default_params(void);
struct llama_sampler * llama_sampler_chain_init(struct llama_sampler_chain_params params);
void llama_sampler_chain_add(struct llama_sampler * chain, struct llama_sampler * smpl);
struct llama_sampler * llama_sampler_init_dist(uint32_t seed);
struct llama_sampler * llama_sampler_init_greedy(void);
struct llama_sampler * llama_sampler_init_top_k(int32_t k);
struct llama_sampler * llama_sampler_init_top_p(float p, size_t min_keep);
struct llama_sampler * llama_sampler_init_min_p(float p, size_t min_keep);
struct llama_sampler * llama_sampler_init_temp(float t);
struct llama_sampler * llama_sampler_init_penalties(
    int32_t n_vocab, int32_t last_n, float repeat, float freq, float present);
void llama_sampler_apply(struct llama_sampler * smpl, llama_token_data_array * cur_p);
void llama_sampler_accept(struct llama_sampler * smpl, llama_token token);
llama_token llama_sampler_sample(struct llama_sampler * smpl, struct llama_context * ctx, int32_t idx);
void llama_sampler_free(struct llama_sampler * smpl);

size_t ggml_quantize_chunk(
    int type, const float * src, void * dst, int64_t start, int64_t nrows, int64_t n_per_row, const float * imatrix);
bool ggml_validate_row_data(int type, const void * data, size_t nbytes);
"""

PROCESS_TYPE_DECODE = 1
LOAD_MODE_NONE = 0  # llama_load_mode: read, do not map
ATTR_UNKNOWN, ATTR_UNUSED, ATTR_NORMAL, ATTR_CONTROL = 1, 2, 4, 8  # llama_token_attr, bits
WARN_LEVEL = 3  # ggml_log_level: 1 debug, 2 info, 3 warn, 4 error, 5 continues the line before

log = logging.getLogger(__name__)


class LlamaLibrary:
    """The opened shared object. `ffi` makes C values, `lib` holds the functions.

    kernels: a plugin with ggml's CPU backend, which takes the place of the wheel's; without one that can be loaded the
    wheel's stay, and `has_native_kernels` tells.
    """

    def __init__(self, kernels: Path | None = None) -> None:
        path = _shared_object()
        self.ffi = cast(Any, FFI())
        self.ffi.cdef(DECLARATIONS)
        self.lib = cast(Any, self.ffi.dlopen(str(path), self.ffi.RTLD_GLOBAL | self.ffi.RTLD_NOW))
        self._check_structs()
        self.last_warning = ""
        self._log_callback = self.ffi.callback("log_callback", self._on_log)  # kept: C holds the pointer
        self.lib.llama_log_set(self._log_callback, self.ffi.NULL)
        self.has_native_kernels = kernels is not None and self._load_kernels(kernels)
        self.lib.llama_backend_init()

    def _check_structs(self) -> None:
        """Sizes and the defaults of first, middle and last fields must be what b11549's headers say."""
        model, context = self.lib.llama_model_default_params(), self.lib.llama_context_default_params()
        null = self.ffi.NULL
        checks = {
            "size of llama_model_params": self.ffi.sizeof("struct llama_model_params") == MODEL_PARAMS_BYTES,
            "size of llama_context_params": self.ffi.sizeof("struct llama_context_params") == CONTEXT_PARAMS_BYTES,
            "llama_model_params": (model.n_gpu_layers, model.lazy_mode, model.use_extra_bufts, model.load_mtp)
            == (-1, 1, True, False),
            "llama_context_params": (context.n_ctx, context.n_outputs_max_per_seq, context.type_v, context.no_perf)
            == (512, 1, 1, True),
            "end of llama_context_params": (context.swa_full, context.kv_unified, context.samplers, context.ctx_other)
            == (True, False, null, null),
        }
        wrong = [name for name, is_right in checks.items() if not is_right]
        if wrong:
            raise SetupError(
                f"the llama.cpp library inside {PACKAGE} does not match this program: {', '.join(wrong)}; "
                f"install {PACKAGE}=={VERSION}"
            )

    def _load_kernels(self, plugin: Path) -> bool:
        """Once in the life of a process, before anything is computed."""
        stock = self.lib.ggml_backend_reg_by_name(b"CPU")
        if self.lib.ggml_backend_load(str(plugin).encode()) == self.ffi.NULL:
            log.warning("%s cannot be loaded; the wheel's kernels are used: %s", plugin, self.last_warning)
            return False
        self.lib.ggml_backend_unload(stock)
        return True

    def _on_log(self, level: int, text: Any, _user_data: Any) -> None:
        if level >= WARN_LEVEL:
            self.last_warning = self.ffi.string(text).decode("utf-8", "replace").strip()
            log.debug("%s", self.last_warning)

    def kernels(self) -> str:
        """Whose CPU kernels run, and the instruction sets that they use, as llama.cpp names them."""
        features = self.ffi.string(self.lib.llama_print_system_info()).decode()
        return f"{'built for this CPU' if self.has_native_kernels else 'of the wheel'}, {features.strip()}"


def _shared_object() -> Path:
    try:
        installed = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise MissingDependency(f"{PACKAGE} is not installed; run: pip install {PACKAGE}=={VERSION}") from None
    if installed != VERSION:
        raise SetupError(f"{PACKAGE} is {installed}, this program needs exactly {VERSION}: its C interface moves")
    spec = util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    found = [path for folder in folders or () for path in Path(folder).glob("xllamacpp.*.so")]
    if not found:
        raise MissingDependency(f"{PACKAGE} {VERSION} holds no shared object; reinstall it")
    return found[0]
