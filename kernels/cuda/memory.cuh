// The memory of the faces of a batch, gathered from the crops that stay on the device.

#pragma once

// slots: half lumas, float16 [slots, 128, 128]. numbers: int [faces, entries], the slot of each neighbour, -1 for none.
// memory: float16 [faces, entries, 128, 128], zero where there is none; validity: float16 [faces, entries].
// A thread copies 8 values; a block along x and y has one line of threads, blocks along z are the entries of all faces.
extern "C" __global__ void gather_memory(const uint16 *slots, const int *numbers, uint16 *memory, uint16 *validity) {
    const int values = 128 * 128 / 8;
    int at = (blockIdx.x * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x, entry = blockIdx.z;
    if (at >= values) return;
    int number = numbers[entry];
    if (at == 0) validity[entry] = number < 0 ? 0 : 0x3C00;  // 1.0
    const uint16 *from = slots + ((long long)number * values + at) * 8;
    uint16 *to = memory + ((long long)entry * values + at) * 8;
#pragma unroll
    for (int i = 0; i < 8; ++i) to[i] = number < 0 ? (uint16)0 : from[i];
}
