#include "rows16.h"

#include <cstring>
#include <vector>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__F16C__)
#include <immintrin.h>

namespace {

constexpr int ROWS = 16, BLOCK = 32, SUPER = 256;
constexpr int STEPS = BLOCK / 4; // one VNNI instruction takes four columns
constexpr int STEP_BYTES = 4 * ROWS;
constexpr int BYTES = BLOCK * ROWS, NIBBLES = BYTES / 2, BITS = BYTES / 8; // of a block's codes, by how they are packed
constexpr int AHEAD = 2048; // bytes between what is multiplied and what is fetched; 6144 did the same
constexpr int UNPACK_QUADS = 3;
constexpr int GROUPS = 2; // sets of 16 rows computed together; 2 x 4 sums fit the registers

// ggml's blocks, by ggml-common.h
struct Q8_0 { uint16_t scale; int8_t codes[BLOCK]; };
struct Q8_0x4 { uint16_t scales[4]; int8_t codes[4 * BLOCK]; };
struct Q5_0 { uint16_t scale; uint8_t high[4]; uint8_t low[BLOCK / 2]; };
struct Q4_K { uint16_t scale, min_scale; uint8_t scales[12]; uint8_t codes[SUPER / 2]; };
struct Q6_K { uint8_t low[SUPER / 2]; uint8_t high[SUPER / 4]; int8_t scales[SUPER / 16]; uint16_t scale; };
static_assert(sizeof(Q8_0) == 34 && sizeof(Q8_0x4) == 136 && sizeof(Q5_0) == 22, "sizes of ggml");
static_assert(sizeof(Q4_K) == 144 && sizeof(Q6_K) == 210, "sizes of ggml");

float to_float(uint16_t half) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))); }

__m512 load_halves(const uint8_t * halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(halves)));
}

__m512i broadcast4(const int8_t * codes) {
    int32_t four;
    std::memcpy(&four, codes, sizeof four);
    return _mm512_set1_epi32(four);
}

// What sums begin with or are corrected by: the codes of an input's block summed up, its two halves apart.
struct Sums { int32_t half[2]; int32_t whole() const { return half[0] + half[1]; } };

// How a kind of weights is packed. CODES: bytes of the codes of one block of 16 rows. FINE: of what belongs to a block
// besides. COARSE: of what belongs to SPAN blocks. PARTS: how many scales a block has. HAS_MIN: whether codes count
// from a minimum. The instruction multiplies unsigned by signed, so codes below zero are stored with a SURPLUS.
struct EightBits {
    static constexpr int CODES = BYTES, FINE = 32, COARSE = 0, SPAN = 1, PARTS = 1, SURPLUS = 128;
    static constexpr bool HAS_MIN = false;
    static __m512i codes(const uint8_t * block, int step) { return _mm512_loadu_si512(block + step * STEP_BYTES); }
    static __m512 scale(const uint8_t * fine, const uint8_t *, int) { return load_halves(fine); }
    static __m512 min(const uint8_t *, const uint8_t *) { return _mm512_setzero_ps(); }
};

// Half a byte a code: a byte holds those of step s and of step s + 4.
__m512i nibbles(const uint8_t * block, int step) {
    const __m512i pair = _mm512_loadu_si512(block + step % 4 * STEP_BYTES);
    return _mm512_and_si512(step < 4 ? pair : _mm512_srli_epi16(pair, 4), _mm512_set1_epi8(15));
}

// A further bit of the codes, 64 to a step, adds `value` where it is set.
__m512i with_bits(__m512i codes, const uint8_t * bits, int step, char value) {
    uint64_t mask;
    std::memcpy(&mask, bits + step * sizeof mask, sizeof mask);
    return _mm512_mask_add_epi8(codes, mask, codes, _mm512_set1_epi8(value));
}

struct FiveBits {
    static constexpr int CODES = NIBBLES + BITS, FINE = 32, COARSE = 0, SPAN = 1, PARTS = 1, SURPLUS = 16;
    static constexpr bool HAS_MIN = false;
    static __m512i codes(const uint8_t * block, int step) {
        return with_bits(nibbles(block, step), block + NIBBLES, step, 16);
    }
    static __m512 scale(const uint8_t * fine, const uint8_t *, int) { return load_halves(fine); }
    static __m512 min(const uint8_t *, const uint8_t *) { return _mm512_setzero_ps(); }
};

