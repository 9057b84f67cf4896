// Where cells lie to each other, and what their borders touch.

#include "common.cuh"

const int TABLE = 1024;  // cells whose contacts are counted at a time

// A block a cell: the centroid of its nucleus, or of itself, from the corner of its box.
KERNEL centres(
    const int* cells, const int* nuclei, i64 height, i64 width, const int* field, const int* boxes, double* out
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    i64 corner = (field[cell] * height + box.top) * width + box.left, sums[2][3] = {};
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        i64 y = k / box.width, x = k % box.width, place = corner + y * width + x;
        bool mine[2] = {nuclei[place] == cell + 1, cells[place] == cell + 1};
#pragma unroll
        for (int part = 0; part < 2; part++) {
            sums[part][0] += mine[part];
            sums[part][1] += mine[part] ? y : 0;
            sums[part][2] += mine[part] ? x : 0;
        }
    }
    bool has_nucleus = block_sum(sums[0][0]) > 0;
    i64 n = block_sum(has_nucleus ? sums[0][0] : sums[1][0]);
    i64 y = block_sum(has_nucleus ? sums[0][1] : sums[1][1]), x = block_sum(has_nucleus ? sums[0][2] : sums[1][2]);
    if (threadIdx.x) return;
    out[2 * cell] = double(y) / double(n);
    out[2 * cell + 1] = double(x) / double(n);
}

__device__ double distance_of(const int* boxes, const double* centres, int i, int j) {
    double dy = boxes[4 * j] - boxes[4 * i] + (centres[2 * j] - centres[2 * i]);
    double dx = boxes[4 * j + 1] - boxes[4 * i + 1] + (centres[2 * j + 1] - centres[2 * i + 1]);
    return sqrt(dy * dy + dx * dx);
}

// Whether cell a lies above cell b, or as high and to its left.
__device__ bool is_before(const int* boxes, const double* centres, i64 a, i64 b) {
    double ya = boxes[4 * a] + centres[2 * a], yb = boxes[4 * b] + centres[2 * b];
    if (ya != yb) return ya < yb;
    return boxes[4 * a + 1] + centres[2 * a + 1] < boxes[4 * b + 1] + centres[2 * b + 1];
}

// A thread a cell.
KERNEL nearest(
    const int* field, i64 n, const int* boxes, const double* centres, const double* reach, i64 n_reaches, i64* index,
    i64* within
) {
    i64 i = i64(blockIdx.x) * blockDim.x + threadIdx.x, one = -1, two = -1;
    if (i >= n) return;
    double first = FURTHEST, second = FURTHEST;
    for (i64 j = 0; j < n; j++) {
        if (j == i || field[j] != field[i]) continue;
        double distance = distance_of(boxes, centres, int(i), int(j));
        for (int k = 0; k < n_reaches; k++) within[i * n_reaches + k] += distance <= reach[i * n_reaches + k];
        if (distance < first || (distance == first && is_before(boxes, centres, j, one))) {
            second = first;
            two = one;
            first = distance;
            one = j;
        } else if (distance < second || (distance == second && is_before(boxes, centres, j, two))) {
            second = distance;
            two = j;
        }
    }
    index[2 * i] = one;
    index[2 * i + 1] = two;
}

