// Bright objects in packed crops of cells: thresholds for each cell, and the connected parts above them.

#include "common.cuh"

const int BINS = 256, PARTS = 3, LENGTH = 9;  // cytoplasm, nucleus, both; sums of an object

// What Otsu's method needs of one part of a cell.
struct Level {
    i64 n;
    double total, low, high, scale;
};

__device__ void find_extremes(const float* values, const u8* parts, i64 size, Level* levels) {
    for (int part = 0; part < 2; part++) {
        Level mine = {0, 0, FURTHEST, -FURTHEST, 0};
        for (i64 k = threadIdx.x; k < size; k += blockDim.x) {
            if (parts[k] != part + 1) continue;
            mine.n++;
            mine.total += values[k];
            mine.low = min(mine.low, double(values[k]));
            mine.high = max(mine.high, double(values[k]));
        }
        levels[part] = {
            block_sum(mine.n), block_sum(mine.total), block_min(mine.low, FURTHEST), block_max(mine.high, -FURTHEST), 0
        };
    }
    const Level &a = levels[0], &b = levels[1];
    levels[2] = {a.n + b.n, a.total + b.total, min(a.low, b.low), max(a.high, b.high), 0};
    for (int part = 0; part < PARTS; part++) {
        Level& level = levels[part];
        double range = level.high - level.low;
        if (level.n && range > 1e-5 * abs(level.high)) level.scale = BINS / range;
    }
}

// The last bin of the lower class, and the explained share of the variance.
__device__ int otsu(const u32* histogram, i64 n, double* explained) {
    i64 total = 0, squares = 0;
    for (i64 bin = 0; bin < BINS; bin++) {
        total += histogram[bin] * bin;
        squares += histogram[bin] * bin * bin;
    }
    double between, mean = double(total) / double(n);
    int at = otsu_level(histogram, BINS, &between);
    *explained = between / (double(squares) / double(n) - mean * mean);
    return at;
}

__device__ void count_bin(u32* histogram, const Level& level, double value) {
    atomicAdd(&histogram[min(BINS - 1, int((value - level.low) * level.scale))], 1u);
}

// A block a cell; at the end a thread a part.
KERNEL thresholds(const float* values, const u8* parts, const i64* starts, i64 n, double* out) {
    __shared__ u32 histograms[PARTS * BINS];
    i64 start = starts[blockIdx.x], size = starts[blockIdx.x + 1] - start;
    for (int k = threadIdx.x; k < PARTS * BINS; k += blockDim.x) histograms[k] = 0;
    Level levels[PARTS];
    find_extremes(values + start, parts + start, size, levels);
    for (i64 k = start + threadIdx.x; k < start + size; k += blockDim.x) {
        if (parts[k] == 0) continue;
        count_bin(histograms + (parts[k] - 1) * BINS, levels[parts[k] - 1], values[k]);
        count_bin(histograms + 2 * BINS, levels[2], values[k]);
    }
    __syncthreads();
    int part = threadIdx.x;
    if (part >= PARTS || levels[part].n == 0) return;
    const Level& level = levels[part];
    double* mine = out + ((part + 1) * n + blockIdx.x) * 4;
    mine[0] = mine[3] = level.high;
    mine[2] = level.total / double(level.n);
    if (level.scale > 0) {
        int at = otsu(histograms + part * BINS, level.n, &mine[1]);
        mine[0] = level.low + (at + 1) * (level.high - level.low) / BINS;
    }
}

// Joins a pixel with those before it in its 8 neighbours; what these join among themselves is left to them.
__device__ void join_before(volatile int* parents, int k, int width) {
    int x = k % width;
    bool first = x == 0, last = x == width - 1, top = k < width;
    if (!top && parents[k - width] >= 0) return join(parents, k, k - width);
    if (!first && parents[k - 1] >= 0) join(parents, k, k - 1);
    else if (!first && !top && parents[k - width - 1] >= 0) join(parents, k, k - width - 1);
    if (!last && !top && parents[k - width + 1] >= 0) join(parents, k, k - width + 1);
}

