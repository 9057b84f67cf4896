// Distances in stacks of masks by steps between pixels, and the typical radius of blobs.

#include "common.cuh"

const int STRAIGHT = 5, DIAGONAL = 7, KNIGHT = 11, FURTHEST_STEP = 8191;  // 5 units a px

// The least value of all threads up to each one, and of all.
__device__ int least_so_far(int mine, int* of_all) {
    __shared__ int of_warp[32];
    for (int step = 1; step < 32; step *= 2) {
        int other = __shfl_up_sync(0xffffffffu, mine, step);
        if (warp_lane() >= step) mine = min(mine, other);
    }
    if (warp_lane() == 31) of_warp[threadIdx.x / 32] = mine;
    __syncthreads();
    int all = of_warp[0];
    for (unsigned warp = 0; warp < blockDim.x / 32; warp++) {
        if (warp < threadIdx.x / 32) mine = min(mine, of_warp[warp]);
        all = min(all, of_warp[warp]);
    }
    __syncthreads();
    *of_all = all;
    return mine;
}

// The distances of one field in the order of a sweep: from its first pixel on, or from its last one back.
struct Sweep {
    u16* distance;
    i64 height, width;
    bool back;

    __device__ u16& at(i64 y, i64 x) const {
        return distance[back ? (height - 1 - y) * width + width - 1 - x : y * width + x];
    }
    __device__ int near(i64 y, i64 x) const {
        return y < 0 || x < 0 || x >= width ? FURTHEST_STEP : at(y, x);
    }
    // The distance of a pixel over the two rows before its own.
    __device__ int over_rows(i64 y, i64 x) const {
        int straight = near(y - 1, x) + STRAIGHT;
        int diagonal = min(near(y - 1, x - 1), near(y - 1, x + 1)) + DIAGONAL;
        int wide = min(near(y - 1, x - 2), near(y - 1, x + 2));
        int steep = min(near(y - 2, x - 1), near(y - 2, x + 1));
        return min(min(straight, diagonal), min(min(wide, steep) + KNIGHT, FURTHEST_STEP));
    }
};

// Rows one after the other, a thread a pixel: over the rows before, then along the row by the least so far.
__device__ void run(const Sweep& sweep) {
    for (i64 y = 0; y < sweep.height; y++) {
        int before = FURTHEST_STEP + STRAIGHT;
        for (i64 first = 0; first < sweep.width; first += blockDim.x) {
            i64 x = first + threadIdx.x;
            bool there = x < sweep.width;
            int mine = there ? min(int(sweep.at(y, x)), sweep.over_rows(y, x)) : FURTHEST_STEP, all;
            int slope = STRAIGHT * int(x);
            mine = min(least_so_far(mine - slope, &all), before) + slope;
            before = min(before, all);
            if (there) sweep.at(y, x) = u16(mine);
        }
        __syncthreads();
    }
}

// A block a field.
KERNEL distances(const u8* masks, i64 height, i64 width, u16* out) {
    i64 area = height * width;
    const u8* mask = masks + blockIdx.x * area;
    u16* distance = out + blockIdx.x * area;
    for (i64 k = threadIdx.x; k < area; k += blockDim.x) distance[k] = mask[k] ? FURTHEST_STEP : 0;
    __syncthreads();
    run(Sweep{distance, height, width, false});
    run(Sweep{distance, height, width, true});
}

KERNEL halve(const u8* masks, i64 height, i64 width, i64 out_height, i64 out_width, i64 n, u8* out) {
    StackPlace at(out_height, out_width);
    if (at.place >= n) return;
    int count = 0;
    for (i64 v = 2 * at.y; v < min(2 * at.y + 2, height); v++)
        for (i64 u = 2 * at.x; u < min(2 * at.x + 2, width); u++)
            count += masks[(at.field * height + v) * width + u];
    out[at.place] = count >= 2;
}

// Whether no pixel in the 5 x 5 around one exceeds it.
__device__ bool is_peak(const u16* distance, i64 height, i64 width, i64 y, i64 x) {
    for (i64 v = max(y - 2, i64(0)); v < min(y + 3, height); v++)
        for (i64 u = max(x - 2, i64(0)); u < min(x + 3, width); u++)
            if (distance[v * width + u] > distance[y * width + x]) return false;
    return true;
}

// A block a field: the peak at which half of all squares of peaks is reached.
KERNEL typical_radius(const u16* distances, i64 height, i64 width, u32* all_peaks, double* out) {
    const u16* distance = distances + blockIdx.x * height * width;
    u32* peaks = all_peaks + blockIdx.x * (FURTHEST_STEP + 1);
    i64 squares = 0, greatest = 0;
    for (i64 k = threadIdx.x; k < height * width; k += blockDim.x) {
        i64 here = distance[k];
        greatest = max(greatest, here);
        if (here <= STRAIGHT || !is_peak(distance, height, width, k / width, k % width)) continue;
        atomicAdd(&peaks[here], 1u);
        squares += here * here;
    }
    i64 total = block_sum(squares), level = block_max(greatest, i64(0));
    if (threadIdx.x) return;
    if (total) {
        level = 0;
        for (i64 below = 0; 2 * below < total; below += peaks[level] * level * level) level++;
    }
    out[blockIdx.x] = double(2 * max(level, i64(STRAIGHT))) / STRAIGHT;
}
