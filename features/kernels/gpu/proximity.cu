// Sums by distance to a membrane, brightest points, and orientations.

#include "common.cuh"

// A block a cell and band of distance, whose pixels it adds up.
KERNEL band_sums(
    const Pixel* values_0, const Pixel* values_1, const Pixel* values_2, const i64* offsets, const i64* positions,
    const float* distances, const float* edges, i64 n_edges, double* out
) {
    i64 cell = blockIdx.x / (n_edges + 1), band = blockIdx.x % (n_edges + 1);
    const float* mine = edges + cell * n_edges;
    u64 sums[4] = {0, 0, 0, 0};
    for (i64 k = offsets[cell] + threadIdx.x; k < offsets[cell + 1]; k += blockDim.x) {
        float away = distances[positions[k]];
        if ((band > 0 && !(away >= mine[band - 1])) || (band < n_edges && away >= mine[band])) continue;
        sums[0] += values_0[k];
        sums[1] += values_1[k];
        sums[2] += values_2[k];
        sums[3] += 1;
    }
    for (int c = 0; c < 4; c++) {
        u64 all = block_sum(sums[c]);
        if (threadIdx.x == 0) out[4 * blockIdx.x + c] = double(all);
    }
}

// A block a cell. Value, sum of the 3 x 3 pixels and place, the first the highest, make one number to compare.
KERNEL brightest(
    const Pixel* plane, i64 width, const i64* offsets, const i64* positions, const float* to_border, i64* out
) {
    const int AROUND = 28, VALUE = 48;  // where these begin in the number: 9 values of 16 bits have 20
    i64 first = offsets[blockIdx.x], size = offsets[blockIdx.x + 1] - first;
    u64 best = 0, highest = 0;
    for (i64 k = threadIdx.x; k < size; k += blockDim.x) {
        i64 place = positions[first + k];
        u64 value = plane[place], around = 0;
        if (value < highest) continue;
        highest = value;
        for (i64 near = 0; near < 9 && to_border[place] > 1.5f; near++)
            around += plane[place + (near / 3 - 1) * width + near % 3 - 1];
        best = max(best, (value << VALUE) + (around << AROUND) + u64((i64(1) << AROUND) - 1 - k));
    }
    best = block_max(best, u64(0));
    if (threadIdx.x == 0) out[blockIdx.x] = positions[first + (i64(1) << AROUND) - 1 - i64(best % (u64(1) << AROUND))];
}

// The double-angle vectors of the gradients in a square, of each channel.
struct Tensors {
    i64 along[3], slant[3];
};

__device__ Tensors tensors_of_square(
    const Pixel* planes, const int* labels, const float* to_border, i64 height, i64 width, int label, i64 top, i64 left,
    i64 bottom, i64 right
) {
    Tensors sums = {{0, 0, 0}, {0, 0, 0}};
    for (i64 y = max(top, i64(1)); y < min(bottom, height - 1); y++) {
        for (i64 x = max(left, i64(1)); x < min(right, width - 1); x++) {
            i64 place = y * width + x;
            if (labels[place] != label || !(to_border[place] > 1)) continue;
            for (int c = 0; c < 3; c++) {
                const Pixel* at = planes + c * height * width + place;
                i64 dx = i64(at[1]) - i64(at[-1]), dy = i64(at[width]) - i64(at[-width]);
                sums.along[c] += dx * dx - dy * dy;
                sums.slant[c] += 2 * dx * dy;
            }
        }
    }
    return sums;
}

// Adds a square's inner products and lengths, of three pairs of channels and of each with a direction (dy, dx).
__device__ void add_square(const Tensors& sums, double dy, double dx, double* inner, double* lengths) {
    double along[3], slant[3], length[3], square = dy * dy + dx * dx;
    for (int c = 0; c < 3; c++) {
        along[c] = double(sums.along[c]);
        slant[c] = double(sums.slant[c]);
        length[c] = sqrt(along[c] * along[c] + slant[c] * slant[c]);
        double radial = along[c] * (dx * dx - dy * dy) + slant[c] * 2 * dx * dy;
        inner[3 + c] -= square > 0 ? radial / square : 0.0;  // a gradient stands at right angles to the fibre
        lengths[3 + c] += length[c];
    }
    for (int a = 0, pair = 0; a < 3; a++) {
        for (int b = a + 1; b < 3; b++, pair++) {
            inner[pair] += along[a] * along[b] + slant[a] * slant[b];
            lengths[pair] += length[a] * length[b];
        }
    }
}

// A block a cell, a thread a square of its box.
KERNEL alignments(
    const Pixel* planes, const int* field, const int* boxes, const int* labels, i64 height, i64 width,
    const float* to_border, const double* centres, const i64* sides, double* out
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    i64 side = sides[cell], across = (box.width + side - 1) / side, down = (box.height + side - 1) / side;
    i64 image = field[cell] * height * width;
    double centre_y = centres[2 * cell] / double(side), centre_x = centres[2 * cell + 1] / double(side);
    double inner[6] = {0, 0, 0, 0, 0, 0}, lengths[6] = {0, 0, 0, 0, 0, 0};
    for (i64 k = threadIdx.x; k < across * down; k += blockDim.x) {
        i64 row = k / across, column = k % across, top = box.top + row * side, left = box.left + column * side;
        Tensors sums = tensors_of_square(
            planes + 3 * image, labels + image, to_border + image, height, width, cell + 1, top, left,
            min(top + side, i64(box.top + box.height)), min(left + side, i64(box.left + box.width))
        );
        add_square(sums, double(row) + 0.5 - centre_y, double(column) + 0.5 - centre_x, inner, lengths);
    }
    for (int k = 0; k < 6; k++) {
        double product = block_sum(inner[k]), length = block_sum(lengths[k]);
        if (threadIdx.x == 0) out[6 * cell + k] = length > 0 ? product / length : nan("");
    }
}
