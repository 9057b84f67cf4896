#include "common.cuh"

// A thread a pixel. Only where a label begins or ends in a row or column can its box grow.
KERNEL grow_boxes(const int* labels, i64 n_fields, i64 height, i64 width, int* field, int* boxes) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= n_fields * height * width) return;
    int label = labels[place];
    if (label == 0) return;
    int x = place % width, y = place / width % height, cell = label - 1;
    bool begins = x == 0 || labels[place - 1] != label, ends = x == width - 1 || labels[place + 1] != label;
    bool top = y == 0 || labels[place - width] != label, bottom = y == height - 1 || labels[place + width] != label;
    if (top) atomicMin(&boxes[4 * cell], y);
    if (begins) atomicMin(&boxes[4 * cell + 1], x);
    if (bottom) atomicMax(&boxes[4 * cell + 2], y + 1);
    if (ends) atomicMax(&boxes[4 * cell + 3], x + 1);
    if (top && begins) field[cell] = int(place / (height * width));
}

// A block a cell.
KERNEL count_pixels(const int* labels, i64 height, i64 width, const int* field, const int* boxes, i64* counts) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    const int* mine = labels + field[cell] * height * width;
    i64 count = 0;
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x)
        count += mine[(box.top + k / box.width) * width + box.left + k % box.width] == cell + 1;
    count = block_sum(count);
    if (threadIdx.x == 0) counts[cell] = count;
}

// A block a cell, which writes its pixels in row-major order.
KERNEL list_pixels(
    const int* labels, i64 height, i64 width, const int* field, const int* boxes, const i64* offsets, i64* positions
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    i64 first = field[cell] * height * width, next = offsets[cell];
    for (int from = 0; from < box.size(); from += blockDim.x) {
        int k = from + threadIdx.x;
        i64 place = first + (box.top + k / box.width) * width + box.left + k % box.width;
        bool there = k < box.size() && labels[place] == cell + 1;
        int total, rank = block_rank(there, &total);
        if (there) positions[next + rank] = place;
        next += total;
    }
}

// A block a region.
KERNEL centroids(const i64* offsets, const i64* positions, i64 height, i64 width, double* out) {
    i64 first = offsets[blockIdx.x], end = offsets[blockIdx.x + 1], y = 0, x = 0;
    for (i64 k = first + threadIdx.x; k < end; k += blockDim.x) {
        y += positions[k] / width % height;
        x += positions[k] % width;
    }
    y = block_sum(y);
    x = block_sum(x);
    if (threadIdx.x == 0 && end > first) {
        out[2 * blockIdx.x] = double(y) / double(end - first);
        out[2 * blockIdx.x + 1] = double(x) / double(end - first);
    }
}

// A block a region.
KERNEL value_ranges(const Pixel* values, const i64* offsets, i64* darkest, i64* brightest) {
    int low = 65535, high = 0;
    for (i64 k = offsets[blockIdx.x] + threadIdx.x; k < offsets[blockIdx.x + 1]; k += blockDim.x) {
        int value = values[k];
        low = min(low, value);
        high = max(high, value);
    }
    low = block_min(low, 65535);
    high = block_max(high, 0);
    if (threadIdx.x == 0) {
        darkest[blockIdx.x] = low;
        brightest[blockIdx.x] = high;
    }
}
