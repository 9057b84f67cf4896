// What lies between the nuclei of two neighbouring cells.

#include "common.cuh"

// One plane of a field with its labels.
struct Stained {
    const Pixel* plane;
    const int* labels;
    int height, width;
};

// A crossing: its middle from the corner of the box, the direction across, samples to either side, px between them.
struct Line {
    double y, x, across_y, across_x;
    int half, step;
};

struct Crossing {
    int inside;  // samples in either cell
    double brightest, mean;
};

// Mean of the pixels around one; what lies outside the image counts as dark.
__device__ double sample(const Stained& image, int row, int column, int around) {
    i64 total = 0, side = 2 * around + 1;
    for (int v = max(0, row - around); v < min(image.height, row + around + 1); v++)
        for (int u = max(0, column - around); u < min(image.width, column + around + 1); u++)
            total += image.plane[i64(v) * image.width + u];
    return double(total) / double(side * side);
}

__device__ Crossing cross(const Stained& image, const int* box, const Line& line, int label, int other) {
    Crossing found = {0, 0, 0};
    for (int k = -line.half; k <= line.half; k++) {
        int row = box[0] + int(floor(line.y + double(k * line.step) * line.across_y + 0.5));
        int column = box[1] + int(floor(line.x + double(k * line.step) * line.across_x + 0.5));
        if (row < 0 || column < 0 || row >= image.height || column >= image.width) continue;
        int mine = image.labels[i64(row) * image.width + column];
        found.inside += mine == label || mine == other;
        double level = sample(image, row, column, max(1, line.step / 2));
        found.brightest = max(found.brightest, level);
        found.mean += level / (2 * line.half + 1);
    }
    return found;
}

// A block a cell and plane; a thread a crossing, counted from the middle of the line to either side in turn.
KERNEL crossings(
    const Pixel* planes, i64 n_planes, const int* labels, i64 height, i64 width, const int* field, const int* boxes,
    const double* centres, const i64* partner, const double* widths, const i64* steps, double* thickness,
    double* levels
) {
    int i = blockIdx.x / n_planes, plane = blockIdx.x % n_planes, j = int(partner[i]), step = int(steps[i]);
    if (j < 0 || !(widths[i] >= 1)) return;
    double dy = boxes[4 * j] - boxes[4 * i] + (centres[2 * j] - centres[2 * i]);
    double dx = boxes[4 * j + 1] - boxes[4 * i + 1] + (centres[2 * j + 1] - centres[2 * i + 1]);
    double length = sqrt(dy * dy + dx * dx);
    if (length < 4) return;
    dy /= length;
    dx /= length;
    i64 size = height * width;
    Stained image = {planes + (field[i] * n_planes + plane) * size, labels + field[i] * size, int(height), int(width)};
    int half = int(length / 4 / step), reach = int(widths[i] / 2 / step);
    double least = FURTHEST, most = 0, ratio = 0, of_thinnest = 0;
    const i64 LATER = i64(1) << 32;
    i64 none = LATER << 30, thinnest = none;  // samples inside, then the crossing's number
    for (int k = threadIdx.x; k < 2 * half + 1; k += blockDim.x) {
        double along = length / 2 + step * (k % 2 ? (k + 1) / 2 : -(k / 2));
        double y = centres[2 * i] + along * dy, x = centres[2 * i + 1] + along * dx;
        Crossing found = cross(image, boxes + 4 * i, {y, x, -dx, dy, reach, step}, i + 1, j + 1);
        least = min(least, found.brightest);
        most = max(most, found.brightest);
        ratio += (found.mean > 0 ? found.brightest / found.mean : 1.0) / (2 * half + 1);
        i64 rank = found.inside * LATER + k;
        if (rank < thinnest) of_thinnest = found.brightest;
        thinnest = min(thinnest, rank);
    }
    i64 of_all = block_min(thinnest, none);
    least = block_min(least, FURTHEST);
    most = block_max(most, 0.0);
    ratio = block_sum(ratio);
    double* mine = levels + 4 * (i * n_planes + plane);
    if (thinnest == of_all) mine[2] = of_thinnest;
    if (threadIdx.x) return;
    mine[0] = least;
    mine[1] = most;
    mine[3] = ratio;
    if (plane == 0) thickness[i] = double(of_all / LATER * step);
}
