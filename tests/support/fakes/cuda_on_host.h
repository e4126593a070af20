// CUDA's language on a CPU: one thread after the other, for checking what kernels compute.

#pragma once

#include <cmath>
#include <algorithm>

#define __device__
#define __global__
#define __forceinline__ inline

using std::min;
using std::max;

struct Index {
    int x, y, z;
};

static thread_local Index blockIdx, threadIdx, blockDim, gridDim;

// GCC's own half precision, which rounds to nearest even as the device does
static inline unsigned short to_half(float value) {
    _Float16 half = (_Float16)value;
    unsigned short bits;
    __builtin_memcpy(&bits, &half, 2);
    return bits;
}

static inline float from_half(unsigned short bits) {
    _Float16 half;
    __builtin_memcpy(&half, &bits, 2);
    return (float)half;
}

template <typename Kernel, typename... Arguments>
void launch_grid(const int *grid, const int *block, Kernel kernel, Arguments... arguments) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    for (blockIdx.z = 0; blockIdx.z < grid[2]; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < grid[1]; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x)
                for (threadIdx.z = 0; threadIdx.z < block[2]; ++threadIdx.z)
                    for (threadIdx.y = 0; threadIdx.y < block[1]; ++threadIdx.y)
                        for (threadIdx.x = 0; threadIdx.x < block[0]; ++threadIdx.x) kernel(arguments...);
}
