// The numbers from which the gain of a face, its likeness to others and its blur are told: face_statistics.py, luma.py and
// sharpness.py in CUDA.
// Each kernel runs once for all faces of a frame, and needs what the one before it has written.

#pragma once

#include "structs.cuh"
#include "half.cuh"
#include "memory.cuh"

#define BEGIN 48       // of the face in a crop, in lines and columns
#define LARGEST 160    // samples along each side of it
#define NUMBERS 130    // of a face: 64 means of blocks of its half luma, then its measures, and its blur along lines and columns
#define MEASURES 64    // where they begin

__device__ __forceinline__ int lag_of(int role) { return role / 4 < 3 ? role / 4 + 1 : role / 4 == 3 ? 5 : 8; }
__device__ __forceinline__ int down_of(int role) { return role % 4 ? lag_of(role) : 0; }
__device__ __forceinline__ int right_of(int role) { return role % 4 == 2 ? 0 : role % 4 == 3 ? -lag_of(role) : lag_of(role); }

// The samples of the faces in crops, float16 [N, 3, 256, 256]: the mean green of factor x factor pixels, with a thread for each.
extern "C" __global__ void face_samples(const Face *faces, const uint16 *crops, Measured *measured) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, n = blockIdx.z;
    int factor = faces[n].factor, side = LARGEST / factor;
    if (x >= side || y >= side) return;
    const uint16 *green = crops + ((n * 3 + 1) * 2 * HALF + BEGIN + y * factor) * 2 * HALF + BEGIN + x * factor;
    int sum = 0;
    for (int down = 0; down < factor; ++down)
        for (int right = 0; right < factor; ++right) sum += code_of(green[down * 2 * HALF + right]);
    measured[n].samples[y * side + x] = (float)sum * (float)(1.0 / (factor * factor));
}

// How much a line varies, of samples at a distance of `step`, and how much of that a box filter of 9 removes (Crete et al. 2007).
__device__ void variation_along(const float *line, int step, int side, double *total, double *lost) {
    double sum = 0.0, removed = 0.0;
    for (int i = 5; i < side - 4; ++i) {
        float change = fabsf(line[i * step] - line[(i - 1) * step]);
        double smooth = fabsf(line[(i + 4) * step] - line[(i - 5) * step]) / 9.0;
        sum += change;
        removed += fmax(0.0, change - smooth);
    }
    *total = sum;
    *lost = removed;
}

// Sums over each column, with a thread along x for each, and along y for each lag and direction; the last three are of the
// samples, and of their variation along lines, for which x is the line, and along columns.
extern "C" __global__ void face_columns(const Face *faces, Measured *measured) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, role = blockIdx.y * blockDim.y + threadIdx.y, n = blockIdx.z;
    int side = LARGEST / faces[n].factor;
    const float *samples = measured[n].samples;
    if (role == 20 && x < side) {
        double sum = 0.0, squares = 0.0;
        for (int y = 0; y < side; ++y) {
            double sample = samples[y * side + x];
            sum += sample;
            squares += sample * sample;
        }
        measured[n].sums[0][x] = sum;
        measured[n].sums[1][x] = squares;
    }
    if ((role == 21 || role == 22) && x < side) {
        int along = role - 21;
        double *total = &measured[n].variation[along][0][x], *lost = &measured[n].variation[along][1][x];
        variation_along(samples + (along ? x : x * side), along ? side : 1, side, total, lost);
    }
    if (role >= 20) return;
    int down = down_of(role), right = right_of(role);
    if (x >= side - abs(right)) return;
    const float *here = samples + x + max(0, -right), *there = samples + down * side + x + max(0, right);
    float squares = 0.0f, powers = 0.0f;
    for (int y = 0; y < side - down; ++y) {
        float change = there[y * side] - here[y * side], square = change * change;
        squares += square;
        powers += square * square;
    }
    measured[n].differences[role][x] = squares;
    measured[n].differences[20 + role][x] = powers;
}

__device__ __forceinline__ int thread_of_plane() { return (blockIdx.x * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x; }

// Noise and edges in each block of 8 x 8, with a thread for each.
extern "C" __global__ void face_energies(const Face *faces, Measured *measured) {
    int block = thread_of_plane(), n = blockIdx.z, side = LARGEST / faces[n].factor, count = (side - 2) / 8;
    if (block >= count * count) return;
    const float *corner = measured[n].samples + (block / count * 8 + 1) * side + block % count * 8 + 1;
    float fine = 0.0f, coarse = 0.0f;
    for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) {
            const float *line = corner + y * side + x, *over = line - side, *under = line + side;
            float above = over[-1] - 2.0f * over[0] + over[1], middle = line[-1] - 2.0f * line[0] + line[1];
            float below = under[-1] - 2.0f * under[0] + under[1], masked = above - 2.0f * middle + below;
            float across = line[1] - line[-1], along = under[0] - over[0];
            fine += masked * masked;
            coarse += across * across + along * along;
        }
    }
    measured[n].energies[0][block] = fine / (36.0f * 64.0f);
    measured[n].energies[1][block] = coarse / 64.0f;
}

