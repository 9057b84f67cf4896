// Statistics of grey values: ranks and Gini from histograms in shared memory, counted a window of values at a time.

#include "common.cuh"

const int STATISTICS = 10;  // besides the quantiles

// The values of one cell in one compartment (0 Cells, 1 Nuclei, 2 Cytoplasm) and channel: up to two lists.
struct Values {
    const Pixel *nuclear, *around;
    i64 n_nuclear, n;
    __device__ int operator[](i64 k) const { return k < n_nuclear ? nuclear[k] : around[k - n_nuclear]; }
};

// Sum of the counts of the threads before this one, and of all.
__device__ i64 before(i64 mine, i64* total) {
    __shared__ i64 of_warp[33];
    i64 sum = mine;
    for (int step = 1; step < 32; step *= 2) {
        i64 other = __shfl_up_sync(0xffffffffu, sum, step);
        if (warp_lane() >= step) sum += other;
    }
    if (warp_lane() == 31) of_warp[threadIdx.x / 32 + 1] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        of_warp[0] = 0;
        for (unsigned warp = 1; warp <= blockDim.x / 32; warp++) of_warp[warp] += of_warp[warp - 1];
    }
    __syncthreads();
    i64 result = of_warp[threadIdx.x / 32] + sum - mine;
    *total = of_warp[blockDim.x / 32];
    __syncthreads();
    return result;
}

// The bin of a grey value above the lowest, or of the deviation from a centre (in half bins), in steps of whole bins.
struct Above {
    int lowest;
    __device__ int operator()(int value) const { return value - lowest; }
};

struct Away {
    int lowest, doubled;
    __device__ int operator()(int value) const {
        int twice = 2 * (value - lowest);
        return (twice > doubled ? twice - doubled : doubled - twice) / 2;
    }
};

// Where a bin lies: a gap after every 32, so that threads that own 32 bins each read from different banks.
__device__ int slot(int bin) { return bin + bin / 32; }

// Counts the values whose bins are start ... start + size - 1.
template <class Bin> __device__ void count(const Values& values, Bin bin_of, int start, int size, u32* counts) {
    for (int b = threadIdx.x; b < slot(size); b += blockDim.x) counts[b] = 0;
    __syncthreads();
    for (i64 k = threadIdx.x; k < values.n; k += blockDim.x) {
        int bin = bin_of(values[k]) - start;
        if (bin >= 0 && bin < size) atomicAdd(&counts[slot(bin)], 1u);
    }
    __syncthreads();
}

// Finds the bins of the ranks; gives the sum of counts * value * (2 * below + count - n) over the bins.
template <class Bin> __device__ i64 sweep(
    const Values& values, Bin bin_of, int n_bins, int lowest, u32* counts, int window, const i64* ranks, i64* found,
    int n_ranks
) {
    i64 below = 0, weighted = 0;
    for (int start = 0; start < n_bins; start += window) {
        int size = min(window, n_bins - start);
        count(values, bin_of, start, size, counts);
        int each = (size + blockDim.x - 1) / blockDim.x, first = threadIdx.x * each, end = min(first + each, size);
        i64 mine = 0, total;
        for (int b = first; b < end; b++) mine += counts[slot(b)];
        i64 under = below + before(mine, &total);
        for (int b = first; b < end; b++) {
            i64 here = counts[slot(b)];
            weighted += here * (lowest + start + b) * (2 * under + here - values.n);
            for (int r = 0; here && r < n_ranks; r++)
                if (under <= ranks[r] && ranks[r] < under + here) found[r] = start + b;
            under += here;
        }
        below += total;
        __syncthreads();
    }
    return block_sum(weighted);
}

// Standard deviation, skewness and excess kurtosis.
__device__ void moments(const Values& values, double mean, double* out) {
    double second = 0, third = 0, fourth = 0;
    for (i64 k = threadIdx.x; k < values.n; k += blockDim.x) {
        double deviation = values[k] - mean, square = deviation * deviation;
        second += square;
        third += square * deviation;
        fourth += square * square;
    }
    second = block_sum(second) / double(values.n);
    third = block_sum(third) / double(values.n);
    fourth = block_sum(fourth) / double(values.n);
    if (threadIdx.x) return;
    out[2] = sqrt(second);
    out[6] = third / pow(second, 1.5);
    out[7] = fourth / (second * second) - 3;
}

// Shannon entropy over 256 bins of `coarse` grey values.
__device__ double entropy(const Values& values, int coarse, u32* counts) {
    for (int b = threadIdx.x; b < 256; b += blockDim.x) counts[b] = 0;
    __syncthreads();
    for (i64 k = threadIdx.x; k < values.n; k += blockDim.x) atomicAdd(&counts[values[k] / coarse], 1u);
    __syncthreads();
    double weighted = 0;
    for (int b = threadIdx.x; b < 256; b += blockDim.x) weighted += counts[b] ? counts[b] * log2(double(counts[b])) : 0;
    weighted = block_sum(weighted);
    return (double(values.n) * log2(double(values.n)) - weighted) / double(values.n);
}

