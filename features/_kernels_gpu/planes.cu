// Operations on stacks of planes, each plane with parameters of its own. Most have a thread for each value they give.

#include "common.cuh"

const int LEVELS = 256, BLOCK = 4;  // of a plane on the square-root scale; side of the blocks of local means

__device__ i64 clamped(i64 x, i64 n) { return min(max(x, i64(0)), n - 1); }

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

// The last level of the lower class; the first if several divide equally well.
__device__ int split(const u32* histogram) {
    i64 n = 0, total = 0, below = 0, moment = 0;
    for (i64 level = 0; level < LEVELS; level++) {
        n += histogram[level];
        total += histogram[level] * level;
    }
    double best = -1;
    int at = LEVELS - 1;
    for (int level = 0; level < LEVELS; level++) {
        if (histogram[level] == 0) continue;
        below += histogram[level];
        moment += i64(histogram[level]) * level;
        if (below == n) break;
        double apart = double(total) / double(n) * double(below) - double(moment);
        double between = apart * apart / (double(below) * double(n - below));
        if (between > best) {
            best = between;
            at = level;
        }
    }
    return at;
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
    if (threadIdx.x == 0) out[blockIdx.x] = n < fewest ? LEVELS - 1 : split(histogram);
}

const int BITS = 8 * sizeof(Pixel);  // of a pixel; what is smoothed along rows has 16 bits, a sum of it 32

__device__ u32 rounded(u32 total, int bits) { return (total + (1u << (bits - 1))) >> bits; }

KERNEL smooth_rows(
    const Pixel* planes, i64 height, i64 width, const u32* weights, i64 n_weights, const i64* reaches, i64 n, u16* out
) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    const Pixel* row = planes + (at.place - at.x);
    const u32* weight = weights + at.field * n_weights;
    u32 total = weight[0] * row[at.x];
    for (i64 k = 1; k <= reaches[at.field]; k++)
        total += weight[k] * (u32(row[mirrored(at.x - k, width)]) + row[mirrored(at.x + k, width)]);
    out[at.place] = u16(rounded(total, BITS));
}

KERNEL smooth_columns(
    const u16* along, i64 height, i64 width, const u32* weights, i64 n_weights, const i64* reaches, i64 n, Pixel* out
) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    const u16* column = along + at.field * height * width + at.x;
    const u32* weight = weights + at.field * n_weights;
    u32 total = weight[0] * column[at.y * width];
    for (i64 k = 1; k <= reaches[at.field]; k++) {
        u32 above = column[mirrored(at.y - k, height) * width], below = column[mirrored(at.y + k, height) * width];
        total += weight[k] * (above + below);
    }
    out[at.place] = rounded(total, 32 - BITS);
}

KERNEL look_up(const u8* planes, const u8* tables, i64 area, i64 n, u8* out) {
    StackPlace at(area, 1);
    if (at.place < n) out[at.place] = tables[at.field * LEVELS + planes[at.place]];
}

// Of each block the sum of its masked pixels (even places) and their number (odd places).
KERNEL sum_blocks(
    const u8* planes, const u8* masks, i64 height, i64 width, i64 n_down, i64 n_along, i64 n, int* out
) {
    StackPlace at(n_down, 2 * n_along);
    if (at.place >= n) return;
    i64 first = at.field * height * width, left = at.x / 2 * BLOCK;
    int total = 0;
    for (i64 y = at.y * BLOCK; y < min((at.y + 1) * BLOCK, height); y++)
        for (i64 x = left; x < min(left + BLOCK, width); x++) {
            i64 k = first + y * width + x;
            total += masks[k] * (at.x % 2 ? 1 : planes[k]);
        }
    out[at.place] = total;
}

KERNEL sum_along(const int* sums, i64 n_down, i64 n_along, const i64* reaches, i64 n, int* out) {
    StackPlace at(n_down, 2 * n_along);
    if (at.place >= n) return;
    const int* row = sums + (at.place - at.x);
    i64 reach = 2 * reaches[at.field];
    int total = 0;
    for (i64 u = at.x - reach; u <= at.x + reach; u += 2)
        if (u >= 0 && u < 2 * n_along) total += row[u];
    out[at.place] = total;
}

KERNEL mean_of_squares(const int* along, i64 n_down, i64 n_along, const i64* reaches, i64 n, u8* out) {
    StackPlace at(n_down, n_along);
    if (at.place >= n) return;
    i64 reach = reaches[at.field];
    int total = 0, count = 0;
    for (i64 v = max(at.y - reach, i64(0)); v <= min(at.y + reach, n_down - 1); v++) {
        const int* both = along + ((at.field * n_down + v) * n_along + at.x) * 2;
        total += both[0];
        count += both[1];
    }
    out[at.place] = u8(total / max(count, 1));
}

// Between the middles of blocks, by eighths of a block in either direction.
KERNEL interpolate(const u8* means, i64 n_down, i64 n_along, i64 height, i64 width, i64 n, u8* out) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    i64 across = 2 * BLOCK, below = 2 * at.y + 1 - BLOCK + across, right = 2 * at.x + 1 - BLOCK + across;
    i64 total = across * across / 2;
    for (i64 j = 0; j < 2; j++)
        for (i64 i = 0; i < 2; i++) {
            i64 v = clamped(below / across - 1 + j, n_down), u = clamped(right / across - 1 + i, n_along);
            i64 down = j ? below % across : across - below % across;
            i64 along = i ? right % across : across - right % across;
            total += down * along * means[(at.field * n_down + v) * n_along + u];
        }
    out[at.place] = u8(total / (across * across));
}
