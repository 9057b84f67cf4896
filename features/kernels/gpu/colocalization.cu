// Sums over pairs of channels: a table from value to ranks, made once for each cell and channel, serves all pairs.

#include "common.cuh"

const int VALUES = 1 << (8 * sizeof(Pixel)), LEVELS = 8, CHANNELS = 4, PAIRS = 6, PROTEIN_PAIRS = 3;
__constant__ int FIRST[PAIRS] = {1, 1, 1, 0, 0, 2}, SECOND[PAIRS] = {0, 2, 3, 2, 3, 3};  // the protein's three first

// What a value is in a cell: its pixels, their middle rank (doubled, from the mean), dense rank and level.
struct Rank {
    int count, centred;
    u16 dense, level;
};

// Pixels and different values below the part [first, end) of a table that belongs to this thread's warp.
__device__ void count_below(const Rank* table, int first, int end, i64* pixels, i64* different) {
    __shared__ i64 of_warp[2][33];
    i64 mine[2] = {0, 0};
    for (int value = first + warp_lane(); value < end; value += 32) {
        mine[0] += table[value].count;
        mine[1] += table[value].count > 0;
    }
    for (int k = 0; k < 2; k++) {
        for (int step = 16; step > 0; step /= 2) mine[k] += __shfl_down_sync(0xffffffffu, mine[k], step);
        if (warp_lane() == 0) of_warp[k][threadIdx.x / 32 + 1] = mine[k];
    }
    __syncthreads();
    if (threadIdx.x < 2) {
        i64* sums = of_warp[threadIdx.x];
        sums[0] = 0;
        for (unsigned warp = 1; warp <= blockDim.x / 32; warp++) sums[warp] += sums[warp - 1];
    }
    __syncthreads();
    *pixels = of_warp[0][threadIdx.x / 32];
    *different = of_warp[1][threadIdx.x / 32];
}

// Fills a channel's table up to its maximum, from which it gives the six sums of the channel.
__device__ void rank_values(const Pixel* values, i64 size, double share, Rank* table, double* sums) {
    int top = 0;
    for (i64 k = threadIdx.x; k < size; k += blockDim.x) top = max(top, int(values[k]));
    top = block_max(top, 0);
    for (int value = threadIdx.x; value <= top; value += blockDim.x) table[value].count = 0;
    __syncthreads();
    for (i64 k = threadIdx.x; k < size; k += blockDim.x) atomicAdd(&table[values[k]].count, 1);
    __syncthreads();
    int part = (top / int(blockDim.x) + 1) * 32, first = int(threadIdx.x) / 32 * part, end = min(first + part, top + 1);
    i64 before, different, total = 0, squares = 0, above = 0;
    count_below(table, first, end, &before, &different);
    double lit = ceil(share * top), ranks_squared = 0;
    for (int from = first; from < end; from += 32) {
        i64 value = from + warp_lane(), count = value < end ? table[value].count : 0, upto = count;
        unsigned there = __ballot_sync(0xffffffffu, count > 0);
        if (there == 0) continue;
        for (int step = 1; step < 32; step *= 2) {
            i64 other = __shfl_up_sync(0xffffffffu, upto, step);
            upto += warp_lane() >= step ? other : 0;
        }
        i64 middle = 2 * (before + upto) - count, rank = different + __popc(there & ((1u << warp_lane()) - 1));
        before += __shfl_sync(0xffffffffu, upto, 31);
        different += __popc(there);
        if (count == 0) continue;
        table[value].centred = int(middle - size);
        table[value].dense = u16(rank);
        table[value].level = u16(LEVELS * middle / (2 * size));
        ranks_squared += double(count) * double(middle - size) * double(middle - size);
        total += count * value;
        squares += count * value * value;
        above += value >= lit ? count * value : 0;
    }
    different = block_max(different, i64(0));
    i64 whole[3] = {total, squares, above};
    for (int k = 0; k < 3; k++) whole[k] = block_sum(whole[k]);
    ranks_squared = block_sum(ranks_squared);
    if (threadIdx.x) return;
    sums[0] = top;
    for (int k = 0; k < 3; k++) sums[1 + k] = double(whole[k]);
    sums[4] = double(different);
    sums[5] = ranks_squared;
}

