// Costes' thresholds: each candidate that the search comes to is one pass over the cell's pixels, in whole numbers.

#include "common.cuh"

const int TOP = 255;

struct Moments {
    i64 n, x, y, xx, yy, xy;
    __device__ void add(i64 a, i64 b) {
        n++;
        x += a;
        y += b;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    __device__ void join() {
        n = block_sum(n);
        x = block_sum(x);
        y = block_sum(y);
        xx = block_sum(xx);
        yy = block_sum(yy);
        xy = block_sum(xy);
    }
};

// The pixels of a cell, and the last candidate at which each is foreground, which only its own thread reads.
struct Pair {
    const Pixel *x, *y;
    short* last;
    i64 size;
};

// Slope and intercept of the orthogonal regression over the pixels not black in both; false if it does not rise.
__device__ bool rising_line(const Pair& pair, double* slope, double* intercept) {
    Moments all = {0, 0, 0, 0, 0, 0};
    for (i64 k = threadIdx.x; k < pair.size; k += blockDim.x)
        if (pair.x[k] | pair.y[k]) all.add(pair.x[k], pair.y[k]);
    all.join();
    if (all.n < 3) return false;
    double n = double(all.n), x = double(all.x), y = double(all.y);
    double var_x = double(all.xx) - x * x / n, var_y = double(all.yy) - y * y / n;
    double covariance = double(all.xy) - x * y / n;
    bool flat = min(var_x / double(max(all.xx, i64(1))), var_y / double(max(all.yy, i64(1)))) <= 1e-13;
    if (flat || covariance <= 8 * 2.220446049250313e-16 * max(var_x, var_y)) return false;
    double difference = var_y - var_x;
    *slope = (difference + sqrt(difference * difference + 4 * covariance * covariance)) / (2 * covariance);
    *intercept = y / n - *slope * x / n;
    return true;
}

// Pearson's correlation of the background at a candidate; NaN for fewer than three pixels or a constant channel.
__device__ double correlation(const Pair& pair, int candidate) {
    Moments below = {0, 0, 0, 0, 0, 0};
    for (i64 k = threadIdx.x; k < pair.size; k += blockDim.x)
        if (pair.last[k] < candidate) below.add(pair.x[k], pair.y[k]);
    below.join();
    double n = double(below.n), x = double(below.x), y = double(below.y), xx = double(below.xx), yy = double(below.yy);
    double var_x = n * xx - x * x, var_y = n * yy - y * y;
    if (n < 3 || var_x <= 1e-13 * n * xx || var_y <= 1e-13 * n * yy) return nan("");
    return (n * double(below.xy) - x * y) / sqrt(var_x * var_y);
}

// The candidate that CellProfiler's shrinking window ends at, or -1.
__device__ int bisect(const Pair& pair) {
    double left = 1, right = TOP, middle = floor((right - left) / (6.0 / 5)) + left, previous = 0;
    int valid = -1;
    for (int k = 0; k < 256 && middle != previous; k++) {
        double found = correlation(pair, int(middle));
        if (found >= 0) {
            right = middle + 1;
            valid = int(middle);
        } else {  // or undefined
            left = middle - 1;
        }
        previous = middle;
        middle = floor((right - left) / (right - left > 6 ? 6.0 / 5 : 2.0)) + left;
    }
    if (valid < 1) return -1;
    double before = correlation(pair, valid - 1);
    return before == before ? valid - 1 : -1;
}

__device__ void shares(const Pair& pair, double above_x, double above_y, double* out) {
    i64 both_x = 0, both_y = 0, all_x = 0, all_y = 0;
    for (i64 k = threadIdx.x; k < pair.size; k += blockDim.x) {
        i64 a = pair.x[k], b = pair.y[k];
        bool both = a > above_x + 1e-9 && b > above_y;
        both_x += both ? a : 0;
        both_y += both ? b : 0;
        all_x += a >= above_x - 1e-9 ? a : 0;
        all_y += b >= above_y ? b : 0;
    }
    both_x = block_sum(both_x);
    both_y = block_sum(both_y);
    all_x = block_sum(all_x);
    all_y = block_sum(all_y);
    if (threadIdx.x || all_x <= 0 || all_y <= 0) return;
    out[0] = double(both_x) / double(all_x);
    out[1] = double(both_y) / double(all_y);
}

// A block a cell. Its threads go through the search together, each with the same numbers.
KERNEL costes(const Pixel* x, const Pixel* y, const i64* offsets, short* last, double* out) {
    i64 first = offsets[blockIdx.x];
    Pair pair = {x + first, y + first, last + first, offsets[blockIdx.x + 1] - first};
    double slope, intercept;
    if (pair.size < 3 || !rising_line(pair, &slope, &intercept)) return;
    int top = 0;
    for (i64 k = threadIdx.x; k < pair.size; k += blockDim.x) top = max(top, max(int(pair.x[k]), int(pair.y[k])));
    double unit = double(block_max(top, 0)) / TOP, per_step = 1 / (slope * unit);
    for (i64 k = threadIdx.x; k < pair.size; k += blockDim.x) {
        double bound = min(pair.x[k] / unit, (pair.y[k] - intercept) * per_step);
        pair.last[k] = short(floor(min(max(bound, -1.0), double(TOP)) + 1e-10));
    }
    int step = bisect(pair);
    if (step >= 0) shares(pair, step * unit, slope * step * unit + intercept, out + 2 * blockIdx.x);
}