struct FourBitsK {
    static constexpr int CODES = NIBBLES, FINE = 32, COARSE = 64, SPAN = SUPER / BLOCK, PARTS = 1, SURPLUS = 0;
    static constexpr bool HAS_MIN = true;
    static __m512i codes(const uint8_t * block, int step) { return nibbles(block, step); }
    static __m512 times(const uint8_t * bytes, const uint8_t * halves) {
        const __m128i small = _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes));
        return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(small)), load_halves(halves));
    }
    static __m512 scale(const uint8_t * fine, const uint8_t * coarse, int) { return times(fine, coarse); }
    static __m512 min(const uint8_t * fine, const uint8_t * coarse) { return times(fine + ROWS, coarse + 2 * ROWS); }
};

struct SixBitsK {
    static constexpr int CODES = NIBBLES + 2 * BITS, FINE = 32, COARSE = 32, SPAN = SUPER / BLOCK, PARTS = 2, SURPLUS = 32;
    static constexpr bool HAS_MIN = false;
    static __m512i codes(const uint8_t * block, int step) {
        const __m512i five = with_bits(nibbles(block, step), block + NIBBLES, step, 16);
        return with_bits(five, block + NIBBLES + BITS, step, 32);
    }
    static __m512 scale(const uint8_t * fine, const uint8_t * coarse, int part) {
        const __m128i small = _mm_loadu_si128(reinterpret_cast<const __m128i *>(fine + part * ROWS));
        return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(small)), load_halves(coarse));
    }
    static __m512 min(const uint8_t *, const uint8_t *) { return _mm512_setzero_ps(); }
};

// Any of them with a byte for each code.
template <typename P> struct Unpacked : P {
    static constexpr int CODES = BYTES;
    static __m512i codes(const uint8_t * block, int step) { return EightBits::codes(block, step); }
};

// Sixteen packed rows: the codes of all blocks, then their fine parts, then the coarse ones.
template <typename P> size_t group_bytes(int64_t num_blocks) {
    return num_blocks * (P::CODES + P::FINE) + num_blocks / P::SPAN * P::COARSE;
}

template <typename P, typename Byte> struct Group {
    Byte *codes, *fine, *coarse;
    Group() = default;
    Group(Byte * start, int64_t num_blocks)
        : codes(start), fine(start + num_blocks * P::CODES), coarse(fine + num_blocks * P::FINE) {}
};

template <typename P> using Packed = Group<P, const uint8_t>;
template <typename P> using Target = Group<P, uint8_t>;