// The nine sums of a pair, and the counts of its pairs of levels if they are wanted.
__device__ void add_pair(
    const Pixel* x, const Pixel* y, i64 size, const Rank* of_x, const Rank* of_y, double lit_x, double lit_y,
    u32* joint, double* out
) {
    u64 sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    double ranks = 0;
    for (i64 k = threadIdx.x; k < size; k += blockDim.x) {
        u64 a = x[k], b = y[k];
        const Rank &r = of_x[a], &s = of_y[b];
        sums[0] += a * b;
        ranks += double(r.centred) * double(s.centred);
        if (joint) atomicAdd(&joint[r.level * LEVELS + s.level], 1u);
        if (double(a) < lit_x || double(b) < lit_y) continue;
        u64 apart = r.dense > s.dense ? r.dense - s.dense : s.dense - r.dense;
        sums[1] += a;
        sums[2] += b;
        sums[3] += a * a;
        sums[4] += b * b;
        sums[5] += a * b;
        sums[6] += a * apart;
        sums[7] += b * apart;
    }
    for (int k = 0; k < 8; k++) {
        u64 all = block_sum(sums[k]);
        if (threadIdx.x == 0) out[k] = double(all);
    }
    ranks = block_sum(ranks);
    if (threadIdx.x == 0) out[8] = ranks;
}

__device__ double c_log_c(u32 count) { return count ? double(count) * log(double(count)) : 0.0; }

// Mutual information over the mean of both entropies.
__device__ void describe_levels(const u32* joint, double size, double* out) {
    u32 k = threadIdx.x, row = 0, column = 0;
    for (int other = 0; k < LEVELS && other < LEVELS; other++) {
        row += joint[k * LEVELS + other];
        column += joint[other * LEVELS + k];
    }
    double both = block_sum(k < LEVELS * LEVELS ? c_log_c(joint[k]) : 0.0);
    double first = block_sum(c_log_c(row)), second = block_sum(c_log_c(column)), all = size * log(size);
    double entropies = 2 * all - first - second, shared = max(all + both - first - second, 0.0);
    if (k == 0) *out = entropies > 1e-9 * size ? 2 * shared / entropies : nan("");
}

// Blocks take the cells in turn. Tables of 8-bit values are in shared memory, others in a piece of `scratch` a block.
KERNEL pair_sums(
    const Pixel* values_0, const Pixel* values_1, const Pixel* values_2, const Pixel* values_3, const i64* offsets,
    i64 n, double share, Rank* scratch, double* channels, double* pairs, double* information
) {
    __shared__ Rank near[sizeof(Pixel) == 1 ? CHANNELS * VALUES : 1];
    __shared__ u32 joint[LEVELS * LEVELS];
    Rank* table = sizeof(Pixel) == 1 ? near : scratch + i64(blockIdx.x) * CHANNELS * VALUES;
    const Pixel* values[CHANNELS] = {values_0, values_1, values_2, values_3};
    for (i64 cell = blockIdx.x; cell < n; cell += gridDim.x) {
        i64 first = offsets[cell], size = offsets[cell + 1] - first;
        if (size == 0) continue;
        double* mine = channels + cell * CHANNELS * 6;
        for (int c = 0; c < CHANNELS; c++)
            rank_values(values[c] + first, size, share, table + c * VALUES, mine + c * 6);
        for (int p = 0; p < PAIRS; p++) {
            bool counted = p < PROTEIN_PAIRS;
            if (threadIdx.x < LEVELS * LEVELS) joint[threadIdx.x] = 0;
            __syncthreads();  // also for the tables and `mine`
            int x = FIRST[p], y = SECOND[p];
            add_pair(
                values[x] + first, values[y] + first, size, table + x * VALUES, table + y * VALUES,
                ceil(share * mine[x * 6]), ceil(share * mine[y * 6]), counted ? joint : nullptr,
                pairs + (cell * PAIRS + p) * 9
            );
            if (counted) describe_levels(joint, double(size), information + cell * PROTEIN_PAIRS + p);
            __syncthreads();
        }
    }
}
