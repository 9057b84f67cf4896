// Brightness of stacks of planes. Most kernels have a thread for each value they give.

#include "common.cuh"

const int LEVELS = 256;  // of a plane on the square-root scale

// The first level at which the counts sum up to a target; all threads of the block call it and get the result.
__device__ i64 level_reached(const u32* counts, i64 n_levels, double target) {
    __shared__ i64 of_chunk[1024];
    __shared__ i64 found;
    i64 length = (n_levels + blockDim.x - 1) / blockDim.x, sum = 0;
    for (i64 level = threadIdx.x * length; level < min((threadIdx.x + 1) * length, n_levels); level++)
        sum += counts[level];
    of_chunk[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        i64 chunk = 0, below = 0;
        while (double(below + of_chunk[chunk]) < target) below += of_chunk[chunk++];
        i64 level = chunk * length;
        while (double(below + counts[level]) < target) below += counts[level++];
        found = level;
    }
    __syncthreads();
    return found;
}

// A block a field: where the background ends, and the level that 0.2 % exceed.
KERNEL find_ends(
    const Pixel* planes, i64 height, i64 width, i64 n_levels, u32* all_levels, u32* all_steps, double* ends
) {
    const Pixel* plane = planes + blockIdx.x * height * width;
    u32 *levels = all_levels + blockIdx.x * n_levels, *steps = all_steps + blockIdx.x * n_levels;
    i64 across = (width + 1) / 2, n = (height + 1) / 2 * across;
    for (i64 k = threadIdx.x; k < n; k += blockDim.x)
        atomicAdd(&levels[plane[k / across * 2 * width + k % across * 2]], 1u);
    __syncthreads();
    i64 darkest = level_reached(levels, n_levels, double(n) * 0.01);
    i64 dark = level_reached(levels, n_levels, double(n) * 0.25);
    i64 high = level_reached(levels, n_levels, double(n) * 0.998);
    i64 pairs = width / 2, mine = 0;
    for (i64 k = threadIdx.x; k < (height + 3) / 4 * pairs; k += blockDim.x) {
        const Pixel* pair = plane + k / pairs * 4 * width + k % pairs * 2;
        if (min(pair[0], pair[1]) > dark) continue;
        atomicAdd(&steps[max(pair[0], pair[1]) - min(pair[0], pair[1])], 1u);
        mine++;
    }
    i64 n_steps = block_sum(mine);
    double noise = 0;
    if (n_steps) {
        i64 lower = level_reached(steps, n_levels, double((n_steps - 1) / 2 + 1));
        i64 upper = level_reached(steps, n_levels, double(n_steps / 2 + 1));
        noise = 1.4826 / sqrt(2.0) * (double(lower + upper) / 2);
    }
    if (threadIdx.x) return;
    ends[2 * blockIdx.x] = double(darkest) + min(4 * noise, double(darkest));
    ends[2 * blockIdx.x + 1] = double(high);
}

KERNEL root_scale(const Pixel* planes, const double* ends, i64 area, i64 n, u8* out) {
    StackPlace at(area, 1);
    if (at.place >= n) return;
    double low = ends[2 * at.field], high = ends[2 * at.field + 1];
    double share = (double(planes[at.place]) - low) / max(high - low, 1.0);
    out[at.place] = u8(255 * sqrt(min(max(share, 0.0), 1.0)));
}

KERNEL shrink(
    const Pixel* planes, i64 height, i64 width, i64 times, i64 out_height, i64 out_width, i64 n, Pixel* out
) {
    StackPlace at(out_height, out_width);
    if (at.place >= n) return;
    const Pixel* plane = planes + at.field * height * width;
    i64 total = times * times / 2;
    for (i64 v = at.y * times; v < (at.y + 1) * times; v++)
        for (i64 u = at.x * times; u < (at.x + 1) * times; u++)
            total += plane[min(v, height - 1) * width + min(u, width - 1)];
    out[at.place] = total / (times * times);
}

KERNEL mean_of_nine(const u8* planes, i64 height, i64 width, i64 n, u8* out) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    int total = 0;
    for (i64 v = at.y - 1; v <= at.y + 1; v++)
        for (i64 u = at.x - 1; u <= at.x + 1; u++)
            total += planes[(at.field * height + mirrored(v, height)) * width + mirrored(u, width)];
    out[at.place] = u8((2 * total + 9) / 18);
}

// A block a field.
KERNEL otsu(const u8* planes, i64 area, i64 above, i64 fewest, i64* out) {
    __shared__ u32 histogram[LEVELS];
    const u8* plane = planes + blockIdx.x * area;
    for (int level = threadIdx.x; level < LEVELS; level += blockDim.x) histogram[level] = 0;
    __syncthreads();
    i64 mine = 0;
    for (i64 k = threadIdx.x; k < area; k += blockDim.x) {
        if (plane[k] <= above) continue;
        atomicAdd(&histogram[plane[k]], 1u);
        mine++;
    }
    i64 n = block_sum(mine);
    double between;
    if (threadIdx.x == 0) out[blockIdx.x] = n < fewest ? LEVELS - 1 : otsu_level(histogram, LEVELS, &between);
}

KERNEL look_up(const u8* planes, const u8* tables, i64 area, i64 n, u8* out) {
    StackPlace at(area, 1);
    if (at.place < n) out[at.place] = tables[at.field * LEVELS + planes[at.place]];
}