// A block a segment.
KERNEL segment_sums(const Pixel* values, const i64* offsets, i64* sums) {
    i64 sum = 0;
    for (i64 k = offsets[blockIdx.x] + threadIdx.x; k < offsets[blockIdx.x + 1]; k += blockDim.x) sum += values[k];
    sum = block_sum(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// The label image of one field.
struct Image {
    const int* labels;
    int height, width;
    __device__ int operator()(int y, int x) const { return labels[i64(y) * width + x]; }
    __device__ bool is_cut(int y, int x) const { return y == 0 || x == 0 || y == height - 1 || x == width - 1; }
    __device__ bool is_inside(int y, int x, int label) const {
        if (is_cut(y, x)) return false;
        const Image& at = *this;
        return at(y - 1, x) == label && at(y + 1, x) == label && at(y, x - 1) == label && at(y, x + 1) == label;
    }
};

// The other cell with the pixel closest to this one, which does not lie at the edge of the image; 0 if too far.
__device__ int closest_label(const Image& image, int y, int x, int gap) {
    int label = image(y, x), found = 0, closest = gap * gap + 1;
    int beside[4] = {image(y - 1, x), image(y, x - 1), image(y, x + 1), image(y + 1, x)};
#pragma unroll
    for (int k = 0; k < 4; k++)
        if (beside[k] > 0 && beside[k] != label) return beside[k];
    for (int v = max(0, y - gap); v < min(image.height, y + gap + 1); v++)
        for (int u = max(0, x - gap); u < min(image.width, x + gap + 1); u++) {
            int other = image(v, u), distance = (v - y) * (v - y) + (u - x) * (u - x);
            if (other <= 0 || other == label || distance >= closest) continue;
            found = other;
            closest = distance;
        }
    return found;
}

// The first of the cells that are sorted by field to lie in this field or a later one.
__device__ int first_cell(const int* field, int n, int wanted) {
    int low = 0, high = n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (field[middle] < wanted) low = middle + 1;
        else high = middle;
    }
    return low;
}

// A block a cell: sorts its border pixels. Contacts are counted by cell in a table; if more cells share the field than
// it holds, again for the next of them.
KERNEL contacts(
    const int* labels, i64 height, i64 width, const int* field, const int* boxes, i64 n, const i64* gap, u8* kinds,
    i64* counts
) {
    __shared__ int table[TABLE];
    int cell = blockIdx.x, start = first_cell(field, int(n), field[cell]);
    int end = first_cell(field, int(n), field[cell] + 1), contact = 0, free = 0, cut = 0, touched = 0, most = 0;
    Box box(boxes + 4 * cell);
    i64 first = field[cell] * height * width;
    Image image = {labels + first, int(height), int(width)};
    for (int from = start; from < end; from += TABLE) {
        for (int t = threadIdx.x; t < TABLE; t += blockDim.x) table[t] = 0;
        __syncthreads();
        for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
            int y = box.top + k / box.width, x = box.left + k % box.width;
            if (image(y, x) != cell + 1 || image.is_inside(y, x, cell + 1)) continue;
            bool is_cut = image.is_cut(y, x);
            int other = is_cut ? 0 : closest_label(image, y, x, int(gap[cell])), t = other - 1 - from;
            if (other && t >= 0 && t < TABLE) atomicAdd(&table[t], 1);
            if (from > start) continue;
            cut += is_cut;
            contact += other > 0;
            free += !is_cut && other == 0;
            if (!is_cut) kinds[first + y * width + x] = other ? 1 : 2;
        }
        __syncthreads();
        for (int t = threadIdx.x; t < TABLE; t += blockDim.x) {
            touched += table[t] > 0;
            most = max(most, table[t]);
        }
        __syncthreads();
    }
    int all[5] = {block_sum(contact), block_sum(free), block_sum(cut), block_sum(touched), block_max(most, 0)};
    for (int k = threadIdx.x; k < 5; k += blockDim.x) counts[5 * cell + k] = all[k];
}

// A block a cell and plane; a thread a border pixel and the cell's own pixels around it.
KERNEL stains(
    const Pixel* planes, i64 n_planes, const int* labels, i64 height, i64 width, const int* field, const int* boxes,
    const i64* depth, const u8* kinds, i64* sums, i64* sizes, double* peaks
) {
    int cell = blockIdx.x / n_planes, plane = blockIdx.x % n_planes, reach = int(depth[cell]);
    Box box(boxes + 4 * cell);
    i64 first = field[cell] * height * width;
    Image image = {labels + first, int(height), int(width)};
    const Pixel* stain = planes + (field[cell] * n_planes + plane) * height * width;
    i64 sum[2] = {}, size[2] = {};
    double peak[2] = {-1, -1};
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        int y = box.top + k / box.width, x = box.left + k % box.width;
        if (image(y, x) != cell + 1) continue;
        int kind = kinds[first + y * width + x];
        if (kind == 0) continue;
        i64 total = 0, count = 0;
        for (int v = max(0, y - reach); v < min(image.height, y + reach + 1); v++)
            for (int u = max(0, x - reach); u < min(image.width, x + reach + 1); u++) {
                if (image(v, u) != cell + 1) continue;
                count++;
                total += stain[v * width + u];
            }
#pragma unroll
        for (int which = 0; which < 2; which++) {
            if (kind != which + 1) continue;
            sum[which] += total;
            size[which] += count;
            peak[which] = max(peak[which], double(total) / double(count));
        }
    }
#pragma unroll
    for (int which = 0; which < 2; which++) {
        i64 total = block_sum(sum[which]), count = block_sum(size[which]), at = (2 * cell + which) * n_planes + plane;
        double brightest = block_max(peak[which], -1.0);
        if (threadIdx.x) continue;
        sums[at] = total;
        peaks[at] = brightest < 0 ? nan("") : brightest;
        if (plane == 0) sizes[2 * cell + which] = count;
    }
}