// One tile: INPUTS vectors times G sets of 16 rows. `code(b, step, i)` points to four codes of input i, `scale(b, i)` is
// the scale of its block b, and `sums` has INPUTS entries for each block.
template <typename P, int G, int INPUTS, typename Code, typename Scale>
inline void tile(int num_blocks, float * out, size_t out_stride, const uint8_t * packed, const Sums * sums, Code code,
                 Scale scale) {
    Packed<P> rows[G];
    __m512 total[G][INPUTS];
    for (int g = 0; g < G; g++) {
        rows[g] = Packed<P>(packed + g * group_bytes<P>(num_blocks), num_blocks);
        for (int i = 0; i < INPUTS; i++) {
            total[g][i] = _mm512_setzero_ps();
        }
    }
    for (int b = 0; b < num_blocks; b++) {
        if (INPUTS == 1) { // memory is what one input waits for, and it is not fetched across pages unasked
            for (int g = 0; g < G; g++) {
                for (int at = 0; at < P::CODES; at += 64) {
                    _mm_prefetch(reinterpret_cast<const char *>(rows[g].codes + b * P::CODES + at + AHEAD), _MM_HINT_T0);
                }
            }
        }
        for (int part = 0; part < P::PARTS; part++) {
            __m512i sum[G][INPUTS];
            for (int i = 0; i < INPUTS; i++) {
                const Sums & of = sums[b * INPUTS + i];
                const int32_t start = -P::SURPLUS * (P::PARTS == 1 ? of.whole() : of.half[part]);
                for (int g = 0; g < G; g++) {
                    sum[g][i] = _mm512_set1_epi32(start);
                }
            }
            for (int s = 0; s < STEPS / P::PARTS; s++) {
                const int step = part * STEPS / P::PARTS + s;
                __m512i weights[G];
                for (int g = 0; g < G; g++) {
                    weights[g] = P::codes(rows[g].codes + b * P::CODES, step);
                }
                for (int i = 0; i < INPUTS; i++) {
                    const __m512i four = broadcast4(code(b, step, i));
                    for (int g = 0; g < G; g++) {
                        sum[g][i] = _mm512_dpbusd_epi32(sum[g][i], weights[g], four);
                    }
                }
            }
            for (int g = 0; g < G; g++) {
                const uint8_t * fine = rows[g].fine + b * P::FINE;
                const uint8_t * coarse = rows[g].coarse + b / P::SPAN * P::COARSE;
                const __m512 row_scales = P::scale(fine, coarse, part);
                const __m512 mins = P::min(fine, coarse);
                for (int i = 0; i < INPUTS; i++) {
                    const __m512 both = _mm512_mul_ps(row_scales, _mm512_set1_ps(scale(b, i)));
                    total[g][i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[g][i]), both, total[g][i]);
                    if (P::HAS_MIN) {
                        const float of_input = scale(b, i) * static_cast<float>(sums[b * INPUTS + i].whole());
                        total[g][i] = _mm512_fnmadd_ps(mins, _mm512_set1_ps(of_input), total[g][i]);
                    }
                }
            }
        }
    }
    for (int g = 0; g < G; g++) {
        for (int i = 0; i < INPUTS; i++) {
            _mm512_storeu_ps(out + i * out_stride + g * ROWS, total[g][i]);
        }
    }
}

thread_local std::vector<Sums> sums_of_inputs;

// Each 64 bytes hold half a block of four inputs, in turns of eight codes: two turns of each.
void sum_up(const Q8_0x4 & quad, Sums * sums) {
    for (int half = 0; half < 2; half++) {
        const __m512i codes = _mm512_loadu_si512(quad.codes + 64 * half);
        const __m512i fours = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), codes);
        alignas(32) int32_t eights[8];
        _mm256_store_si256(reinterpret_cast<__m256i *>(eights),
                           _mm256_add_epi32(_mm512_castsi512_si256(fours), _mm512_extracti64x4_epi64(fours, 1)));
        for (int i = 0; i < 4; i++) {
            sums[i].half[half] = eights[2 * i] + eights[2 * i + 1];
        }
    }
}

int32_t sum16(const int8_t * codes) {
    int32_t sum = 0;
    for (int c = 0; c < 16; c++) {
        sum += codes[c];
    }
    return sum;
}

thread_local std::vector<uint8_t> unpacked_rows;

// Sets of 16 rows with a byte for each code, for inputs so many that unpacking for each four of them would cost more.
template <typename P, int G> const uint8_t * unpack(int num_blocks, const uint8_t * packed) {
    const size_t bytes = group_bytes<P>(num_blocks), unpacked_bytes = group_bytes<Unpacked<P>>(num_blocks);
    unpacked_rows.resize(G * unpacked_bytes);
    for (int g = 0; g < G; g++) {
        const Packed<P> from(packed + g * bytes, num_blocks);
        const Target<Unpacked<P>> to(unpacked_rows.data() + g * unpacked_bytes, num_blocks);
        for (int b = 0; b < num_blocks; b++) {
            for (int step = 0; step < STEPS; step++) {
                _mm512_storeu_si512(to.codes + b * BYTES + step * STEP_BYTES, P::codes(from.codes + b * P::CODES, step));
            }
        }
        std::memcpy(to.fine, from.fine, bytes - static_cast<size_t>(num_blocks) * P::CODES);
    }
    return unpacked_rows.data();
}

