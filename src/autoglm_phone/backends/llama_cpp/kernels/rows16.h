// Matrix products with quantised weights, sixteen rows at a time, for AVX-512 VNNI.
//
// Weights of ggml's Q8_0, Q5_0, Q4_K and Q6_K are packed at load: of each block of 32 columns, the codes of sixteen rows
// stand together, four of each row in 64 bytes, so that one instruction multiplies four columns of all sixteen rows.
// Behind the codes of all blocks stand the scales. Nothing is rounded, and codes keep their bits: half a byte each, then
// a plane for the fifth bit and one for the sixth; two-level scales stay two.
// Inputs are vectors in ggml's Q8_0, whatever the weights.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum rows16_kind { ROWS16_Q8_0, ROWS16_Q5_0, ROWS16_Q4_K, ROWS16_Q6_K };

#ifdef __cplusplus
extern "C" {
#endif

// Whether this build has the instructions, and whether a matrix of this shape can be packed.
bool rows16_fits(enum rows16_kind kind, int64_t num_columns, int64_t num_rows);

// Bytes of one packed row; sixteen of them are one piece.
size_t rows16_row_bytes(enum rows16_kind kind, int64_t num_columns);

void rows16_pack(enum rows16_kind kind, void * packed, const void * weights, int64_t num_rows, int64_t num_columns);

// out[i * out_stride + row] = inputs[i] . weights[row] for num_rows rows of a packed matrix, num_rows divisible by 16.
// inputs of _many: num_inputs (divisible by 4) vectors as ggml's block_q8_0x4 with eight bytes interleaved.
// input of _one: one vector as block_q8_0.
void rows16_many(enum rows16_kind kind, int num_columns, float * out, size_t out_stride, const void * packed,
                 const void * inputs, int num_inputs, int num_rows);
void rows16_one(enum rows16_kind kind, int num_columns, float * out, const void * packed, const void * input,
                int num_rows);

#ifdef __cplusplus
}
#endif
