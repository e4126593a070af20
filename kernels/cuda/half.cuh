// Half precision without the toolkit's headers, so that NVRTC alone compiles this.

#pragma once

#ifdef __CUDACC_RTC__
__device__ __forceinline__ uint16 to_half(float value) {
    uint16 half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
}

__device__ __forceinline__ float from_half(uint16 half) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
    return value;
}
#endif
