// Geometric moments on discs: powers of y summed down the columns, then multiplied by those of x.

#include "common.cuh"

const int MOST = 9;  // the highest degree

// A block a region: centroid from the corner of the box, and radius.
KERNEL discs(const int* labels, i64 height, i64 width, const int* field, const int* boxes, double* out) {
    int region = blockIdx.x;
    if (field[region] < 0) return;
    Box box(boxes + 4 * region);
    const int* corner = labels + (field[region] * height + box.top) * width + box.left;
    i64 n = 0, sum_y = 0, sum_x = 0;
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        int y = k / box.width, x = k % box.width;
        if (corner[y * width + x] != region + 1) continue;
        n++;
        sum_y += y;
        sum_x += x;
    }
    n = block_sum(n);
    double cy = double(block_sum(sum_y)) / double(n), cx = double(block_sum(sum_x)) / double(n), furthest = 0;
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        int y = k / box.width, x = k % box.width;
        if (corner[y * width + x] == region + 1) furthest = max(furthest, (y - cy) * (y - cy) + (x - cx) * (x - cx));
    }
    furthest = block_max(furthest, 0.0);
    if (threadIdx.x) return;
    out[3 * region] = cy;
    out[3 * region + 1] = cx;
    out[3 * region + 2] = sqrt(furthest) + 0.5;
}

// A block a region and plane (the last is the mask); a thread a column of the box, then a moment.
KERNEL disc_moments(
    const Pixel* planes, i64 n_planes, const int* labels, i64 height, i64 width, const int* field, const int* boxes,
    const double* discs, i64 degree, double* out
) {
    extern __shared__ double columns[];  // [power of y][column], then [power of x][column]
    int plane = blockIdx.x % (n_planes + 1), region = blockIdx.x / (n_planes + 1), n_powers = int(degree) + 1;
    if (field[region] < 0) return;
    Box box(boxes + 4 * region);
    const int* corner = labels + (field[region] * height + box.top) * width + box.left;
    const Pixel* stain = planes + ((field[region] * n_planes + plane) * height + box.top) * width + box.left;
    double cy = discs[3 * region], cx = discs[3 * region + 1], per_radius = 1 / discs[3 * region + 2];
    int n_moments = n_powers * (n_powers + 1) / 2, row = blockDim.x + 1;  // one more: rows begin in different banks
    double* powers = columns + n_powers * row;
    double* mine = out + i64(blockIdx.x) * n_moments;
    for (int from = 0; from < box.width; from += blockDim.x) {
        int x = from + threadIdx.x, size = min(int(blockDim.x), box.width - from);
        double sums[MOST + 1] = {}, power = 1;
        for (int y = 0; y < box.height && x < box.width; y++) {
            if (corner[y * width + x] != region + 1) continue;
            double term = plane < n_planes ? double(stain[y * width + x]) : 1.0;
#pragma unroll
            for (int k = 0; k <= MOST; k++) {
                sums[k] += term;
                term *= (y - cy) * per_radius;
            }
        }
#pragma unroll
        for (int k = 0; k <= MOST; k++) {
            if (k < n_powers) columns[k * row + threadIdx.x] = sums[k];
            if (k < n_powers) powers[k * row + threadIdx.x] = power;
            power *= (x - cx) * per_radius;
        }
        __syncthreads();
        for (int m = threadIdx.x; m < n_moments; m += blockDim.x) {
            int k = 0, l = m;  // of y**k x**l
            for (; l >= n_powers - k; k++) l -= n_powers - k;
            double sum = 0;
            for (int c = 0; c < size; c++) sum += columns[k * row + c] * powers[l * row + c];
            mine[m] += sum;
        }
        __syncthreads();
    }
}
