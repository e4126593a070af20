// The memory of the faces of a batch: half lumas that are made and kept on the device, and what tells how much they differ.

#pragma once

#include "structs.cuh"
#include "half.cuh"

#define HALF 128

// The code value of a sample of a crop; half precision tells all 256 apart.
__device__ __forceinline__ int code_of(uint16 sample) { return (int)(from_half(sample) * 255.0f + 0.5f); }

// crops: float16 [N, 3, 256, 256]. lumas: float16 [N, 128, 128], the luma of 2 x 2 pixels, with a thread for each.
extern "C" __global__ void half_lumas(const uint16 *crops, uint16 *lumas) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, n = blockIdx.z;
    int sums[3];
#pragma unroll
    for (int c = 0; c < 3; ++c) {
        const uint16 *upper = crops + ((n * 3 + c) * 2 * HALF + 2 * y) * 2 * HALF + 2 * x, *lower = upper + 2 * HALF;
        sums[c] = code_of(upper[0]) + code_of(upper[1]) + code_of(lower[0]) + code_of(lower[1]);
    }
    const double scale = 1.0 / (4.0 * 255.0);
    float value = (float)(0.299 * scale) * sums[0] + (float)(0.587 * scale) * sums[1] + (float)(0.114 * scale) * sums[2];
    lumas[(n * HALF + y) * HALF + x] = to_half(value);
}

// entries: addresses [faces, entries] of half lumas, float16 [128, 128], 0 for none.
// memory: float16 [faces, entries, 128, 128], zero where there is none; validity: float16 [faces, entries].
// A thread copies 8 values; a block along x and y has one line of threads, blocks along z are the entries of all faces.
extern "C" __global__ void gather_memory(const address *entries, uint16 *memory, uint16 *validity) {
    const int values = HALF * HALF / 8;
    int at = (blockIdx.x * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x, entry = blockIdx.z;
    if (at >= values) return;
    const uint16 *from = (const uint16 *)entries[entry];
    if (at == 0) validity[entry] = from ? 0x3C00 : 0;  // 1.0
    uint16 *to = memory + ((long long)entry * values + at) * 8;
#pragma unroll
    for (int i = 0; i < 8; ++i) to[i] = from ? from[at * 8 + i] : (uint16)0;
}

// pairs: two addresses each, of half lumas or other 128 * 128 values. sums: float [pairs, 64], the absolute differences of 256
// values each. Blocks along z are pairs, of whose threads 64 have a sum.
extern "C" __global__ void pair_differences(const address *pairs, float *sums) {
    int at = threadIdx.y * blockDim.x + threadIdx.x, pair = blockIdx.z;
    if (at >= 64) return;
    const uint16 *first = (const uint16 *)pairs[2 * pair] + at * 256, *second = (const uint16 *)pairs[2 * pair + 1] + at * 256;
    float total = 0.0f;
    for (int i = 0; i < 256; ++i) total += fabsf(from_half(first[i]) - from_half(second[i]));
    sums[pair * 64 + at] = total;
}
