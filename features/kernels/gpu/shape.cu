// Integer sums over the pixels, the outline and the convex hull of labelled regions.

#include "common.cuh"

// The mask of a region by row and column from the corner of its box; 0 outside the box.
struct Mask {
    const int* corner;
    int label, height, width;
    i64 stride;
    __device__ Mask(const int* labels, i64 image_height, i64 image_width, i64 field, const int* boxes, int region)
        : label(region + 1), stride(image_width) {
        Box box(boxes + 4 * region);
        corner = labels + (field * image_height + box.top) * image_width + box.left;
        height = box.height;
        width = box.width;
    }
    __device__ int operator()(int y, int x) const {
        return y >= 0 && x >= 0 && y < height && x < width && corner[y * stride + x] == label;
    }
    __device__ int edge(int y, int x) const {
        return (*this)(y, x) &&
               !((*this)(y - 1, x) && (*this)(y + 1, x) && (*this)(y, x - 1) && (*this)(y, x + 1));
    }
};

// A block a region: sums of 1, y, x, yy, yx, xx, yyy, yyx, yxx, xxx.
KERNEL region_moments(const int* labels, i64 height, i64 width, const int* field, const int* boxes, i64* out) {
    int region = blockIdx.x;
    if (field[region] < 0) return;
    Mask mask(labels, height, width, field[region], boxes, region);
    i64 sums[10] = {};
    for (int k = threadIdx.x; k < mask.height * mask.width; k += blockDim.x) {
        i64 y = k / mask.width, x = k % mask.width;
        if (!mask(int(y), int(x))) continue;
        i64 terms[10] = {1, y, x, y * y, y * x, x * x, y * y * y, y * y * x, y * x * x, x * x * x};
#pragma unroll
        for (int m = 0; m < 10; m++) sums[m] += terms[m];
    }
#pragma unroll
    for (int m = 0; m < 10; m++) {
        i64 sum = block_sum(sums[m]);
        if (threadIdx.x == 0) out[10 * region + m] = sum;
    }
}

// The kind of an outline pixel: 0 straight, 1 diagonal, 2 mixed, 3 none of these.
__device__ int step_of(const Mask& mask, int y, int x) {
    int beside = mask.edge(y - 1, x) + mask.edge(y + 1, x) + mask.edge(y, x - 1) + mask.edge(y, x + 1);
    int above = mask.edge(y - 1, x - 1) + mask.edge(y - 1, x + 1);
    int diagonal = above + mask.edge(y + 1, x - 1) + mask.edge(y + 1, x + 1);
    if ((beside == 2 || beside == 3) && diagonal <= 2) return 0;
    if ((beside == 0 && diagonal == 2) || (beside == 1 && diagonal == 3)) return 1;
    return beside == 1 && (diagonal == 1 || diagonal == 2) ? 2 : 3;
}

// A block a region; a thread a pixel of its box, and of the row above and the column left of it.
KERNEL outlines(const int* labels, i64 height, i64 width, const int* field, const int* boxes, i64* out) {
    int region = blockIdx.x;
    if (field[region] < 0) return;
    Mask mask(labels, height, width, field[region], boxes, region);
    int steps[4] = {}, quads = 0;
    for (int k = threadIdx.x; k < (mask.height + 1) * (mask.width + 1); k += blockDim.x) {
        int y = k / (mask.width + 1) - 1, x = k % (mask.width + 1) - 1;
        int a = mask(y, x), d = mask(y + 1, x + 1), total = a + mask(y, x + 1) + mask(y + 1, x) + d;
        quads += (total == 1) - (total == 3) - 2 * (total == 2 && a == d);
        if (!mask.edge(y, x)) continue;
        int step = step_of(mask, y, x);
#pragma unroll
        for (int s = 0; s < 3; s++) steps[s] += s == step;
    }
    int straight = block_sum(steps[0]), diagonal = block_sum(steps[1]), mixed = block_sum(steps[2]);
    quads = block_sum(quads);
    if (threadIdx.x) return;
    i64* mine = out + 4 * region;
    mine[0] = straight;
    mine[1] = diagonal;
    mine[2] = mixed;
    mine[3] = quads / 4;
}

// A convex chain from top to bottom, in half pixels.
struct Chain {
    short *y, *x;
    int size;
};

// Writes the first and the last midpoint of each half row of the box, or -1; a warp a half row.
__device__ void spans(const Mask& mask, short* first, short* last) {
    for (int half = threadIdx.x / 32; half <= 2 * mask.height; half += blockDim.x / 32) {
        int low = 2 * mask.width + 2, high = -1;
        for (int x = warp_lane(); x < mask.width; x += 32) {
            bool beside = half % 2 == 0 && (mask(half / 2 - 1, x) || mask(half / 2, x));
            bool across = half % 2 == 1 && mask(half / 2, x);
            if (beside) low = min(low, 2 * x + 1), high = max(high, 2 * x + 1);
            if (across) low = min(low, 2 * x), high = max(high, 2 * x + 2);
        }
        for (int step = 16; step > 0; step /= 2) {
            low = min(low, __shfl_xor_sync(0xffffffffu, low, step));
            high = max(high, __shfl_xor_sync(0xffffffffu, high, step));
        }
        if (warp_lane() == 0) first[half] = high < 0 ? -1 : low;
        if (warp_lane() == 0) last[half] = high;
    }
}

