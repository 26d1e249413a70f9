"""The few lines that make ggml's CPU backend of the pinned release use `rows16`, at places known by their text.

ggml repacks weights at load through "traits" of a block type, an interleave and a number of columns. Four more are
added, each with an interleave of 8 and 16 columns. And attention takes its tiles of 64 queries for fewer of them, too:
a chunk of a prompt beside streams is smaller than that.
"""

from pathlib import Path

from autoglm_phone.core.errors import SetupError

REPACK, CMAKE, LINKING = "src/ggml-cpu/repack.cpp", "src/ggml-cpu/CMakeLists.txt", "src/CMakeLists.txt"
ATTENTION = "src/ggml-cpu/ops.cpp"

# The plugin finds ggml's base in the library that loads it, and must not bring another.
_LINKING = """\
target_include_directories(${backend} PRIVATE $<TARGET_PROPERTY:ggml-base,INTERFACE_INCLUDE_DIRECTORIES>)
    target_compile_definitions(${backend} PRIVATE $<TARGET_PROPERTY:ggml-base,INTERFACE_COMPILE_DEFINITIONS>)
    if (CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        set_source_files_properties(ggml-cpu/rows16.cpp PROPERTIES COMPILE_OPTIONS "-march=native")
        # not with AVX-512 FP16, which sums single dot products in half precision, four times slower
        set_source_files_properties(ggml-cpu/ops.cpp ggml-cpu/vec.cpp
                                    PROPERTIES COMPILE_OPTIONS "-march=native;-mno-avx512fp16")
    endif()
"""

_TRAITS = """\
// Weights that rows16 packs. Some take more room than in their file, so that strides and sizes are asked of it.
template <typename BLOC_TYPE> struct rows16_of { static constexpr rows16_kind kind = ROWS16_Q8_0; };
template <> struct rows16_of<block_q5_0> { static constexpr rows16_kind kind = ROWS16_Q5_0; };
template <> struct rows16_of<block_q4_K> { static constexpr rows16_kind kind = ROWS16_Q4_K; };
template <> struct rows16_of<block_q6_K> { static constexpr rows16_kind kind = ROWS16_Q6_K; };

template <typename BLOC_TYPE, int64_t INTER_SIZE, int64_t NB_COLS>
static size_t packed_row_bytes(size_t nb01, int64_t ne00) {
    if constexpr (INTER_SIZE == 8 && NB_COLS == 16) {
        return rows16_row_bytes(rows16_of<BLOC_TYPE>::kind, ne00);
    }
    return nb01;
}

static bool rows16_takes(const struct ggml_tensor * t, rows16_kind & kind) {
    switch (t->type) {
        case GGML_TYPE_Q8_0: kind = ROWS16_Q8_0; break;
        case GGML_TYPE_Q5_0: kind = ROWS16_Q5_0; break;
        case GGML_TYPE_Q4_K: kind = ROWS16_Q4_K; break;
        case GGML_TYPE_Q6_K: kind = ROWS16_Q6_K; break;
        default: return false;
    }
    return t->ne[2] == 1 && t->ne[3] == 1 && rows16_fits(kind, t->ne[0], t->ne[1]);
}

#define ROWS16(BLOCK) \\
    template <> int repack<BLOCK, 8, 16>(struct ggml_tensor * t, const void * data, size_t) { \\
        rows16_pack(rows16_of<BLOCK>::kind, t->data, data, t->ne[1], t->ne[0]); \\
        return 0; \\
    } \\
    template <> void gemv<BLOCK, 8, 16, GGML_TYPE_Q8_0>( \\
        int n, float * s, size_t, const void * x, const void * y, int, int nc) { \\
        rows16_one(rows16_of<BLOCK>::kind, n, s, x, y, nc); \\
    } \\
    template <> void gemm<BLOCK, 8, 16, GGML_TYPE_Q8_0>( \\
        int n, float * s, size_t bs, const void * x, const void * y, int nr, int nc) { \\
        rows16_many(rows16_of<BLOCK>::kind, n, s, bs, x, y, nr, nc); \\
    }
ROWS16(block_q8_0)
ROWS16(block_q5_0)
ROWS16(block_q4_K)
ROWS16(block_q6_K)

class tensor_traits_base : public ggml::cpu::tensor_traits {"""

