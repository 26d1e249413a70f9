// Matrix products with weights in 8-bit blocks (ggml's Q8_0, and Q5_0 unpacked to it), sixteen rows at a time.
//
// A block is 32 consecutive columns of one row with one half-precision scale. Sixteen rows are packed together: for
// each of their blocks, 8 x 64 bytes with four codes of each row, so that one AVX-512 VNNI instruction multiplies four
// columns of all sixteen; behind the codes of all blocks stand the scales. The size is that of Q8_0.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ROWS16_ROWS 16
#define ROWS16_BLOCK 32
#define ROWS16_BLOCK_BYTES 34 // of one row: the size of ggml's block_q8_0

#ifdef __cplusplus
extern "C" {
#endif

// Whether this build has the instructions, and whether a matrix of this shape can be packed.
bool rows16_fits(int64_t num_columns, int64_t num_rows);

// Pack `num_rows` rows of `num_blocks` blocks. Both are exact: a Q5_0 code minus 16 is a Q8_0 code of the same scale.
void rows16_pack_q8_0(void * packed, const void * weights, int64_t num_rows, int64_t num_blocks);
void rows16_pack_q5_0(void * packed, const void * weights, int64_t num_rows, int64_t num_blocks);

// out[i * out_stride + row] = inputs[i] . weights[row] for num_rows rows of a packed matrix, num_rows divisible by 16.
// inputs of _many: num_inputs (divisible by 4) vectors as ggml's block_q8_0x4 with eight bytes interleaved.
// input of _one: one vector as block_q8_0.
void rows16_many(int num_columns, float * out, size_t out_stride, const void * packed, const void * inputs,
                 int num_inputs, int num_rows);
void rows16_one(int num_columns, float * out, const void * packed, const void * input, int num_rows);

#ifdef __cplusplus
}
#endif
