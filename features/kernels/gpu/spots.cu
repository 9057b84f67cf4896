// Crops of cells smoothed inside their own mask, and the bright spots in them.

#include "common.cuh"

// A block a cell.
KERNEL pack_parts(
    const int* cells, const int* nuclei, i64 height, i64 width, const int* field, const int* boxes, const i64* starts,
    u8* parts
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    i64 corner = (field[cell] * height + box.top) * width + box.left;
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        i64 place = corner + k / box.width * width + k % box.width;
        parts[starts[cell] + k] = (cells[place] == cell + 1) + (nuclei[place] == cell + 1);
    }
}

// A cell's pixels and what they are, from the corner of its box; rows of the plane are `stride` apart.
struct Crop {
    const Pixel* plane;
    const u8* parts;
    i64 stride;
    int height, width;
    __device__ u64 value(int y, int x) const {  // the plane's in the cell, or 1 without a plane
        return parts[i64(y) * width + x] == 0 ? 0 : plane ? plane[y * stride + x] : 1;
    }
};

// Sums of a row's columns, with the weights of a tent that is `size` at the row and 0 `size` rows away.
__device__ void sum_columns(const Crop& crop, int y, int size, u64* columns) {
    for (int x = threadIdx.x; x < crop.width; x += blockDim.x) {
        u64 sum = 0;
        for (int v = max(0, y - size + 1); v < min(crop.height, y + size); v++)
            sum += crop.value(v, x) * u64(size - (v < y ? y - v : v - y));
        columns[x] = sum;
    }
    __syncthreads();
}

// The tent-weighted sum of the columns' sums around one of them.
__device__ float sum_around(const u64* columns, int width, int x, int size) {
    u64 sum = 0;
    for (int u = max(0, x - size + 1); u < min(width, x + size); u++)
        sum += columns[u] * u64(size - (u < x ? x - u : u - x));
    return float(sum);
}

// A block a cell, scale and piece of its rows: the sums of a row, of 1 and of each plane, first down, then along.
KERNEL local_means(
    const Pixel* planes, i64 n_planes, i64 height, i64 width, const u8* parts, i64 n_pixels, const i64* starts,
    const int* field, const int* boxes, const i64* reach, i64 n_scales, const i64* finest, i64 n_pieces, float* out
) {
    extern __shared__ u64 columns[];
    float* factors = (float*)(columns + width);
    int piece = blockIdx.x % n_pieces, scale = blockIdx.x / n_pieces % n_scales;
    int cell = blockIdx.x / (n_pieces * n_scales);
    Box box(boxes + 4 * cell);
    int size = 2 * int(reach[field[cell] * n_scales + scale]) + 1;
    const Pixel* corner = planes + (field[cell] * n_planes * height + box.top) * width + box.left;
    Crop crop = {nullptr, parts + starts[cell], width, box.height, box.width};
    int end = (piece + 1) * i64(box.height) / n_pieces;
    for (int y = piece * i64(box.height) / n_pieces; y < end; y++) {
        i64 row = starts[cell] + i64(y) * box.width;
        crop.plane = nullptr;
        sum_columns(crop, y, size, columns);
        for (int x = threadIdx.x; x < box.width; x += blockDim.x)
            factors[x] = parts[row + x] ? 1.0f / max(sum_around(columns, box.width, x, size), 1.0f) : 0.0f;
        __syncthreads();
        for (i64 p = 0; p < n_planes; p++) {
            if (scale < finest[p]) continue;
            crop.plane = corner + p * height * width;
            sum_columns(crop, y, size, columns);
            float* target = out + (p * n_scales + scale) * n_pixels + row;
            for (int x = threadIdx.x; x < box.width; x += blockDim.x)
                target[x] = parts[row + x] ? sum_around(columns, box.width, x, size) * factors[x] : 0.0f;
            __syncthreads();
        }
    }
}

// Means of two scales in a cell's crop; the band between them is 0 beyond it.
struct Band {
    const float *fine, *coarse;
    int height, width;
    __device__ float at(int y, int x) const {
        if (y < 0 || y >= height || x < 0 || x >= width) return 0;
        return fine[i64(y) * width + x] - coarse[i64(y) * width + x];
    }
};

// Whether a pixel is above zero and its eight neighbours; of equal ones the first is.
__device__ bool is_maximum(const Band& band, int y, int x) {
    float here = band.at(y, x);
    if (!(here > 0)) return false;
    for (int k = 0; k < 9; k++) {
        float other = band.at(y + k / 3 - 1, x + k % 3 - 1);
        if (k < 4 ? here <= other : here < other) return false;
    }
    return true;
}

// How far a pixel's fine mean rises above the highest of eight around it.
__device__ float rise(const Band& band, int y, int x, int reach) {
    float highest = 0;
    for (int k = 0; k < 9; k++) {
        int v = y + (k / 3 - 1) * reach, u = x + (k % 3 - 1) * reach;
        if ((v != y || u != x) && v >= 0 && v < band.height && u >= 0 && u < band.width)
            highest = max(highest, band.fine[i64(v) * band.width + u]);
    }
    return band.fine[i64(y) * band.width + x] - highest;
}

// A block a cell: marks and counts its spots, and measures the noise in its parts.
KERNEL mark_peaks(
    const float* fine, const float* coarse, const u8* parts, const i64* starts, const int* boxes, const i64* reach,
    double prominence, u8* marks, i64* counts, double* noise
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    i64 start = starts[cell], n[2] = {0, 0}, found = 0;
    Band band = {fine + start, coarse + start, box.height, box.width};
    double squares[2] = {0, 0};
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        int y = k / box.width, x = k % box.width;
        float here = band.at(y, x);
        for (int part = 0; part < 2; part++) {
            bool dips = here < 0 && parts[start + k] == part + 1;
            squares[part] += dips ? double(here) * double(here) : 0.0;
            n[part] += dips;
        }
        bool marked = is_maximum(band, y, x) && rise(band, y, x, reach[cell]) > prominence * here;
        marks[start + k] = marked;
        found += marked;
    }
    found = block_sum(found);
    if (threadIdx.x == 0) counts[cell] = found;
    for (int part = 0; part < 2; part++) {
        double sum = block_sum(squares[part]);
        i64 size = block_sum(n[part]);
        if (threadIdx.x == 0) noise[2 * cell + part] = size ? sqrt(sum / double(size)) : 0.0;
    }
}

// A block a cell, which lists its marked pixels in row-major order.
KERNEL list_peaks(const u8* marks, const i64* starts, const int* boxes, const i64* offsets, i64* points) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    i64 next = offsets[cell];
    for (int from = 0; from < box.size(); from += blockDim.x) {
        int k = from + threadIdx.x, total, rank = block_rank(k < box.size() && marks[starts[cell] + k], &total);
        if (k < box.size() && marks[starts[cell] + k]) {
            i64* point = points + 4 * (next + rank);
            point[0] = cell;
            point[1] = starts[cell] + k;
            point[2] = k / box.width;
            point[3] = k % box.width;
        }
        next += total;
    }
}