template <typename P, int G>
void many(int num_blocks, float * out, size_t out_stride, const uint8_t * packed, const Q8_0x4 * inputs, int num_quads) {
    if constexpr (P::CODES != BYTES) {
        if (num_quads >= UNPACK_QUADS) {
            const uint8_t * rows = unpack<P, G>(num_blocks, packed);
            return many<Unpacked<P>, G>(num_blocks, out, out_stride, rows, inputs, num_quads);
        }
    }
    for (int q = 0; q < num_quads; q++) {
        const Q8_0x4 * quad = inputs + static_cast<size_t>(q) * num_blocks;
        tile<P, G, 4>(
            num_blocks, out + 4 * q * out_stride, out_stride, packed,
            sums_of_inputs.data() + static_cast<size_t>(q) * num_blocks * 4,
            [quad](int b, int step, int i) { return quad[b].codes + 32 * (step / 2) + 8 * i + 4 * (step % 2); },
            [quad](int b, int i) { return to_float(quad[b].scales[i]); });
    }
}

template <typename P>
void many(int num_blocks, float * out, size_t out_stride, const uint8_t * packed, const Q8_0x4 * quads, int num_quads,
          int num_rows) {
    sums_of_inputs.resize(static_cast<size_t>(num_quads) * num_blocks * 4);
    for (size_t q = 0; q < static_cast<size_t>(num_quads) * num_blocks; q++) {
        sum_up(quads[q], &sums_of_inputs[4 * q]);
    }
    int row = 0;
    for (; row + GROUPS * ROWS <= num_rows; row += GROUPS * ROWS) {
        many<P, GROUPS>(num_blocks, out + row, out_stride, packed + row / ROWS * group_bytes<P>(num_blocks), quads,
                        num_quads);
    }
    for (; row < num_rows; row += ROWS) {
        many<P, 1>(num_blocks, out + row, out_stride, packed + row / ROWS * group_bytes<P>(num_blocks), quads, num_quads);
    }
}

template <typename P, int G> void one(int num_blocks, float * out, const uint8_t * packed, const Q8_0 * input) {
    tile<P, G, 1>(
        num_blocks, out, 0, packed, sums_of_inputs.data(),
        [input](int b, int step, int) { return input[b].codes + 4 * step; },
        [input](int b, int) { return to_float(input[b].scale); });
}

template <typename P>
void one(int num_blocks, float * out, const uint8_t * packed, const Q8_0 * input, int num_rows) {
    sums_of_inputs.resize(num_blocks);
    for (int b = 0; b < num_blocks; b++) {
        sums_of_inputs[b] = {{sum16(input[b].codes), sum16(input[b].codes + BLOCK / 2)}};
    }
    int row = 0;
    for (; row + GROUPS * ROWS <= num_rows; row += GROUPS * ROWS) {
        one<P, GROUPS>(num_blocks, out + row, packed + row / ROWS * group_bytes<P>(num_blocks), input);
    }
    for (; row < num_rows; row += ROWS) {
        one<P, 1>(num_blocks, out + row, packed + row / ROWS * group_bytes<P>(num_blocks), input);
    }
}

// 32 codes of one row, one a byte, to their places in a block of 16 rows.
void put_bytes(uint8_t * block, int row, const uint8_t * codes) {
    for (int step = 0; step < STEPS; step++) {
        std::memcpy(block + step * STEP_BYTES + 4 * row, codes + 4 * step, 4);
    }
}

void put_nibbles(uint8_t * block, int row, const uint8_t * codes) {
    for (int c = 0; c < BLOCK / 2; c++) {
        block[c / 4 * STEP_BYTES + 4 * row + c % 4] = (codes[c] & 15) | codes[c + BLOCK / 2] << 4;
    }
}

// One bit of each of the row's 32 codes. The rows of a block come in order: an even one begins a byte.
void put_bits(uint8_t * bits, int row, const uint8_t * codes, int bit) {
    for (int step = 0; step < STEPS; step++) {
        uint8_t four = 0;
        for (int c = 0; c < 4; c++) {
            four |= (codes[4 * step + c] >> bit & 1) << c;
        }
        uint8_t & byte = bits[step * BITS / STEPS + row / 2];
        byte = row % 2 ? byte | four << 4 : four;
    }
}

void put_half(uint8_t * halves, int row, uint16_t half) { std::memcpy(halves + 2 * row, &half, sizeof half); }