_CHOICE = """\
    static const ggml::cpu::repack::tensor_traits<block_q8_0, 8, 16, GGML_TYPE_Q8_0> rows16_q8_0;
    static const ggml::cpu::repack::tensor_traits<block_q5_0, 8, 16, GGML_TYPE_Q8_0> rows16_q5_0;
    static const ggml::cpu::repack::tensor_traits<block_q4_K, 8, 16, GGML_TYPE_Q8_0> rows16_q4_K;
    static const ggml::cpu::repack::tensor_traits<block_q6_K, 8, 16, GGML_TYPE_Q8_0> rows16_q6_K;
    rows16_kind kind;
    if (ggml::cpu::repack::rows16_takes(cur, kind)) {
        switch (kind) {
            case ROWS16_Q8_0: return &rows16_q8_0;
            case ROWS16_Q5_0: return &rows16_q5_0;
            case ROWS16_Q4_K: return &rows16_q4_K;
            case ROWS16_Q6_K: return &rows16_q6_K;
        }
    }

    if (cur->type == GGML_TYPE_Q4_0) {
        if (ggml_cpu_has_avx2()"""

_SIZE = """\
static size_t rows16_alloc_size(ggml_backend_buffer_type_t, const struct ggml_tensor * t) {
    rows16_kind kind;
    return ggml::cpu::repack::rows16_takes(t, kind) ? rows16_row_bytes(kind, t->ne[0]) * t->ne[1] : ggml_nbytes(t);
}

namespace ggml::cpu::repack {
class extra_buffer_type : ggml::cpu::extra_buffer_type {"""

# A tile of keys is multiplied by the queries that see one of them, not by all 64, most of which may not be there.
_TILE = """\
            int first = 0, last = tile_rows; // queries that see a key of this tile
            if (mask) {
                first = tile_rows, last = 0;
"""
_SCORES = """\
            simd_gemm(KQ + first * KV_TILE_SZ, (const float *)Q_q + first * DK, K_f32, last - first, DK, KV_TILE_SZ);
"""
MIN_TILED_QUERIES = 16

OURS = ("rows16.h", "rows16.cpp")  # files of ours, put beside ggml's

# file, what stands there, what is to stand there, how often
CHANGES = (
    (LINKING, "target_link_libraries(${backend} PRIVATE ggml-base)\n", _LINKING, 1),
    (CMAKE, "        ggml-cpu/repack.cpp\n", "        ggml-cpu/repack.cpp\n        ggml-cpu/rows16.cpp\n", 1),
    (REPACK, '#include "repack.h"\n', '#include "repack.h"\n#include "rows16.h"\n', 1),
    (REPACK, "class tensor_traits_base : public ggml::cpu::tensor_traits {", _TRAITS, 1),
    (
        REPACK,
        "src0_ptr + src0_start * nb01",
        "src0_ptr + src0_start * packed_row_bytes<BLOC_TYPE, INTER_SIZE, NB_COLS>(nb01, ne00)",
        2,
    ),
    (REPACK, "    if (cur->type == GGML_TYPE_Q4_0) {\n        if (ggml_cpu_has_avx2()", _CHOICE, 1),
    (REPACK, "namespace ggml::cpu::repack {\nclass extra_buffer_type : ggml::cpu::extra_buffer_type {", _SIZE, 1),
    (
        REPACK,
        "/* .get_alloc_size       = */ nullptr,  // defaults to ggml_nbytes",
        "/* .get_alloc_size       = */ rows16_alloc_size,",
        1,
    ),
    (
        ATTENTION,
        "            // skip the tile entirely if all the masks are -inf\n"
        "            if (mask) {\n                bool can_skip = true;\n",
        _TILE,
        1,
    ),
    (ATTENTION, "can_skip = false;", "first = std::min(first, tq), last = tq + 1;", 1),
    (ATTENTION, "if (can_skip) {", "if (first >= last) {", 1),
    (ATTENTION, "            simd_gemm(KQ, (const float *)Q_q, K_f32, Q_TILE_SZ, DK, KV_TILE_SZ);\n", _SCORES, 1),
    (ATTENTION, "for (int tq = 0; tq < Q_TILE_SZ; tq++) {", "for (int tq = first; tq < last; tq++) {", 3),
    (
        ATTENTION,
        "simd_gemm(VKQ32, KQ, V32, Q_TILE_SZ, KV_TILE_SZ, DV);",
        "simd_gemm(VKQ32 + first * DV, KQ + first * KV_TILE_SZ, V32, last - first, KV_TILE_SZ, DV);",
        1,
    ),
    (ATTENTION, "neq1 >= Q_TILE_SZ);", f"neq1 >= {MIN_TILED_QUERIES});", 1),
)


def apply(ggml: Path) -> None:
    """Change the sources under `ggml`. Raises SetupError where they are not those of the pinned release."""
    for name, old, new, count in CHANGES:
        path = ggml / name
        text = path.read_text(encoding="utf-8")
        if text.count(old) != count:
            raise SetupError(f"{name} of llama.cpp is not what this program knows: {old[:60]!r} is not there")
        path.write_text(text.replace(old, new), encoding="utf-8")
