// Grey-level bands of regions, and how many neighbours of a pixel share its side of a band.

#include "common.cuh"

const int BINS = 256, BANDS = 6, SHARES = 9, COUNTERS = 2 * BANDS * SHARES;
const int ROWS = 32, COLUMNS = 30;  // of a warp's window: its first and last lanes are neighbours only

// Otsu's threshold, as on the CPU; a thread a bin.
__device__ i64 otsu(const Pixel* values, i64 n) {
    __shared__ u32 histogram[BINS];
    int k = threadIdx.x, low = 65535, high = 0, shift = 0;
    for (i64 p = k; p < n; p += blockDim.x) {
        low = min(low, int(values[p]));
        high = max(high, int(values[p]));
    }
    low = block_min(low, 65535);
    high = block_max(high, 0);
    while ((high - low) >> shift >= BINS) shift++;
    histogram[k] = 0;
    __syncthreads();
    for (i64 p = k; p < n; p += blockDim.x) atomicAdd(&histogram[(values[p] - low) >> shift], 1u);
    __syncthreads();
    i64 below = 0, below_sum = 0, total = block_sum(k * i64(histogram[k]));
    for (int j = 0; j <= k; j++) {
        below += histogram[j];
        below_sum += j * i64(histogram[j]);
    }
    double between = -1;
    if (below > 0 && below < n) {
        double gap = double(below_sum) / double(below) - double(total - below_sum) / double(n - below);
        between = double(below) * double(n - below) * gap * gap;
    }
    double best = block_max(between, -1.0);
    int first = block_min(between == best ? k : BINS, BINS);
    return low + (i64(first + 1) << shift) - 1;
}

// The bands of the values above a threshold; a threshold that none exceeds leaves them empty.
__device__ void limits(const Pixel* values, i64 n, i64 above, int* out) {
    i64 count = 0, sum = 0, squares = 0;
    for (i64 p = threadIdx.x; p < n; p += blockDim.x) {
        i64 value = values[p];
        if (value <= above) continue;
        count++;
        sum += value;
        squares += value * value;
    }
    count = block_sum(count);
    sum = block_sum(sum);
    squares = block_sum(squares);
    if (threadIdx.x) return;
    double mean = double(sum) / double(count), sd = sqrt(max(0.0, double(squares) / double(count) - mean * mean));
    int low = count ? int(floor(mean - sd)) + 1 : 0;
    out[0] = out[2] = low;
    out[1] = count ? int(ceil(mean + sd)) - 1 : -1;
    out[4] = count ? int(floor(mean)) + 1 : 0;
    out[3] = out[5] = count ? 65535 : -1;
}

// A block a region, with a thread for each bin of a histogram.
KERNEL bands(const Pixel* values, const i64* offsets, int* out) {
    const Pixel* mine = values + offsets[blockIdx.x];
    i64 n = offsets[blockIdx.x + 1] - offsets[blockIdx.x], threshold = otsu(mine, n);
    limits(mine, n, threshold, out + 2 * BANDS * i64(blockIdx.x));
    limits(mine, n, -1, out + 2 * BANDS * i64(blockIdx.x) + BANDS);
}

// Six bands and the region itself in the bytes of a word, so that one sum over 3 x 3 pixels counts all of them.
struct Limits {
    int low[BANDS], high[BANDS];
    __device__ u64 word(int value) const {
        u64 word = 1ull << 8 * BANDS;
        for (int t = 0; t < BANDS; t++) word |= u64(value >= low[t] && value <= high[t]) << 8 * t;
        return word;
    }
};

// Counts a pixel, given the sum of the words of its 3 x 3 pixels; each lane has counters of its own.
__device__ void count(u64 word, u64 near, u32* counts) {
    int region = int(near >> 8 * BANDS);
    for (int t = 0; t < BANDS; t++) {
        int on = word >> 8 * t & 1, same = near >> 8 * t & 255;
        int code = on ? t * SHARES + same : (BANDS + t) * SHARES + region - same;
        atomicAdd(&counts[32 * (code - 1) + warp_lane()], 1u);  // the pixel itself is no neighbour
    }
}

// A block a region, whose warps go down windows of its box, a thread a column.
KERNEL adjacency(
    const Pixel* pixels, i64 n_channels, i64 channel, const int* labels, i64 height, i64 width, const int* field,
    const int* boxes, const int* band, i64* out
) {
    __shared__ u32 counts[32 * COUNTERS];
    for (int k = threadIdx.x; k < 32 * COUNTERS; k += blockDim.x) counts[k] = 0;
    __syncthreads();
    i64 region = blockIdx.x;
    Box box(boxes + 4 * region);
    i64 corner = box.top * width + box.left;
    const int* mine = labels + field[region] * height * width + corner;
    const Pixel* plane = pixels + (field[region] * n_channels + channel) * height * width + corner;
    Limits limits;
    for (int t = 0; t < BANDS; t++) {
        limits.low[t] = band[2 * (BANDS * region + t)];
        limits.high[t] = band[2 * (BANDS * region + t) + 1];
    }
    int across = (box.width + COLUMNS - 1) / COLUMNS, n_windows = across * ((box.height + ROWS - 1) / ROWS);
    for (int window = threadIdx.x / 32; window < n_windows; window += blockDim.x / 32) {
        int x = window % across * COLUMNS - 1 + warp_lane(), first = window / across * ROWS;
        bool counted = warp_lane() > 0 && warp_lane() <= COLUMNS;
        u64 above = 0, here = 0, word = 0;  // sums over three columns of the two rows before, and the pixel's word
        for (int y = first - 1; y <= first + ROWS; y++) {
            bool there = y >= 0 && y < box.height && x >= 0 && x < box.width && mine[y * width + x] == region + 1;
            u64 next = there ? limits.word(plane[y * width + x]) : 0;
            u64 row = next + __shfl_up_sync(0xffffffffu, next, 1) + __shfl_down_sync(0xffffffffu, next, 1);
            if (counted && word && y > first) count(word, above + here + row, counts);
            above = here;
            here = row;
            word = next;
        }
    }
    __syncthreads();
    for (int k = threadIdx.x; k < COUNTERS; k += blockDim.x) {
        i64 sum = 0;
        for (int lane = 0; lane < 32; lane++) sum += counts[32 * k + (k + lane) % 32];
        out[COUNTERS * region + k] = sum;
    }
}
