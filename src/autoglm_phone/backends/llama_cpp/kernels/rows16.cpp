#include "rows16.h"

#include <cstring>
#include <vector>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__F16C__)
#include <immintrin.h>

namespace {

constexpr int ROWS = ROWS16_ROWS, BLOCK = ROWS16_BLOCK;
constexpr int STEPS = BLOCK / 4;                    // one VNNI instruction takes four columns
constexpr size_t CODES_BYTES = ROWS * BLOCK;        // of one block of all rows
constexpr size_t SCALES_BYTES = ROWS * sizeof(uint16_t);
constexpr int GROUPS = 2;                           // sets of 16 rows computed together; 2 x 4 sums fit the registers

struct Q8 { uint16_t scale; int8_t codes[BLOCK]; };                            // block_q8_0
struct Q5 { uint16_t scale; uint8_t high[4]; uint8_t low[BLOCK / 2]; };        // block_q5_0
struct Q8Quad { uint16_t scales[4]; int8_t codes[4 * BLOCK]; };                // block_q8_0x4
static_assert(sizeof(Q8) == ROWS16_BLOCK_BYTES && sizeof(Q5) == 22 && sizeof(Q8Quad) == 4 * sizeof(Q8), "ggml's sizes");

size_t group_bytes(int64_t num_blocks) { return num_blocks * (CODES_BYTES + SCALES_BYTES); }

float to_float(uint16_t half) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))); }

__m512i broadcast4(const int8_t * codes) {
    int32_t four;
    std::memcpy(&four, codes, sizeof four);
    return _mm512_set1_epi32(four);
}

// The codes of one block of one row go to its lane of each step. They are stored plus 128, because the instruction
// multiplies unsigned by signed; `start_sums` takes the surplus off again.
void put_codes(uint8_t * block, int row, const int8_t * codes) {
    for (int step = 0; step < STEPS; step++) {
        uint32_t four;
        std::memcpy(&four, codes + 4 * step, sizeof four);
        four ^= 0x80808080u;
        std::memcpy(block + step * 4 * ROWS + 4 * row, &four, sizeof four);
    }
}

template <typename Block, typename Unpack>
void pack(void * packed, const void * weights, int64_t num_rows, int64_t num_blocks, Unpack unpack) {
    auto * to = static_cast<uint8_t *>(packed);
    auto * from = static_cast<const Block *>(weights);
    for (int64_t first = 0; first < num_rows; first += ROWS, to += group_bytes(num_blocks)) {
        uint8_t * scales = to + num_blocks * CODES_BYTES;
        for (int row = 0; row < ROWS; row++) {
            for (int64_t b = 0; b < num_blocks; b++) {
                const Block & block = from[(first + row) * num_blocks + b];
                int8_t codes[BLOCK];
                unpack(block, codes);
                put_codes(to + b * CODES_BYTES, row, codes);
                std::memcpy(scales + b * SCALES_BYTES + row * sizeof(uint16_t), &block.scale, sizeof(uint16_t));
            }
        }
    }
}

// -128 times the sum of each block of each input: what sums begin with.
thread_local std::vector<int32_t> start_sums;

int32_t surplus(const int8_t * codes, int run, int gap, int num_runs) {
    int32_t sum = 0;
    for (int r = 0; r < num_runs; r++) {
        for (int i = 0; i < run; i++) {
            sum += codes[r * gap + i];
        }
    }
    return -128 * sum;
}

// One tile: INPUTS vectors times G sets of rows. `code(b, step, i)` points to four codes of input i, `scale(b, i)` is
// the scale of its block.
template <int G, int INPUTS, typename Code, typename Scale>
inline void tile(int num_blocks, float * out, size_t out_stride, const uint8_t * packed, const int32_t * starts,
                 Code code, Scale scale) {
    const uint8_t * codes[G];
    const uint8_t * scales[G];
    __m512 total[G][INPUTS];
    for (int g = 0; g < G; g++) {
        codes[g] = packed + g * group_bytes(num_blocks);
        scales[g] = codes[g] + num_blocks * CODES_BYTES;
        for (int i = 0; i < INPUTS; i++) {
            total[g][i] = _mm512_setzero_ps();
        }
    }
    for (int b = 0; b < num_blocks; b++) {
        __m512i sum[G][INPUTS];
        for (int i = 0; i < INPUTS; i++) {
            for (int g = 0; g < G; g++) {
                sum[g][i] = _mm512_set1_epi32(starts[b * INPUTS + i]);
            }
        }
        for (int step = 0; step < STEPS; step++) {
            __m512i weights[G];
            for (int g = 0; g < G; g++) {
                weights[g] = _mm512_loadu_si512(codes[g] + b * CODES_BYTES + step * 4 * ROWS);
            }
            for (int i = 0; i < INPUTS; i++) {
                const __m512i four = broadcast4(code(b, step, i));
                for (int g = 0; g < G; g++) {
                    sum[g][i] = _mm512_dpbusd_epi32(sum[g][i], weights[g], four);
                }
            }
        }
        for (int g = 0; g < G; g++) {
            const auto * halves = reinterpret_cast<const __m256i *>(scales[g] + b * SCALES_BYTES);
            const __m512 row_scales = _mm512_cvtph_ps(_mm256_loadu_si256(halves));
            for (int i = 0; i < INPUTS; i++) {
                const __m512 both = _mm512_mul_ps(row_scales, _mm512_set1_ps(scale(b, i)));
                total[g][i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[g][i]), both, total[g][i]);
            }
        }
    }
    for (int g = 0; g < G; g++) {
        for (int i = 0; i < INPUTS; i++) {
            _mm512_storeu_ps(out + i * out_stride + g * ROWS, total[g][i]);
        }
    }
}