// A block a set and cell: each pixel above the level gets the first pixel of its part, others -1; and areas there.
KERNEL label_parts(
    const float* values, const u8* parts, const i64* starts, const int* boxes, i64 n, const u8* wanted,
    const double* level, const double* smallest, int* roots, int* areas, i64* counts
) {
    i64 set = blockIdx.x / n, cell = blockIdx.x % n, start = starts[cell], first = set * starts[n] + start;
    int size = int(starts[cell + 1] - start), width = Box(boxes + 4 * cell).width;
    volatile int* mine = roots + first;
    int* area = areas + first;
    float least = float(level[blockIdx.x]);
    for (int k = threadIdx.x; k < size; k += blockDim.x) {
        mine[k] = values[start + k] > least && (parts[start + k] & wanted[set]) ? k : -1;
        area[k] = 0;
    }
    __syncthreads();
    for (int k = threadIdx.x; k < size; k += blockDim.x)
        if (mine[k] >= 0) join_before(mine, k, width);
    __syncthreads();
    for (int k = threadIdx.x; k < size; k += blockDim.x) {
        if (mine[k] < 0) continue;
        int root = root_of(mine, k);
        mine[k] = root;
        atomicAdd(&area[root], 1);
    }
    __syncthreads();
    i64 count = 0;
    for (int k = threadIdx.x; k < size; k += blockDim.x) count += mine[k] == k && area[k] >= smallest[cell];
    count = block_sum(count);
    if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

// A block a set and cell, which lists its objects in the order of their first pixels.
KERNEL list_objects(
    const i64* starts, i64 n, const double* smallest, const int* roots, const int* areas, const i64* offsets,
    i64* owner, int* firsts
) {
    i64 set = blockIdx.x / n, cell = blockIdx.x % n, first = set * starts[n] + starts[cell], next = offsets[blockIdx.x];
    int size = int(starts[cell + 1] - starts[cell]);
    for (int from = 0; from < size; from += blockDim.x) {
        int k = from + threadIdx.x, total;
        bool there = k < size && roots[first + k] == k && areas[first + k] >= smallest[cell];
        int rank = block_rank(there, &total);
        if (there) {
            owner[next + rank] = blockIdx.x;
            firsts[next + rank] = k;
        }
        next += total;
    }
}

// What a pixel adds to its object's Euler number: only some first pixels of edges and vertices do not cancel.
__device__ int euler_at(const int* roots, int k, int width) {
    int x = k % width;
    bool top = k < width, north = !top && roots[k - width] >= 0, west = x > 0 && roots[k - 1] >= 0;
    bool north_west = !top && x > 0 && roots[k - width - 1] >= 0;
    bool north_east = !top && x < width - 1 && roots[k - width + 1] >= 0;
    return north ? 0 : int(!west && !north_west) - int(north_east);
}

// A block an object: goes on from its first pixel until all are found.
KERNEL add_up(
    const float* values, const i64* starts, const int* field, const int* boxes, i64 n, const float* outside,
    const float* inside, i64 height, i64 width, const int* roots, const int* areas, const i64* owner,
    const int* firsts, i64* euler, double* sums
) {
    i64 set = owner[blockIdx.x] / n, cell = owner[blockIdx.x] % n, crop = set * starts[n] + starts[cell];
    Box box(boxes + 4 * cell);
    i64 corner = (field[cell] * height + box.top) * width + box.left;
    const int *mine = roots + crop, first = firsts[blockIdx.x], area = areas[crop + first], chunk = 8 * blockDim.x;
    i64 whole[7] = {0, 0, 0, 0, 0, 0, 0};  // area, y, x, yy, yx, xx, Euler's number
    double others[3] = {0, 0, 0};          // of the values, and of both distances
    for (i64 from = first, found = 0; found < area; from += chunk, found = block_sum(whole[0])) {
        for (int k = from + threadIdx.x; k < min(from + chunk, i64(box.size())); k += blockDim.x) {
            if (mine[k] != first) continue;
            i64 y = k / box.width, x = k % box.width;
            i64 added[7] = {1, y, x, y * y, y * x, x * x, euler_at(mine, k, box.width)};
            for (int a = 0; a < 7; a++) whole[a] += added[a];
            others[0] += values[starts[cell] + k];
            others[1] += outside[corner + y * width + x];
            others[2] += inside[corner + y * width + x];
        }
    }
    for (int a = 0; a < 7; a++) {
        i64 all = block_sum(whole[a]);
        if (threadIdx.x == 0 && a < 6) sums[LENGTH * blockIdx.x + a] = double(all);
        if (threadIdx.x == 0 && a == 6) euler[blockIdx.x] = all;
    }
    for (int a = 0; a < 3; a++) {
        double all = block_sum(others[a]);
        if (threadIdx.x == 0) sums[LENGTH * blockIdx.x + 6 + a] = all;
    }
}
