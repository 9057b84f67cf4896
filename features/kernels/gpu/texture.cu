// Co-occurrence counts in shared memory, and Haralick's features of them in the same block.

#include "common.cuh"

const int OUTSIDE = 255, FEATURES = 13, LARGEST = 64;  // 2 * LARGEST - 1 sums of two levels

// A thread a pixel: its level from 0 in its cell, + n_levels in the nucleus if there are two parts.
KERNEL encode(
    const Pixel* plane, const int* cells, const int* nuclei, i64 n_pixels, const i64* cuts, i64 n_levels, i64 n_parts,
    u8* codes
) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= n_pixels) return;
    int label = cells[place];
    if (label == 0) {
        codes[place] = OUTSIDE;
        return;
    }
    const i64* mine = cuts + (label - 1) * (n_levels - 1);
    int low = 0, high = int(n_levels) - 1;  // the number of cuts below the value is between these
    while (low < high) {
        int middle = (low + high) / 2;
        if (mine[middle] < plane[place]) low = middle + 1;
        else high = middle;
    }
    codes[place] = low + (n_parts == 2 && nuclei[place] ? int(n_levels) : 0);
}

// The sums that the features are computed from. The counts of x, of x + y and of |x - y| stand in shared memory.
struct Tables {
    u64 margin[LARGEST], plus[2 * LARGEST], minus[LARGEST];
};

__device__ double c_log_c(u64 count) { return count ? double(count) * log2(double(count)) : 0.0; }

// Pairs of level i and j among those of the parts [first, end), either part with either.
__device__ u64 pairs(const u32* counts, int size, int n, int first, int end, int i, int j) {
    u64 sum = 0;
    for (int a = first; a < end; a++)
        for (int b = first; b < end; b++) sum += counts[(a * n + i) * size + b * n + j];
    return sum;
}

__device__ double entropy(u64 mine, u64 total) { return (c_log_c(total) - block_sum(c_log_c(mine))) / double(total); }

// Sum of k counts[k] and of k^2 counts[k] over the block; a thread a bin.
__device__ void power_sums(u64 count, i64* first, i64* second) {
    i64 k = threadIdx.x;
    *first = block_sum(k * i64(count));
    *second = block_sum(k * k * i64(count));
}

__device__ void formulas(const Tables& tables, int n, u64 squares, double joint, double* out) {
    int k = threadIdx.x;
    u64 margin = k < n ? tables.margin[k] : 0, minus = k < n ? tables.minus[k] : 0;
    u64 plus = k < 2 * n - 1 ? tables.plus[k] : 0;
    u64 total = block_sum(margin);
    if (total == 0) {
        if (k < FEATURES) out[k] = nan("");
        return;
    }
    i64 sum_first, sum_second, difference_first, difference_second, first, second, all = i64(total);
    power_sums(plus, &sum_first, &sum_second);
    power_sums(minus, &difference_first, &difference_second);
    power_sums(margin, &first, &second);
    double area = double(total) * double(total);
    i64 variance = all * second - first * first;
    double inverse = block_sum(double(minus) / (1.0 + double(k) * k));
    double of_pair = (c_log_c(total) - joint) / double(total), of_level = entropy(margin, total);
    double of_sum = entropy(plus, total), of_difference = entropy(minus, total);
    if (k) return;
    out[0] = double(squares) / area;
    out[1] = double(difference_second) / double(total);
    out[2] = variance ? double(all * (sum_second - 2 * second) - 2 * first * first) / double(2 * variance) : 1.0;
    out[3] = double(variance) / area;
    out[4] = inverse / double(total);
    out[5] = double(sum_first) / double(total) + 2;  // levels count from 1
    out[6] = double(all * sum_second - sum_first * sum_first) / area;
    out[7] = of_sum;
    out[8] = of_pair;
    out[9] = double(all * difference_second - difference_first * difference_first) / area;
    out[10] = of_difference;
    out[11] = variance ? (of_pair - 2 * of_level) / of_level : 0.0;
    out[12] = sqrt(max(0.0, 1 - exp(-2 * (2 * of_level - of_pair))));
}

// f1 to f13 of the symmetric co-occurrence matrix of the parts [first, end).
__device__ void describe(const u32* counts, int size, int n, int first, int end, double* out) {
    __shared__ Tables tables;
    u64* cleared = (u64*)&tables;
    for (int k = threadIdx.x; k < int(sizeof(Tables) / sizeof(u64)); k += blockDim.x) cleared[k] = 0;
    __syncthreads();
    u64 squares = 0;
    double joint = 0;
    for (int k = threadIdx.x; k < n * n; k += blockDim.x) {
        int i = k / n, j = k % n;
        if (j < i) continue;
        u64 count = pairs(counts, size, n, first, end, i, j) + pairs(counts, size, n, first, end, j, i);
        if (count == 0) continue;
        u64 times = i == j ? 1 : 2;  // (i, j) and (j, i)
        atomicAdd(&tables.margin[i], count);
        if (i != j) atomicAdd(&tables.margin[j], count);
        atomicAdd(&tables.plus[i + j], times * count);
        atomicAdd(&tables.minus[j - i], times * count);
        squares += times * count * count;
        joint += times * c_log_c(count);
    }
    __syncthreads();
    squares = block_sum(squares);
    joint = block_sum(joint);
    formulas(tables, n, squares, joint, out);
    __syncthreads();
}

// A block a cell, distance and direction (right, down-right, down, down-left).
KERNEL haralick(
    const u8* codes, const int* labels, i64 height, i64 width, const int* field, const int* boxes, i64 n_levels,
    i64 n_parts, const i64* distances, i64 n_distances, double* out
) {
    extern __shared__ u32 counts[];
    int direction = blockIdx.x % 4, k = blockIdx.x / 4 % n_distances, cell = blockIdx.x / (4 * n_distances);
    int n = n_levels, size = n_parts * n, step = distances[k];
    for (int c = threadIdx.x; c < size * size; c += blockDim.x) counts[c] = 0;
    __syncthreads();
    Box box(boxes + 4 * cell);
    i64 corner = (field[cell] * height + box.top) * width + box.left;
    int down = direction == 0 ? 0 : step, across = direction == 2 ? 0 : direction == 3 ? -step : step;
    for (int p = threadIdx.x; p < box.size(); p += blockDim.x) {
        int y = p / box.width, x = p % box.width;
        if (y + down >= box.height || x + across < 0 || x + across >= box.width) continue;
        i64 here = corner + y * width + x, there = here + down * width + across;
        if (labels[here] != cell + 1 || labels[there] != cell + 1) continue;
        atomicAdd(&counts[codes[here] * size + codes[there]], 1u);
    }
    __syncthreads();
    i64 n_compartments = n_parts == 1 ? 1 : 3;
    for (int c = 0; c < n_compartments; c++) {
        double* mine = out + (((cell * n_compartments + c) * n_distances + k) * 4 + direction) * FEATURES;
        int first = c == 1 ? 1 : 0, end = c == 2 ? 1 : int(n_parts);  // whole cell, nucleus, cytoplasm
        describe(counts, size, n, first, end, mine);
    }
}