template <int G>
void many(int num_blocks, float * out, size_t out_stride, const uint8_t * packed, const Q8Quad * inputs, int num_quads) {
    for (int q = 0; q < num_quads; q++) {
        const Q8Quad * quad = inputs + static_cast<size_t>(q) * num_blocks;
        tile<G, 4>(
            num_blocks, out + 4 * q * out_stride, out_stride, packed,
            start_sums.data() + static_cast<size_t>(q) * num_blocks * 4,
            [quad](int b, int step, int i) { return quad[b].codes + 32 * (step / 2) + 8 * i + 4 * (step % 2); },
            [quad](int b, int i) { return to_float(quad[b].scales[i]); });
    }
}

template <int G> void one(int num_blocks, float * out, const uint8_t * packed, const Q8 * input) {
    tile<G, 1>(
        num_blocks, out, 0, packed, start_sums.data(),
        [input](int b, int step, int) { return input[b].codes + 4 * step; },
        [input](int b, int) { return to_float(input[b].scale); });
}

} // namespace

bool rows16_fits(int64_t num_columns, int64_t num_rows) { return num_columns % BLOCK == 0 && num_rows % ROWS == 0; }

void rows16_pack_q8_0(void * packed, const void * weights, int64_t num_rows, int64_t num_blocks) {
    pack<Q8>(packed, weights, num_rows, num_blocks,
             [](const Q8 & block, int8_t * codes) { std::memcpy(codes, block.codes, BLOCK); });
}

void rows16_pack_q5_0(void * packed, const void * weights, int64_t num_rows, int64_t num_blocks) {
    pack<Q5>(packed, weights, num_rows, num_blocks, [](const Q5 & block, int8_t * codes) {
        uint32_t high;
        std::memcpy(&high, block.high, sizeof high);
        for (int i = 0; i < BLOCK / 2; i++) {
            codes[i] = static_cast<int8_t>(((block.low[i] & 15) | (high >> i & 1) << 4) - 16);
            codes[i + BLOCK / 2] = static_cast<int8_t>((block.low[i] >> 4 | (high >> (i + 16) & 1) << 4) - 16);
        }
    });
}

void rows16_many(int num_columns, float * out, size_t out_stride, const void * packed, const void * inputs,
                 int num_inputs, int num_rows) {
    const int num_blocks = num_columns / BLOCK, num_quads = num_inputs / 4;
    const auto * quads = static_cast<const Q8Quad *>(inputs);
    const auto * weights = static_cast<const uint8_t *>(packed);
    start_sums.resize(static_cast<size_t>(num_quads) * num_blocks * 4);
    for (size_t q = 0; q < static_cast<size_t>(num_quads) * num_blocks; q++) {
        for (int i = 0; i < 4; i++) {
            start_sums[4 * q + i] = surplus(quads[q].codes + 8 * i, 8, 32, 4);
        }
    }
    int row = 0;
    for (; row + GROUPS * ROWS <= num_rows; row += GROUPS * ROWS) {
        many<GROUPS>(num_blocks, out + row, out_stride, weights + row / ROWS * group_bytes(num_blocks), quads, num_quads);
    }
    for (; row < num_rows; row += ROWS) {
        many<1>(num_blocks, out + row, out_stride, weights + row / ROWS * group_bytes(num_blocks), quads, num_quads);
    }
}

void rows16_one(int num_columns, float * out, const void * packed, const void * input, int num_rows) {
    const int num_blocks = num_columns / BLOCK;
    const auto * vector = static_cast<const Q8 *>(input);
    const auto * weights = static_cast<const uint8_t *>(packed);
    start_sums.resize(num_blocks);
    for (int b = 0; b < num_blocks; b++) {
        start_sums[b] = surplus(vector[b].codes, BLOCK, BLOCK, 1);
    }
    int row = 0;
    for (; row + GROUPS * ROWS <= num_rows; row += GROUPS * ROWS) {
        one<GROUPS>(num_blocks, out + row, weights + row / ROWS * group_bytes(num_blocks), vector);
    }
    for (; row < num_rows; row += ROWS) {
        one<1>(num_blocks, out + row, weights + row / ROWS * group_bytes(num_blocks), vector);
    }
}

#else // no such instructions: nothing fits, and ggml's own kernels are used

bool rows16_fits(int64_t, int64_t) { return false; }
void rows16_pack_q8_0(void *, const void *, int64_t, int64_t) {}
void rows16_pack_q5_0(void *, const void *, int64_t, int64_t) {}
void rows16_many(int, float *, size_t, const void *, const void *, int, int) {}
void rows16_one(int, float *, const void *, const void *, int) {}

#endif