// The contrast of each block of 8 x 8 and its steepest edges, with a thread for each.
extern "C" __global__ void face_edges(const Face *faces, Measured *measured) {
    int block = thread_of_plane(), n = blockIdx.z, side = LARGEST / faces[n].factor, count = side / 8;
    if (block >= count * count) return;
    const float *corner = measured[n].samples + block / count * 8 * side + block % count * 8;
    float least = corner[0], most = corner[0], down = 0.0f, right = 0.0f;
    for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) {
            const float *sample = corner + y * side + x;
            least = fminf(least, *sample);
            most = fmaxf(most, *sample);
            if (x) right = fmaxf(right, fabsf(sample[0] - sample[-1]));
            if (y) down = fmaxf(down, fabsf(sample[0] - sample[-side]));
        }
    }
    measured[n].contrast[block] = most - least;
    measured[n].steepness[0][block] = down / (most - least + 2.0f);
    measured[n].steepness[1][block] = right / (most - least + 2.0f);
}

// Which of `count` values comes at `own` in their order; equal ones come as they are.
__device__ __forceinline__ int rank_of(const float *values, int own, int count, float sign) {
    float value = sign * values[own];
    int rank = 0;
    for (int i = 0; i < count; ++i) {
        float other = sign * values[i];
        if (other < value || (other == value && i < own)) ++rank;
    }
    return rank;
}

// The ranks of blocks by contrast, and noise and edges at shares of their order. numbers: float [N, NUMBERS].
// Threads along x are blocks of a face, blocks along y are noise, edges and contrast.
extern "C" __global__ void face_ranks(const Face *faces, Measured *measured, float *numbers) {
    const double shares[6] = {0.05, 0.25, 0.5, 0.75, 0.95, 1.0};
    int block = thread_of_plane(), kind = blockIdx.y, n = blockIdx.z, side = LARGEST / faces[n].factor;
    int count = kind < 2 ? (side - 2) / 8 : side / 8;
    count *= count;
    if (block >= count) return;
    if (kind == 2) {
        measured[n].rank[block] = rank_of(measured[n].contrast, block, count, -1.0f);
        return;
    }
    int rank = rank_of(measured[n].energies[kind], block, count, 1.0f);
    float *own = numbers + n * NUMBERS + MEASURES + 40;
#pragma unroll
    for (int i = 0; i < 6; ++i)
        if (rank == (int)(shares[i] * (count - 1))) own[6 * kind + i] = measured[n].energies[kind][block];
}

// The mean of the steepness of the blocks with the highest contrast, along the axis where it is less and the other, and the most.
__device__ void steepness_of(const Measured &measured, int count, int taken, float *out) {
    double down = 0.0, right = 0.0;
    float most = 0.0f;
    for (int i = 0; i < count; ++i) {
        if (measured.rank[i] >= taken) continue;
        down += measured.steepness[0][i];
        right += measured.steepness[1][i];
        most = fmaxf(most, fmaxf(measured.steepness[0][i], measured.steepness[1][i]));
    }
    out[0] = (float)(fmin(down, right) / taken);
    out[1] = (float)(fmax(down, right) / taken);
    out[2] = most;
}

// The numbers of each face that are left, with a thread for each of them or a few: one block of threads for each face.
extern "C" __global__ void face_numbers(const Face *faces, const uint16 *lumas, const Measured *measured, float *numbers) {
    int role = thread_of_plane(), n = blockIdx.z, side = LARGEST / faces[n].factor, blocks = side / 8 * (side / 8);
    float *own = numbers + n * NUMBERS;
    if (role < 64) {
        const uint16 *corner = lumas + (n * HALF + role / 8 * 16) * HALF + role % 8 * 16;
        float total = 0.0f;
        for (int y = 0; y < 16; ++y)
            for (int x = 0; x < 16; ++x) total += from_half(corner[y * HALF + x]);
        own[role] = total / 256.0f;
    } else if (role < 104) {
        int moment = role - MEASURES, lines = side - down_of(moment % 20), columns = side - abs(right_of(moment % 20));
        double total = 0.0;
        for (int x = 0; x < columns; ++x) total += measured[n].differences[moment][x];
        own[role] = (float)(total / (lines * columns));
    } else if (role == 104) {
        double sum = 0.0, squares = 0.0;
        for (int x = 0; x < side; ++x) {
            sum += measured[n].sums[0][x];
            squares += measured[n].sums[1][x];
        }
        double mean = sum / (side * side), variance = squares / (side * side) - mean * mean;
        own[MEASURES + 52] = (float)sqrt(fmax(variance, 0.0));
        own[MEASURES + 53] = (float)mean;
    } else if (role < 108) {
        double share = role == 105 ? 0.05 : role == 106 ? 0.15 : 0.4;
        steepness_of(measured[n], blocks, max(1, (int)(share * blocks)), own + MEASURES + 54 + 3 * (role - 105));
    } else if (role == 108) {
        for (int i = 0; i < blocks; ++i)
            if (measured[n].rank[i] == (int)(0.05 * blocks)) own[MEASURES + 63] = measured[n].contrast[i];
    } else if (role == 109 || role == 110) {
        double total = 0.0, lost = 0.0;
        for (int i = 0; i < side; ++i) {
            total += measured[n].variation[role - 109][0][i];
            lost += measured[n].variation[role - 109][1][i];
        }
        own[MEASURES + 64 + role - 109] = total > 0.0 ? (float)(1.0 - lost / total) : 1.0f;
    }
}
