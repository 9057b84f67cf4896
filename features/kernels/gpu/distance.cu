// Exact Euclidean distances, as on the CPU: count down the columns, then compare squares along the rows.

#include "common.cuh"

const u16 FAR = 65535;  // further than any pixel of a column

// A thread a column: the distance to the nearest other label within it.
KERNEL columns_to_border(const int* labels, i64 n_fields, i64 height, i64 width, u16* columns) {
    i64 column = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column >= n_fields * width) return;
    i64 first = column / width * height * width + column % width;
    int run = 0, before = -1;
    for (i64 y = 0; y < height; y++) {
        int label = labels[first + y * width];
        run = label == before ? run + 1 : 1;
        before = label;
        columns[first + y * width] = run;
    }
    before = -1;
    for (i64 y = height - 1; y >= 0; y--) {
        int label = labels[first + y * width];
        run = label == before ? run + 1 : 1;
        before = label;
        if (run < columns[first + y * width]) columns[first + y * width] = run;
    }
}

// A thread a pixel: the least of columns[u]^2 + (x - u)^2 within the run of its label, whose ends are borders.
KERNEL rows_to_border(const int* labels, const u16* columns, i64 n_pixels, i64 width, float* out) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= n_pixels) return;
    int label = labels[place];
    if (label == 0) {
        out[place] = 0;
        return;
    }
    i64 x = place % width, row = place - x, best = i64(columns[place]) * columns[place];
    bool left = true, right = true;
    for (i64 k = 1; (left || right) && k * k < best; k++) {
        if (left) {
            left = x - k >= 0 && labels[row + x - k] == label;
            i64 down = left ? columns[row + x - k] : 0;
            best = min(best, k * k + down * down);
        }
        if (right) {
            right = x + k < width && labels[row + x + k] == label;
            i64 down = right ? columns[row + x + k] : 0;
            best = min(best, k * k + down * down);
        }
    }
    out[place] = sqrtf(float(best));
}

// A block a cell, a thread a column of its box: the distance to the nearest of the cell's sources within it.
KERNEL columns_to_sources(
    const int* sources, i64 height, i64 width, const int* field, const int* boxes, const i64* starts, u16* columns
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    const int* mine = sources + (field[cell] * height + box.top) * width + box.left;
    u16* crop = columns + starts[cell];
    for (int x = threadIdx.x; x < box.width; x += blockDim.x) {
        int run = FAR;
        for (int y = 0; y < box.height; y++) {
            run = mine[y * width + x] == cell + 1 ? 0 : min(run + 1, int(FAR));
            crop[y * box.width + x] = run;
        }
        for (int y = box.height - 1, below = FAR; y >= 0; y--) {
            below = min(below + 1, int(crop[y * box.width + x]));
            crop[y * box.width + x] = below;
        }
    }
}

// A block a cell, a thread a pixel of its box.
KERNEL rows_to_sources(
    const int* labels, i64 height, i64 width, const int* field, const int* boxes, const float* reach,
    const i64* starts, const u16* columns, float* out
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    i64 corner = (field[cell] * height + box.top) * width + box.left;
    const i64 nowhere = i64(FAR) * FAR;
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        int y = k / box.width, x = k % box.width;
        if (labels[corner + y * width + x] != cell + 1) continue;
        const u16* row = columns + starts[cell] + y * box.width;
        i64 best = i64(row[x]) * row[x];
        for (i64 step = 1; step * step < best && (x - step >= 0 || x + step < box.width); step++) {
            i64 left = x - step >= 0 ? row[x - step] : FAR, right = x + step < box.width ? row[x + step] : FAR;
            best = min(best, step * step + min(left * left, right * right));
        }
        if (best < nowhere) out[corner + y * width + x] = min(sqrtf(float(best)), reach[cell]);
    }
}
