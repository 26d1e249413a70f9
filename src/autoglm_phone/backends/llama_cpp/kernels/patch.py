"""The few lines that make ggml's CPU backend of the pinned release use `rows16`, at places known by their text.

ggml repacks weights at load through "traits" of a block type, an interleave and a number of columns. Two more are
added: Q8_0, and Q5_0 that is unpacked to the same form and so takes more room than its file.
"""

from pathlib import Path

from autoglm_phone.core.errors import SetupError

REPACK, CMAKE, LINKING = "src/ggml-cpu/repack.cpp", "src/ggml-cpu/CMakeLists.txt", "src/CMakeLists.txt"

# The plugin finds ggml's base in the library that loads it, and must not bring another.
_LINKING = """\
target_include_directories(${backend} PRIVATE $<TARGET_PROPERTY:ggml-base,INTERFACE_INCLUDE_DIRECTORIES>)
    target_compile_definitions(${backend} PRIVATE $<TARGET_PROPERTY:ggml-base,INTERFACE_COMPILE_DEFINITIONS>)
"""

_TRAITS = """\
// Weights that rows16 packs: a row of Q5_0 grows to the size of Q8_0.
template <typename BLOC_TYPE> static size_t packed_row_bytes(size_t nb01, int64_t) { return nb01; }
template <> size_t packed_row_bytes<block_q5_0>(size_t, int64_t ne00) { return ne00 / QK8_0 * sizeof(block_q8_0); }

static bool rows16_takes(const struct ggml_tensor * t) {
    return (t->type == GGML_TYPE_Q8_0 || t->type == GGML_TYPE_Q5_0) && t->ne[2] == 1 && t->ne[3] == 1 &&
        rows16_fits(t->ne[0], t->ne[1]);
}

template <> int repack<block_q8_0, 8, 16>(struct ggml_tensor * t, const void * data, size_t) {
    rows16_pack_q8_0(t->data, data, t->ne[1], t->ne[0] / QK8_0);
    return 0;
}
template <> int repack<block_q5_0, 8, 16>(struct ggml_tensor * t, const void * data, size_t) {
    rows16_pack_q5_0(t->data, data, t->ne[1], t->ne[0] / QK8_0);
    return 0;
}
template <>
void gemv<block_q8_0, 8, 16, GGML_TYPE_Q8_0>(int n, float * s, size_t, const void * x, const void * y, int, int nc) {
    rows16_one(n, s, x, y, nc);
}
template <>
void gemv<block_q5_0, 8, 16, GGML_TYPE_Q8_0>(int n, float * s, size_t, const void * x, const void * y, int, int nc) {
    rows16_one(n, s, x, y, nc);
}
template <>
void gemm<block_q8_0, 8, 16, GGML_TYPE_Q8_0>(
    int n, float * s, size_t bs, const void * x, const void * y, int nr, int nc) {
    rows16_many(n, s, bs, x, y, nr, nc);
}
template <>
void gemm<block_q5_0, 8, 16, GGML_TYPE_Q8_0>(
    int n, float * s, size_t bs, const void * x, const void * y, int nr, int nc) {
    rows16_many(n, s, bs, x, y, nr, nc);
}

class tensor_traits_base : public ggml::cpu::tensor_traits {"""

_CHOICE = """\
    static const ggml::cpu::repack::tensor_traits<block_q8_0, 8, 16, GGML_TYPE_Q8_0> rows16_q8_0;
    static const ggml::cpu::repack::tensor_traits<block_q5_0, 8, 16, GGML_TYPE_Q8_0> rows16_q5_0;
    if (ggml::cpu::repack::rows16_takes(cur)) {
        if (cur->type == GGML_TYPE_Q8_0) {
            return &rows16_q8_0;
        }
        return &rows16_q5_0;
    }

    if (cur->type == GGML_TYPE_Q4_0) {
        if (ggml_cpu_has_avx2()"""

_SIZE = """\
static size_t rows16_alloc_size(ggml_backend_buffer_type_t, const struct ggml_tensor * t) {
    const bool grows = t->type == GGML_TYPE_Q5_0 && ggml::cpu::repack::rows16_takes(t);
    return grows ? ggml_row_size(GGML_TYPE_Q8_0, t->ne[0]) * t->ne[1] : ggml_nbytes(t);
}

namespace ggml::cpu::repack {
class extra_buffer_type : ggml::cpu::extra_buffer_type {"""

OURS = ("rows16.h", "rows16.cpp")  # files of ours, put beside ggml's

# file, what stands there, what is to stand there, how often
CHANGES = (
    (LINKING, "target_link_libraries(${backend} PRIVATE ggml-base)\n", _LINKING, 1),
    (CMAKE, "        ggml-cpu/repack.cpp\n", "        ggml-cpu/repack.cpp\n        ggml-cpu/rows16.cpp\n", 1),
    (REPACK, '#include "repack.h"\n', '#include "repack.h"\n#include "rows16.h"\n', 1),
    (REPACK, "class tensor_traits_base : public ggml::cpu::tensor_traits {", _TRAITS, 1),
    (REPACK, "src0_ptr + src0_start * nb01", "src0_ptr + src0_start * packed_row_bytes<BLOC_TYPE>(nb01, ne00)", 2),
    (REPACK, "    if (cur->type == GGML_TYPE_Q4_0) {\n        if (ggml_cpu_has_avx2()", _CHOICE, 1),
    (REPACK, "namespace ggml::cpu::repack {\nclass extra_buffer_type : ggml::cpu::extra_buffer_type {", _SIZE, 1),
    (
        REPACK,
        "/* .get_alloc_size       = */ nullptr,  // defaults to ggml_nbytes",
        "/* .get_alloc_size       = */ rows16_alloc_size,",
        1,
    ),
)


def apply(ggml: Path) -> None:
    """Change the sources under `ggml`. Raises SetupError where they are not those of the pinned release."""
    for name, old, new, count in CHANGES:
        path = ggml / name
        text = path.read_text(encoding="utf-8")
        if text.count(old) != count:
            raise SetupError(f"{name} of llama.cpp is not what this program knows: {old[:60]!r} is not there")
        path.write_text(text.replace(old, new), encoding="utf-8")
