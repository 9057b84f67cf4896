// Local binary patterns in whole numbers: a 16-bit level times the sum of the weights fits 31 bits.

#include "common.cuh"

const int POINTS = 8, BINS = 10;

// A thread a pixel: the half side, up to the largest, of the widest square around it that has one label.
KERNEL inner_depth(const int* labels, i64 n_pixels, i64 height, i64 width, i64 largest, u8* depth) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= n_pixels) return;
    int label = labels[place], reached = 0;
    i64 x = place % width, y = place / width % height;
    i64 room = min(min(min(x, width - 1 - x), min(y, height - 1 - y)), largest);
    bool same = label > 0;
    while (same && reached < room) {
        i64 r = reached + 1;
        for (i64 k = -r; same && k <= r; k++)
            same = labels[place - r * width + k] == label && labels[place + r * width + k] == label &&
                   labels[place + k * width - r] == label && labels[place + k * width + r] == label;
        reached += same;
    }
    depth[place] = reached;
}

struct Circle {
    int radius, step, near, edge, far;
    __device__ Circle(const i64* row) : radius(row[0]), step(row[1]), near(row[2]), edge(row[3]), far(row[4]) {}
};

// The point at (down, across) radii from the middle, times the sum of the weights.
__device__ int interpolated(const Pixel* middle, int width, const Circle& circle, int down, int across) {
    const Pixel* corner = middle + (down * width + across) * circle.step;
    int edges = corner[across] + corner[down * width];
    return circle.near * corner[0] + circle.edge * edges + circle.far * corner[down * width + across];
}

// The bin of a pixel's pattern: its number of ones if they are in one piece around the circle, otherwise the last.
__device__ int uniform_bin(const Pixel* middle, int width, const Circle& circle) {
    const int right[POINTS] = {1, 1, 0, -1, -1, -1, 0, 1}, below[POINTS] = {0, -1, -1, -1, 0, 1, 1, 1};
    int whole = circle.near + 2 * circle.edge + circle.far, level = middle[0], least = level * whole;
    u32 code = 0;
    for (int k = 0; k < POINTS; k += 2)
        code |= u32(middle[(below[k] * width + right[k]) * circle.radius] >= level) << k;
    for (int k = 1; k < POINTS; k += 2)
        code |= u32(interpolated(middle, width, circle, below[k], right[k]) >= least) << k;
    u32 turned = code >> 1 | (code & 1) << (POINTS - 1);
    return __popc(code ^ turned) <= 2 ? __popc(code) : BINS - 1;
}

// A block a cell and row of `measured`; each thread has counters of its own.
KERNEL pattern_counts(
    const Pixel* pixels, i64 n_channels, const i64* measured, i64 n_measured, const i64* circles, const int* labels,
    i64 height, i64 width, const int* field, const int* boxes, const u8* cell_depth, const u8* nucleus_depth, i64* out
) {
    extern __shared__ u32 counts[];
    i64 cell = blockIdx.x / n_measured;
    const i64* row = measured + 3 * (blockIdx.x % n_measured);
    Circle circle(circles + 5 * row[1]);
    Box box(boxes + 4 * cell);
    i64 corner = box.top * width + box.left, mine = field[cell] * height * width + corner;
    const Pixel* plane = pixels + (field[cell] * n_channels + row[0]) * height * width + corner;
    const u8* depth = (row[2] ? nucleus_depth : cell_depth) + mine;
    for (int bin = 0; bin < BINS; bin++) counts[bin * blockDim.x + threadIdx.x] = 0;
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        i64 place = k / box.width * width + k % box.width;
        if (depth[place] < circle.radius || labels[mine + place] != cell + 1) continue;
        counts[uniform_bin(plane + place, int(width), circle) * blockDim.x + threadIdx.x]++;
    }
    for (int bin = 0; bin < BINS; bin++) {
        i64 sum = block_sum(i64(counts[bin * blockDim.x + threadIdx.x]));
        if (threadIdx.x == 0) out[blockIdx.x * i64(BINS) + bin] = sum;
    }
}