// put(block of one row, packed rows, index of the block in its row, row)
template <typename P, typename Block, typename Put>
void pack(uint8_t * packed, const void * weights, int64_t num_rows, int64_t num_columns, Put put) {
    const int64_t num_blocks = num_columns / BLOCK, num_units = num_blocks / P::SPAN;
    const auto * from = static_cast<const Block *>(weights);
    for (int64_t first = 0; first < num_rows; first += ROWS, packed += group_bytes<P>(num_blocks)) {
        const Target<P> group(packed, num_blocks);
        for (int row = 0; row < ROWS; row++) {
            for (int64_t u = 0; u < num_units; u++) {
                put(from[(first + row) * num_units + u], group, u, row);
            }
        }
    }
}

void put_q8_0(const Q8_0 & block, const Target<EightBits> & to, int64_t b, int row) {
    uint8_t codes[BLOCK];
    for (int c = 0; c < BLOCK; c++) {
        codes[c] = static_cast<uint8_t>(block.codes[c] + EightBits::SURPLUS);
    }
    put_bytes(to.codes + b * EightBits::CODES, row, codes);
    put_half(to.fine + b * EightBits::FINE, row, block.scale);
}

void put_q5_0(const Q5_0 & block, const Target<FiveBits> & to, int64_t b, int row) {
    uint32_t high;
    std::memcpy(&high, block.high, sizeof high);
    uint8_t codes[BLOCK];
    for (int c = 0; c < BLOCK / 2; c++) {
        codes[c] = (block.low[c] & 15) | (high >> c & 1) << 4;
        codes[c + BLOCK / 2] = block.low[c] >> 4 | (high >> (c + 16) & 1) << 4;
    }
    uint8_t * target = to.codes + b * FiveBits::CODES;
    put_nibbles(target, row, codes);
    put_bits(target + NIBBLES, row, codes, 4);
    put_half(to.fine + b * FiveBits::FINE, row, block.scale);
}

void put_q4_k(const Q4_K & super, const Target<FourBitsK> & to, int64_t u, int row) {
    const uint8_t * packed_scales = super.scales; // eight scales and eight minima of six bits
    for (int j = 0; j < FourBitsK::SPAN; j++) {
        uint8_t scale, min, codes[BLOCK];
        if (j < 4) {
            scale = packed_scales[j] & 63;
            min = packed_scales[j + 4] & 63;
        } else {
            scale = (packed_scales[j + 4] & 15) | packed_scales[j - 4] >> 6 << 4;
            min = packed_scales[j + 4] >> 4 | packed_scales[j] >> 6 << 4;
        }
        for (int c = 0; c < BLOCK; c++) {
            codes[c] = super.codes[j / 2 * BLOCK + c] >> (j % 2 * 4) & 15;
        }
        const int64_t b = u * FourBitsK::SPAN + j;
        put_nibbles(to.codes + b * FourBitsK::CODES, row, codes);
        to.fine[b * FourBitsK::FINE + row] = scale;
        to.fine[b * FourBitsK::FINE + ROWS + row] = min;
    }
    put_half(to.coarse + u * FourBitsK::COARSE, row, super.scale);
    put_half(to.coarse + u * FourBitsK::COARSE + 2 * ROWS, row, super.min_scale);
}

void put_q6_k(const Q6_K & super, const Target<SixBitsK> & to, int64_t u, int row) {
    for (int j = 0; j < SixBitsK::SPAN; j++) {
        uint8_t codes[BLOCK];
        const int side = j / 4, quarter = j % 4; // of each 128 codes, four runs of 32 share 64 and 32 bytes
        for (int c = 0; c < BLOCK; c++) {
            const uint8_t low = super.low[side * 64 + quarter % 2 * 32 + c] >> (quarter / 2 * 4) & 15;
            codes[c] = low | (super.high[side * 32 + c] >> (2 * quarter) & 3) << 4;
        }
        const int64_t b = u * SixBitsK::SPAN + j;
        uint8_t * target = to.codes + b * SixBitsK::CODES;
        put_nibbles(target, row, codes);
        put_bits(target + NIBBLES, row, codes, 4);
        put_bits(target + NIBBLES + BITS, row, codes, 5);
        for (int part = 0; part < 2; part++) {
            to.fine[b * SixBitsK::FINE + part * ROWS + row] = static_cast<uint8_t>(super.scales[2 * j + part]);
        }
    }
    put_half(to.coarse + u * SixBitsK::COARSE, row, super.scale);
}

} // namespace