// Andrew's chain of the n spans in chain.x (sign 1 to the left, -1 to the right), written over them.
__device__ int shorten(Chain chain, int n, int sign) {
    int m = 0;
    for (int y = 0; y < n; y++) {
        int x = chain.x[y];
        if (x < 0) continue;
        for (; m >= 2; m--) {
            int y0 = chain.y[m - 2], x0 = chain.x[m - 2], y1 = chain.y[m - 1], x1 = chain.x[m - 1];
            if (sign * ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) < 0) break;
        }
        chain.y[m] = y;
        chain.x[m++] = x;
    }
    return m;
}

__device__ int floor_div(int a, int b) { return a / b - (a % b < 0); }

// Where a chain crosses a row between its ends, times twice the depth of the side there.
__device__ int crossing(Chain chain, int y, int* depth) {
    int low = 1, high = chain.size - 1;  // the first corner at or below the row
    while (low < high) {
        int middle = (low + high) / 2;
        if (chain.y[middle] < y) low = middle + 1;
        else high = middle;
    }
    int above = chain.y[low - 1], left = chain.x[low - 1];
    *depth = chain.y[low] - above;
    return left * *depth + (chain.x[low] - left) * (y - above);
}

// Pixel centres between the chains; a thread a row.
__device__ i64 lattice_points(Chain a, Chain b, int height) {
    i64 count = 0;
    for (int row = threadIdx.x; row < height; row += blockDim.x) {
        int depth, first = crossing(a, 2 * row + 1, &depth);
        count += floor_div(depth - first, 2 * depth) + 1;
        int last = crossing(b, 2 * row + 1, &depth);
        count += floor_div(last - depth, 2 * depth);
    }
    return block_sum(count);
}

// Largest distance of two corners and smallest width over the sides, in half pixels; a thread a corner.
__device__ void feret(Chain a, Chain b, double* longest, double* narrowest) {
    int n = a.size + b.size;
    auto y_of = [&](int k) { return k < a.size ? a.y[k] : b.y[n - 1 - k]; };
    auto x_of = [&](int k) { return k < a.size ? a.x[k] : b.x[n - 1 - k]; };
    i64 furthest = 0;
    double thinnest = FURTHEST;
    for (int j = threadIdx.x; j < n; j += blockDim.x) {
        int y = y_of(j), x = x_of(j), dy = y_of((j + 1) % n) - y, dx = x_of((j + 1) % n) - x, widest = 0;
        for (int k = 0; k < n; k++) {
            int v = y_of(k) - y, u = x_of(k) - x;
            furthest = max(furthest, i64(v * v + u * u));
            widest = max(widest, abs(dy * u - dx * v));
        }
        if (dy || dx) thinnest = min(thinnest, double(widest) / sqrt(double(dy * dy + dx * dx)));
    }
    *longest = sqrt(double(block_max(furthest, i64(0))));
    *narrowest = block_min(thinnest, FURTHEST);
}

// A block a region; a thread a chain while they are made.
KERNEL hulls(const int* labels, i64 height, i64 width, const int* field, const int* boxes, double* out) {
    extern __shared__ short corners[];
    __shared__ int sizes[2];
    int region = blockIdx.x, room = 2 * int(height) + 1;
    if (field[region] < 0) return;
    Mask mask(labels, height, width, field[region], boxes, region);
    Chain a = {corners, corners + room, 0}, b = {corners + 2 * room, corners + 3 * room, 0};
    spans(mask, a.x, b.x);
    __syncthreads();
    if (threadIdx.x == 0) sizes[0] = shorten(a, 2 * mask.height + 1, 1);
    if (threadIdx.x == 32) sizes[1] = shorten(b, 2 * mask.height + 1, -1);
    __syncthreads();
    a.size = sizes[0];
    b.size = sizes[1];
    i64 area = lattice_points(a, b, mask.height);
    double longest, narrowest;
    feret(a, b, &longest, &narrowest);
    if (threadIdx.x) return;
    out[3 * region] = double(area);
    out[3 * region + 1] = longest / 2;
    out[3 * region + 2] = narrowest / 2;
}

// A block a region.
KERNEL inscribed_radii(const float* distance, const i64* offsets, const i64* positions, double* out) {
    i64 first = offsets[blockIdx.x], end = offsets[blockIdx.x + 1];
    double total = 0, largest = 0;
    for (i64 k = first + threadIdx.x; k < end; k += blockDim.x) {
        largest = max(largest, double(distance[positions[k]]));
        total += distance[positions[k]];
    }
    largest = block_max(largest, 0.0);
    total = block_sum(total);
    if (threadIdx.x || first == end) return;
    out[2 * blockIdx.x] = largest;
    out[2 * blockIdx.x + 1] = total / double(end - first);
}
