// Sums by the distance to a channel's brightest pixels.

#include "common.cuh"

// A cell's part of the planes and labels of its field, from the corner of its box.
struct Crop {
    const Pixel* planes;
    const int* labels;
    i64 plane, width;  // px of a plane, and of its rows
    int label;
    __device__ bool has(i64 y, i64 x) const { return labels[y * width + x] == label; }
    __device__ i64 value(int c, i64 y, i64 x) const { return planes[c * plane + y * width + x]; }
};

__device__ Crop crop_of(const Pixel* planes, const int* labels, i64 height, i64 width, int field, Box box, int label) {
    i64 image = field * height * width, corner = box.top * width + box.left;
    return {planes + 3 * image + corner, labels + image + corner, height * width, width, label};
}

__device__ i64 count_above(const Crop& crop, Box box, int c, int level) {
    i64 count = 0;
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        int y = k / box.width, x = k % box.width;
        count += crop.has(y, x) && crop.value(c, y, x) > level;
    }
    return block_sum(count);
}

// The lowest level that at most `share` of the region's pixels exceed.
__device__ int bright_level(const Crop& crop, Box box, int c, double share) {
    double most = share * double(count_above(crop, box, c, -1));
    int low = 0, high = (1 << (8 * sizeof(Pixel))) - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (double(count_above(crop, box, c, middle)) <= most) high = middle;
        else low = middle + 1;
    }
    return low;
}

// For each column of row y, how far the next bright pixels are above and below, at most `far`. A thread a column.
__device__ void step_down(const Crop& crop, Box box, int c, int level, int far, int y, u16* above, u16* below) {
    for (int x = threadIdx.x; x < box.width; x += blockDim.x) {
        int up = y ? min(above[x] + 1, far) : far, down = y ? int(below[x]) - 1 : -1;
        if (y && below[x] == far) {  // the row `far` below comes into sight
            int row = y + far - 1;
            bool bright = row < box.height && crop.has(row, x) && crop.value(c, row, x) > level;
            down = bright ? far - 1 : far;
        } else if (down < 0) {  // the first row, or the one below a bright pixel
            for (down = 0; down < far; down++) {
                int row = y + down;
                if (row < box.height && crop.has(row, x) && crop.value(c, row, x) > level) break;
            }
        }
        above[x] = down == 0 ? 0 : up;
        below[x] = down;
    }
}

// A block a cell, which goes down the rows of its box: each pixel's distance, and the channels and 1 weighted with it.
KERNEL distances_to_bright(
    const Pixel* planes, i64 landmark, double share, const int* field, const int* boxes, const int* labels, i64 height,
    i64 width, const float* reach, float* away, double* weighted
) {
    extern __shared__ u16 above[];  // of each column
    u16* below = above + width;
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    Crop crop = crop_of(planes, labels, height, width, field[cell], box, cell + 1);
    int level = bright_level(crop, box, landmark, share), far = int(reach[cell]) + 1;
    float* target = away + (crop.labels - labels);
    double sums[4] = {0, 0, 0, 0};
    for (int y = 0; y < box.height; y++) {
        step_down(crop, box, landmark, level, far, y, above, below);
        __syncthreads();
        for (int x = threadIdx.x; x < box.width; x += blockDim.x) {
            if (!crop.has(y, x)) continue;
            i64 own = min(above[x], below[x]), best = own * own;
            for (i64 step = 1; step * step < best && step < far; step++) {
                i64 left = x >= step ? min(above[x - step], below[x - step]) : far;
                i64 right = x + step < box.width ? min(above[x + step], below[x + step]) : far;
                best = min(best, step * step + min(left * left, right * right));
            }
            float distance = min(float(sqrt(double(best))), reach[cell]);
            target[y * width + x] = distance;
            for (int c = 0; c < 3; c++) sums[c] += double(distance) * double(crop.value(c, y, x));
            sums[3] += double(distance);
        }
        __syncthreads();
    }
    for (int c = 0; c < 4; c++) {
        double all = block_sum(sums[c]);
        if (threadIdx.x == 0) weighted[4 * cell + c] = all;
    }
}

// A block a cell and band of distance.
KERNEL band_sums(
    const Pixel* planes, const int* field, const int* boxes, const int* labels, i64 height, i64 width,
    const float* away, const float* edges, i64 n_edges, double* out
) {
    int cell = blockIdx.x / (n_edges + 1), band = blockIdx.x % (n_edges + 1);
    Box box(boxes + 4 * cell);
    Crop crop = crop_of(planes, labels, height, width, field[cell], box, cell + 1);
    const float *distances = away + (crop.labels - labels), *mine = edges + cell * n_edges;
    i64 sums[4] = {0, 0, 0, 0};
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        int y = k / box.width, x = k % box.width;
        if (!crop.has(y, x)) continue;
        float distance = distances[y * width + x];
        if ((band > 0 && !(distance >= mine[band - 1])) || (band < n_edges && distance >= mine[band])) continue;
        for (int c = 0; c < 3; c++) sums[c] += crop.value(c, y, x);
        sums[3] += 1;
    }
    for (int c = 0; c < 4; c++) {
        i64 all = block_sum(sums[c]);
        if (threadIdx.x == 0) out[4 * blockIdx.x + c] = double(all);
    }
}
