// The kernels of window.py in CUDA: crops of faces from the planes of a frame, and residuals back into them.
// Each kernel runs once for all faces of a frame; neighbouring threads read neighbouring samples.

#include "structs.cuh"
#include "half.cuh"
#include "memory.cuh"
#include "statistics.cuh"

#define SIZE 256

// Catmull-Rom cubic (Keys 1981, a = -1/2) at `distance` samples from its centre.
__device__ __forceinline__ float cubic(float distance) {
    float x = fabsf(distance);
    if (x < 1.0f) return (1.5f * x - 2.5f) * x * x + 1.0f;
    if (x < 2.0f) return ((-0.5f * x + 2.5f) * x - 4.0f) * x + 2.0f;
    return 0.0f;
}

// Taps of the output cell that begins at `begin` and covers `step` samples: area average when shrinking, cubic when enlarging.
struct Taps {
    int first, count;
    float offset, step;

    __device__ __forceinline__ Taps(double begin, double step_) : step((float)step_) {
        if (step < 1.0f) begin += 0.5 * step_ - 1.5;
        double whole = floor(begin);
        first = (int)whole;
        offset = (float)(begin - whole);
        count = step < 1.0f ? 4 : (int)ceilf(offset + step);
    }

    __device__ __forceinline__ float weight(int tap) const {
        if (step < 1.0f) return cubic(offset + 1.0f - tap);
        return fmaxf(fminf(offset + step, tap + 1.0f) - fmaxf(offset, tap), 0.0f) / step;
    }
};

__device__ __forceinline__ int clamped(int value, int last) { return min(max(value, 0), last); }

// Round to nearest and keep within [0, largest]; truncation rounds here, for what is clipped is never negative.
__device__ __forceinline__ int code_value(float value, float largest) {
    return (int)fminf(fmaxf(value + 0.5f, 0.0f), largest);
}

template <typename Sample>
__device__ __forceinline__ Sample *line_of(const Component &component, int y) {
    Sample *samples = (Sample *)component.samples;
    return samples + (long long)(y - component.first_line) * component.pitch + component.offset;
}

template <typename Sample>
__device__ float sampled(const Component &component, const Grid &grid, int x, int y) {
    Taps across(grid.origin_x + x * grid.step_x, grid.step_x), down(grid.origin_y + y * grid.step_y, grid.step_y);
    float total = 0.0f;
    for (int j = 0; j < down.count; ++j) {
        const Sample *line = line_of<Sample>(component, clamped(down.first + j, component.height - 1));
        float row = 0.0f;
        for (int i = 0; i < across.count; ++i) {
            int column = clamped(across.first + i, component.width - 1);
            row += across.weight(i) * (float)line[column * component.stride];
        }
        total += down.weight(j) * row;
    }
    return total;
}

// Where pixel (x, y) of a square of the frame lies in the upright crop.
__device__ __forceinline__ int upright_pixel(int turn, int x, int y) {
    int last = SIZE - 1;
    if (turn == 1) return (last - x) * SIZE + y;
    if (turn == 2) return (last - y) * SIZE + last - x;
    if (turn == 3) return x * SIZE + last - y;
    return y * SIZE + x;
}

template <typename Sample>
__device__ void crop_faces(const Frame *frame, const Face *faces, uint16 *crops) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, n = blockIdx.z;
    float samples[3];
#pragma unroll
    for (int c = 0; c < 3; ++c) samples[c] = sampled<Sample>(frame->components[c], faces[n].crop[c], x, y);
#pragma unroll
    for (int c = 0; c < 3; ++c) {
        const float *row = frame->to_rgb[c];
        float value = row[0] * samples[0] + row[1] * samples[1] + row[2] * samples[2] + row[3];
        crops[(n * 3 + c) * SIZE * SIZE + upright_pixel(frame->turn, x, y)] = to_half(code_value(value, 255.0f) / 255.0f);
    }
}

__device__ __forceinline__ bool is_number(float value) { return fabsf(value) <= 3.402823466e38f; }

// residuals: from_rgb . (restored - crop) * strength, float32 [N, 3, SIZE, SIZE] in code values, turned as the frame is.
extern "C" __global__ void residual_faces(
    const Frame *frame, const Face *faces, const uint16 *crops, const uint16 *restored, float *residuals, int *finite) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, n = blockIdx.z;
    int pixel = (n * 3 * SIZE + y) * SIZE + x, upright = n * 3 * SIZE * SIZE + upright_pixel(frame->turn, x, y);
    float changes[3];
    bool numbers = true;