bool rows16_fits(rows16_kind kind, int64_t num_columns, int64_t num_rows) {
    const bool is_k = kind == ROWS16_Q4_K || kind == ROWS16_Q6_K;
    return num_columns % (is_k ? SUPER : BLOCK) == 0 && num_rows % ROWS == 0;
}

size_t rows16_row_bytes(rows16_kind kind, int64_t num_columns) {
    const int64_t num_blocks = num_columns / BLOCK;
    switch (kind) {
        case ROWS16_Q5_0: return group_bytes<FiveBits>(num_blocks) / ROWS;
        case ROWS16_Q4_K: return group_bytes<FourBitsK>(num_blocks) / ROWS;
        case ROWS16_Q6_K: return group_bytes<SixBitsK>(num_blocks) / ROWS;
        default: return group_bytes<EightBits>(num_blocks) / ROWS;
    }
}

void rows16_pack(rows16_kind kind, void * packed, const void * weights, int64_t num_rows, int64_t num_columns) {
    auto * to = static_cast<uint8_t *>(packed);
    switch (kind) {
        case ROWS16_Q8_0: return pack<EightBits, Q8_0>(to, weights, num_rows, num_columns, put_q8_0);
        case ROWS16_Q5_0: return pack<FiveBits, Q5_0>(to, weights, num_rows, num_columns, put_q5_0);
        case ROWS16_Q4_K: return pack<FourBitsK, Q4_K>(to, weights, num_rows, num_columns, put_q4_k);
        case ROWS16_Q6_K: return pack<SixBitsK, Q6_K>(to, weights, num_rows, num_columns, put_q6_k);
    }
}

void rows16_many(rows16_kind kind, int num_columns, float * out, size_t out_stride, const void * packed,
                 const void * inputs, int num_inputs, int num_rows) {
    const auto * rows = static_cast<const uint8_t *>(packed);
    const auto * quads = static_cast<const Q8_0x4 *>(inputs);
    const int num_blocks = num_columns / BLOCK, num_quads = num_inputs / 4;
    switch (kind) {
        case ROWS16_Q5_0: return many<FiveBits>(num_blocks, out, out_stride, rows, quads, num_quads, num_rows);
        case ROWS16_Q4_K: return many<FourBitsK>(num_blocks, out, out_stride, rows, quads, num_quads, num_rows);
        case ROWS16_Q6_K: return many<SixBitsK>(num_blocks, out, out_stride, rows, quads, num_quads, num_rows);
        default: return many<EightBits>(num_blocks, out, out_stride, rows, quads, num_quads, num_rows);
    }
}

void rows16_one(rows16_kind kind, int num_columns, float * out, const void * packed, const void * input, int num_rows) {
    const auto * rows = static_cast<const uint8_t *>(packed);
    const auto * vector = static_cast<const Q8_0 *>(input);
    const int num_blocks = num_columns / BLOCK;
    switch (kind) {
        case ROWS16_Q5_0: return one<FiveBits>(num_blocks, out, rows, vector, num_rows);
        case ROWS16_Q4_K: return one<FourBitsK>(num_blocks, out, rows, vector, num_rows);
        case ROWS16_Q6_K: return one<SixBitsK>(num_blocks, out, rows, vector, num_rows);
        default: return one<EightBits>(num_blocks, out, rows, vector, num_rows);
    }
}

#else // no such instructions: nothing fits, and ggml's own kernels are used

bool rows16_fits(rows16_kind, int64_t, int64_t) { return false; }
size_t rows16_row_bytes(rows16_kind, int64_t) { return 0; }
void rows16_pack(rows16_kind, void *, const void *, int64_t, int64_t) {}
void rows16_many(rows16_kind, int, float *, size_t, const void *, const void *, int, int) {}
void rows16_one(rows16_kind, int, float *, const void *, const void *, int) {}

#endif
