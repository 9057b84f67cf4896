// Points grouped by cell.

#include "common.cuh"

// A block a cell and row of values.
KERNEL sums(const double* values, i64 n_points, const i64* offsets, i64 n, double* out) {
    i64 row = blockIdx.x / n, cell = blockIdx.x % n;
    double sum = 0;
    for (i64 k = offsets[cell] + threadIdx.x; k < offsets[cell + 1]; k += blockDim.x) sum += values[row * n_points + k];
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// The first of the largest values of a cell, `but` left out; -1 if there is none.
__device__ i64 highest(const double* values, i64 first, i64 end, i64 but) {
    i64 mine = end;
    for (i64 k = first + threadIdx.x; k < end; k += blockDim.x)
        if (k != but && (mine == end || values[k] > values[mine])) mine = k;
    double most = block_max(mine < end ? values[mine] : -FURTHEST, -FURTHEST);
    mine = block_min(mine < end && values[mine] == most ? mine : end, end);
    return mine < end ? mine : -1;
}

// A block a cell.
KERNEL two_highest(const double* values, const i64* offsets, i64 n, i64* out) {
    i64 first = offsets[blockIdx.x], end = offsets[blockIdx.x + 1];
    i64 one = highest(values, first, end, -1), two = highest(values, first, end, one);
    if (threadIdx.x) return;
    out[blockIdx.x] = one;
    out[n + blockIdx.x] = two;
}

// A block a cell, a thread a point.
KERNEL nearest_distances(const i64* y, const i64* x, const bool* kept, const i64* offsets, double* out) {
    i64 first = offsets[blockIdx.x], end = offsets[blockIdx.x + 1];
    for (i64 a = first + threadIdx.x; a < end; a += blockDim.x) {
        i64 closest = -1;
        for (i64 b = first; b < end && kept[a]; b++) {
            i64 distance = (y[a] - y[b]) * (y[a] - y[b]) + (x[a] - x[b]) * (x[a] - x[b]);
            if (a != b && kept[b] && (closest < 0 || distance < closest)) closest = distance;
        }
        out[a] = closest < 0 ? nan("") : sqrt(double(closest));
    }
}