// The ranks needed: of the median the lower and the upper, then of each quantile.
__device__ void wanted_ranks(i64 n, const double* percents, int n_percents, i64* ranks) {
    for (int r = threadIdx.x; r <= n_percents; r += blockDim.x) {
        i64 floor = r == 0 ? (n - 1) / 2 : i64(double(n - 1) * (percents[r - 1] / 100));
        ranks[2 * r] = floor;
        ranks[2 * r + 1] = r == 0 ? n / 2 : min(floor + 1, n - 1);
    }
    __syncthreads();
}

// What is read off the ranks; found[0] + found[1] is the doubled median.
__device__ void quantiles(i64 n, int lowest, const double* percents, int n_percents, const i64* found, double* out) {
    for (int p = threadIdx.x; p < n_percents; p += blockDim.x) {
        double rank = double(n - 1) * (percents[p] / 100);
        i64 value = found[2 * p + 2], step = found[2 * p + 3] - value;
        out[STATISTICS + p] = double(lowest + value) + double(step) * (rank - double(i64(rank)));
    }
}

// A block a cell, compartment and channel.
KERNEL summaries(
    const i64* nuclear_offsets, const Pixel* nuclear, i64 all_nuclear, const i64* around_offsets, const Pixel* around,
    i64 all_around, i64 n_channels, const double* percents, i64 n_percents, i64 window, i64 coarse, double* out
) {
    extern __shared__ i64 room[];
    int channel = blockIdx.x % n_channels, part = blockIdx.x / n_channels % 3, cell = blockIdx.x / (3 * n_channels);
    int n_ranks = 2 + 2 * int(n_percents);
    i64 *ranks = room, *found = room + n_ranks;
    u32* counts = (u32*)(room + 2 * n_ranks);
    i64 n_nuclear = part == 2 ? 0 : nuclear_offsets[cell + 1] - nuclear_offsets[cell];
    i64 n_around = part == 1 ? 0 : around_offsets[cell + 1] - around_offsets[cell], n = n_nuclear + n_around;
    const Pixel *in_nucleus = nuclear + channel * all_nuclear, *in_cytoplasm = around + channel * all_around;
    Values values = {in_nucleus + nuclear_offsets[cell], in_cytoplasm + around_offsets[cell], n_nuclear, n};
    double* mine = out + blockIdx.x * (STATISTICS + n_percents);
    if (threadIdx.x == 0) mine[0] = double(n);
    if (n == 0) return;
    int low = 65535, high = 0;
    i64 total = 0;
    for (i64 k = threadIdx.x; k < n; k += blockDim.x) {
        int value = values[k];
        low = min(low, value);
        high = max(high, value);
        total += value;
    }
    low = block_min(low, 65535);
    high = block_max(high, 0);
    total = block_sum(total);
    double mean = double(total) / double(n), information = entropy(values, int(coarse), counts);
    moments(values, mean, mine);
    wanted_ranks(n, percents, int(n_percents), ranks);
    i64 weighted = sweep(values, Above{low}, high - low + 1, low, counts, int(window), ranks, found, n_ranks);
    quantiles(n, low, percents, int(n_percents), found, mine);
    int doubled = int(found[0] + found[1]);
    __syncthreads();
    sweep(values, Away{low, doubled}, high - low + 1, 0, counts, int(window), ranks, found, 2);
    if (threadIdx.x) return;
    mine[1] = mean;
    mine[3] = low;
    mine[4] = high;
    mine[5] = (double(found[0]) + double(found[1]) + doubled % 2) / 2;
    mine[8] = information;
    mine[9] = total ? double(weighted) / double(n * total) : nan("");
}

// Whether one of a pixel's four neighbours in the field has another label.
__device__ bool is_edge(const int* labels, const StackPlace& at, i64 height, i64 width) {
    const int* here = labels + at.place;
    return (at.y > 0 && here[-width] != *here) || (at.y + 1 < height && here[width] != *here) ||
           (at.x > 0 && here[-1] != *here) || (at.x + 1 < width && here[1] != *here);
}

// A thread a pixel, of which few are edges.
KERNEL edge_sums(
    const Pixel* pixels, const int* cells, const int* nuclei, i64 n_channels, i64 height, i64 width, i64 n, u64* out
) {
    StackPlace at(height, width);
    if (at.place >= n || cells[at.place] == 0) return;
    bool of_cell = is_edge(cells, at, height, width), of_nucleus = is_edge(nuclei, at, height, width);
    bool is_nucleus = nuclei[at.place] > 0;
    bool counts[] = {of_cell, of_nucleus && is_nucleus, (of_cell || of_nucleus) && !is_nucleus};
    for (int k = 0; k < 3; k++) {
        if (!counts[k]) continue;
        for (i64 channel = 0; channel < n_channels; channel++) {
            u64 value = pixels[((at.field * n_channels + channel) * height + at.y) * width + at.x];
            u64* sums = out + 3 * ((3 * i64(cells[at.place] - 1) + k) * n_channels + channel);
            atomicAdd(&sums[0], u64(1));
            atomicAdd(&sums[1], value);
            atomicAdd(&sums[2], value * value);
        }
    }
}
