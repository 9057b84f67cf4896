// Smoothing inside each cell, in whole-field images, and sums of what the derivatives say.

#include "common.cuh"

const int LEVELS = 4, TAPS = 5, BAND_SUMS = LEVELS + 3, CURVATURE_LEVELS = 3, CURVATURE_SUMS = 7;
const int ORIENTATION_LEVELS = 2, ORIENTATION_SUMS = 13, TILE = 8;
const float OUTER = 1 / 16.0f, INNER = 4 / 16.0f, MIDDLE = 6 / 16.0f, TINY = 1e-30f;

// A thread a pixel and level: a bit for each of the 5 x 5 taps, 1, 2, 4 or 8 px apart, that lies in the pixel's cell.
KERNEL own_taps(const int* labels, i64 n_pixels, i64 height, i64 width, u32* taps) {
    i64 index = i64(blockIdx.x) * blockDim.x + threadIdx.x, place = index % n_pixels;
    if (index >= LEVELS * n_pixels) return;
    i64 spacing = 1 << index / n_pixels, x = place % width, y = place / width % height;
    u32 mine = 0;
    for (int tap = 0; labels[place] && tap < TAPS * TAPS; tap++) {
        i64 down = (tap / TAPS - TAPS / 2) * spacing, across = (tap % TAPS - TAPS / 2) * spacing;
        if (y + down < 0 || y + down >= height || x + across < 0 || x + across >= width) continue;
        mine |= u32(labels[place + down * width + across] == labels[place]) << tap;
    }
    taps[index] = mine;
}

// A block a cell: its levels less their mean.
KERNEL centre(
    const Pixel* pixels, i64 n_channels, i64 channel, const int* labels, i64 height, i64 width, const int* field,
    const int* boxes, float* out
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    i64 corner = box.top * width + box.left, n_plane = height * width, mine = field[cell] * n_plane + corner;
    const Pixel* plane = pixels + (field[cell] * n_channels + channel) * n_plane + corner;
    i64 n = 0, sum = 0;
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        i64 place = k / box.width * width + k % box.width;
        if (labels[mine + place] != cell + 1) continue;
        n++;
        sum += plane[place];
    }
    n = block_sum(n);
    double mean = double(block_sum(sum)) / double(n);
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        i64 place = k / box.width * width + k % box.width;
        if (labels[mine + place] == cell + 1) out[mine + place] = float(plane[place] - mean);
    }
}

// The B3 spline of the taps whose bits are set.
template <class Read> __device__ float spline(u32 taps, Read read) {
    float sums[TAPS], column[TAPS];
    for (int x = 0; x < TAPS; x++) {
        for (int y = 0; y < TAPS; y++)
            column[y] = taps >> (y * TAPS + x) & 1 ? read(y - TAPS / 2, x - TAPS / 2) : 0.0f;
        sums[x] = OUTER * (column[0] + column[4]) + INNER * (column[1] + column[3]) + MIDDLE * column[2];
    }
    return OUTER * (sums[0] + sums[4]) + INNER * (sums[1] + sums[3]) + MIDDLE * sums[2];
}

// A thread a pixel.
KERNEL smooth(const float* image, const u32* taps, i64 n_pixels, i64 width, i64 spacing, float* out) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= n_pixels || taps[place] == 0) return;
    const float* here = image + place;
    float sum = spline(taps[place], [&](int down, int across) { return here[(down * width + across) * spacing]; });
    float weight = spline(taps[place], [](int, int) { return 1.0f; });
    out[place] = sum * (1.0f / max(weight, TINY));
}

// The pixels of a region (a cell or its nucleus), counted from the corner of the cell's box.
struct Region {
    Box box;
    i64 stride, corner;
    int label;
    const int* labels;
    __device__ Region(const int* all, i64 cell, i64 height, i64 width, const int* field, const int* boxes)
        : box(boxes + 4 * cell), stride(width), corner((field[cell] * height + box.top) * width + box.left),
          label(int(cell) + 1), labels(all + corner) {}
    __device__ bool inner(int y, int x) const {  // is its 3 x 3 neighbourhood in the region?
        if (y < 1 || y > box.height - 2 || x < 1 || x > box.width - 2) return false;
        const int* here = labels + y * stride + x;
        bool all = *here == label;
        for (int down = -1; all && down <= 1; down++)
            for (int across = -1; across <= 1; across++) all &= here[down * stride + across] == label;
        return all;
    }
};

template <int N> __device__ void keep(const double* sums, double* out) {
    for (int k = 0; k < N; k++) {
        double sum = block_sum(sums[k]);
        if (threadIdx.x == 0) out[k] = sum;
    }
}

// A block a cell, measured in the m-th way.
KERNEL add_bands(
    const Pixel* pixels, i64 n_channels, i64 channel, const int* labels, i64 height, i64 width, const int* field,
    const int* boxes, const float* levels, i64 n_pixels, i64 m, i64 n_measured, double* out
) {
    i64 cell = blockIdx.x, n_plane = height * width;
    Region region(labels, cell, height, width, field, boxes);
    i64 other_planes = field[cell] * (n_channels - 1) + channel;  // before this one, beside those the corner counts
    const Pixel* plane = pixels + other_planes * n_plane + region.corner;
    double sums[BAND_SUMS] = {};
    for (int k = threadIdx.x; k < region.box.size(); k += blockDim.x) {
        i64 place = k / region.box.width * width + k % region.box.width;
        if (region.labels[place] != region.label) continue;
        const float* level = levels + region.corner + place;
        for (int j = 0; j < LEVELS; j++) {
            float detail = level[j * n_pixels] - level[(j + 1) * n_pixels];
            sums[j] += detail * detail;
        }
        float rest = level[LEVELS * n_pixels];
        sums[LEVELS] += rest;
        sums[LEVELS + 1] += rest * rest;
        sums[LEVELS + 2] += plane[place];
    }
    keep<BAND_SUMS>(sums, out + (cell * n_measured + m) * BAND_SUMS);
}