#pragma unroll
    for (int c = 0; c < 3; ++c) {
        float after = from_half(restored[upright + c * SIZE * SIZE]), before = from_half(crops[upright + c * SIZE * SIZE]);
        numbers = numbers && is_number(after);
        changes[c] = (float)(code_value(after * 255.0f, 255.0f) - code_value(before * 255.0f, 255.0f));
    }
    // all who write here write the same
    if (!numbers) finite[n] = 0;
    float strength = faces[n].strength;
#pragma unroll
    for (int c = 0; c < 3; ++c) {
        const float *row = frame->from_rgb[c];
        residuals[pixel + c * SIZE * SIZE] = strength * (row[0] * changes[0] + row[1] * changes[1] + row[2] * changes[2]);
    }
}

// Weight of the mask at `position` in [0, 1] across a window (smoothstep).
__device__ __forceinline__ float feather(float position, float width) {
    float t = fminf(fmaxf(fminf(position, 1.0f - position) / width, 0.0f), 1.0f);
    return t * t * (3.0f - 2.0f * t);
}

__device__ __forceinline__ float mask(const Face &face, int c, int x, int y, float width) {
    const Extent &extent = face.extents[c];
    const Grid &grid = face.paste[c];
    if (x < extent.begin_x || x >= extent.end_x || y < extent.begin_y || y >= extent.end_y) return 0.0f;
    float across = (float)((grid.origin_x + (x + 0.5) * grid.step_x) / SIZE);
    float down = (float)((grid.origin_y + (y + 0.5) * grid.step_y) / SIZE);
    return feather(across, width) * feather(down, width);
}

__device__ float residual_at(const float *residual, const Grid &grid, int x, int y) {
    Taps across(grid.origin_x + x * grid.step_x, grid.step_x), down(grid.origin_y + y * grid.step_y, grid.step_y);
    float total = 0.0f;
    for (int j = 0; j < down.count; ++j) {
        const float *line = residual + clamped(down.first + j, SIZE - 1) * SIZE;
        float row = 0.0f;
        for (int i = 0; i < across.count; ++i) row += across.weight(i) * line[clamped(across.first + i, SIZE - 1)];
        total += down.weight(j) * row;
    }
    return total;
}

template <typename Sample>
__device__ void paste_faces(const Frame *frame, const Face *faces, const float *residuals, const int *finite) {
    int c = blockIdx.z;
    const Component &component = frame->components[c];
    const Region &region = frame->regions[c];
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= region.width || y >= region.height) return;
    x += region.begin_x;
    y += region.begin_y;
    float total = 0.0f;
    for (int n = 0; n < frame->faces; ++n)
        if (finite[n]) total += mask(faces[n], c, x, y, frame->feather);
    if (total == 0.0f) return;
    Sample *sample = line_of<Sample>(component, y) + x * component.stride;
    int value = *sample >> component.shift;
    for (int n = 0; n < frame->faces; ++n) {
        float own = finite[n] ? mask(faces[n], c, x, y, frame->feather) : 0.0f;
        if (own == 0.0f) continue;
        float delta = own * residual_at(residuals + (n * 3 + c) * SIZE * SIZE, faces[n].paste[c], x, y) / fmaxf(total, 1.0f);
        value = code_value((float)value + delta, (float)frame->maximum);
    }
    *sample = (Sample)(value << component.shift);
}

extern "C" __global__ void crop_faces_8(const Frame *frame, const Face *faces, uint16 *crops) {
    crop_faces<uint8>(frame, faces, crops);
}

extern "C" __global__ void crop_faces_16(const Frame *frame, const Face *faces, uint16 *crops) {
    crop_faces<uint16>(frame, faces, crops);
}

extern "C" __global__ void paste_faces_8(const Frame *frame, const Face *faces, const float *residuals, const int *finite) {
    paste_faces<uint8>(frame, faces, residuals, finite);
}

extern "C" __global__ void paste_faces_16(const Frame *frame, const Face *faces, const float *residuals, const int *finite) {
    paste_faces<uint16>(frame, faces, residuals, finite);
}