// A block a cell and level, measured in the m-th way.
KERNEL add_curvature(
    const int* labels, i64 height, i64 width, const int* field, const int* boxes, const float* levels, i64 n_pixels,
    i64 m, i64 n_measured, double* out
) {
    i64 cell = blockIdx.x / CURVATURE_LEVELS, j = blockIdx.x % CURVATURE_LEVELS;
    Region region(labels, cell, height, width, field, boxes);
    double sums[CURVATURE_SUMS] = {};
    for (int k = threadIdx.x; k < region.box.size(); k += blockDim.x) {
        int y = k / region.box.width, x = k % region.box.width;
        if (!region.inner(y, x)) continue;
        const float *row = levels + (j + 1) * n_pixels + region.corner + y * width + x, *up = row - width;
        const float* down = row + width;
        float xx = row[-1] + row[1] - 2 * row[0], yy = up[0] + down[0] - 2 * row[0];
        float xy = (up[-1] + down[1] - up[1] - down[-1]) * 0.5f;
        float trace = xx + yy, root = sqrtf((xx - yy) * (xx - yy) + xy * xy);
        sums[0] += 1;
        sums[1] += max(0.0f, min(root, -trace));
        sums[2] += max(0.0f, min(root, trace));
        sums[3] += max(0.0f, -trace - root);
        sums[4] += max(0.0f, trace - root);
        sums[5] += max(root, fabsf(trace));
        sums[6] += trace * trace;
    }
    keep<CURVATURE_SUMS>(sums, out + ((cell * n_measured + m) * CURVATURE_LEVELS + j) * CURVATURE_SUMS);
}

// The sum over the warp, in its first lane.
__device__ double warp_sum(double mine) {
    for (int step = 16; step > 0; step /= 2) mine += __shfl_down_sync(0xffffffffu, mine, step);
    return mine;
}

// Adds the structure tensor of a tile: trace, coherent part, double-angle sums, sectors of direction.
__device__ void add_tile(double xx, double yy, double xy, double* out) {
    if (xx + yy == 0) return;
    double cosine = xx - yy, sine = 2 * xy, coherent = sqrt(cosine * cosine + sine * sine);
    out[1] += xx + yy;
    out[2] += coherent;
    out[3] += cosine;
    out[4] += sine;
    bool upper = sine > 0 || (sine == 0 && cosine >= 0);  // the eighth of the circle, counted from -180 degrees
    double a = upper ? cosine : -cosine, b = upper ? sine : -sine;
    int sector = 4 * upper + (a > 0 ? b >= a : 2 + (b <= -a));
    out[5 + sector] += coherent;
}

// A block a cell and level, measured in the m-th way; its warps take tiles of 8 or 16 px a side.
KERNEL add_orientation(
    const int* labels, i64 height, i64 width, const int* field, const int* boxes, const float* levels, i64 n_pixels,
    i64 m, i64 n_measured, double* out
) {
    __shared__ double of_warp[32][ORIENTATION_SUMS];
    i64 cell = blockIdx.x / ORIENTATION_LEVELS, j = blockIdx.x % ORIENTATION_LEVELS;
    Region region(labels, cell, height, width, field, boxes);
    double *mine = of_warp[threadIdx.x / 32], magnitude = 0;
    if (warp_lane() < ORIENTATION_SUMS) mine[warp_lane()] = 0;
    __syncwarp();
    int side = TILE << j, across = (region.box.width + side - 1) / side;
    int n_tiles = across * ((region.box.height + side - 1) / side);
    for (int tile = threadIdx.x / 32; tile < n_tiles; tile += blockDim.x / 32) {
        double xx = 0, yy = 0, xy = 0;
        for (int k = warp_lane(); k < side * side; k += 32) {
            int y = tile / across * side + k / side, x = tile % across * side + k % side;
            if (!region.inner(y, x)) continue;
            const float* here = levels + (j + 1) * n_pixels + region.corner + y * width + x;
            float gx = (here[1] - here[-1]) * 0.5f, gy = (here[width] - here[-width]) * 0.5f;
            xx += gx * gx;
            yy += gy * gy;
            xy += gx * gy;
            magnitude += sqrtf(gx * gx + gy * gy);
        }
        xx = warp_sum(xx);
        yy = warp_sum(yy);
        xy = warp_sum(xy);
        if (warp_lane() == 0) add_tile(xx, yy, xy, mine);
    }
    magnitude = block_sum(magnitude);
    if (threadIdx.x >= ORIENTATION_SUMS) return;
    double sum = threadIdx.x == 0 ? magnitude : 0;
    for (unsigned warp = 0; warp < blockDim.x / 32; warp++) sum += of_warp[warp][threadIdx.x];
    out[((cell * n_measured + m) * ORIENTATION_LEVELS + j) * ORIENTATION_SUMS + threadIdx.x] = sum;
}
