// Openings within regions, two channels in the halves of each word. A region's pixels stay where they lie in the field:
// scratch images are as large as the planes, and each block writes its own region's pixels only.

#include "common.cuh"

const int ROWS = 16;  // that a thread goes down at a time
const u32 ALL = 0xffffffffu;

// Where a region lies; rows and columns count from the corner of its box.
struct Region {
    const int* labels;
    int stride, label;
    Box box;
    __device__ bool holds(int y, int x) const {
        return y >= 0 && y < box.height && x >= 0 && x < box.width && labels[i64(y) * stride + x] == label;
    }
    __device__ u32 value(const u32* image, int y, int x, u32 flip) const {
        return holds(y, x) ? image[i64(y) * stride + x] ^ flip : 0;
    }
};

struct Sums {
    u64 low, high;
    __device__ void add(u32 pair) {
        low += pair & 0xffff;
        high += pair >> 16;
    }
};

// One step over the block: the greatest of the cross (odd steps) or of the square (even steps), 0 outside the region.
// `flip` inverts what is read. Gives the sums of what this thread wrote.
__device__ Sums dilate(const Region& region, const u32* image, u32 flip, int step, u32* out) {
    Sums sums = {0, 0};
    int width = region.box.width, n = width * ((region.box.height + ROWS - 1) / ROWS);
    for (int k = threadIdx.x; k < n; k += blockDim.x) {
        int x = k % width, first = k / width * ROWS;
        u32 above = 0, here = 0, row = 0;  // what the rows before give to their neighbours, and to themselves
        bool inside = false;
        for (int y = first - 1; y <= first + ROWS; y++) {
            u32 centre = region.value(image, y, x, flip);
            u32 sides = __vmaxu2(region.value(image, y, x - 1, flip), region.value(image, y, x + 1, flip));
            u32 across = __vmaxu2(centre, sides), below = step % 2 ? centre : across;
            if (inside) {
                u32 most = __vmaxu2(row, __vmaxu2(above, below));
                out[i64(y - 1) * region.stride + x] = most;
                sums.add(most);
            }
            above = here;
            here = below;
            row = across;
            inside = y >= first && region.holds(y, x);
        }
    }
    __syncthreads();
    return sums;
}

// Writes the complement of the region's pixels; gives the sums of those that this thread has read. No barrier follows.
__device__ Sums invert(const Region& region, const Pixel* low, const Pixel* high, u32* out) {
    Sums sums = {0, 0};
    for (int k = threadIdx.x; k < region.box.size(); k += blockDim.x) {
        int y = k / region.box.width, x = k % region.box.width;
        if (!region.holds(y, x)) continue;
        i64 place = i64(y) * region.stride + x;
        u32 pair = low[place] | (high ? u32(high[place]) << 16 : 0);
        sums.add(pair);
        out[place] = pair ^ ALL;
    }
    return sums;
}

// Stores the sums of the block; what its threads wrote before is seen by all of them after.
__device__ void keep(Sums sums, bool two, i64 n_sums, i64* out) {
    u64 low = block_sum(sums.low), high = block_sum(sums.high);
    if (threadIdx.x) return;
    out[0] = i64(low);
    if (two) out[n_sums] = i64(high);
}

// A block a cell and pair of channels.
KERNEL opened_sums(
    const Pixel* pixels, i64 n_channels, const i64* channels, i64 n_measured, const int* labels, i64 height,
    i64 width, const int* field, const int* boxes, const i64* radii, i64 n_radii, u32* scratch, i64 n_pixels, i64* out
) {
    i64 n_pairs = (n_measured + 1) / 2, cell = blockIdx.x / n_pairs, first = blockIdx.x % n_pairs * 2;
    bool two = first + 1 < n_measured;
    Box box(boxes + 4 * cell);
    i64 corner = i64(box.top) * width + box.left, plane = height * width, mine = field[cell] * plane + corner;
    const Pixel* stack = pixels + field[cell] * n_channels * plane + corner;
    const Pixel *low = stack + channels[first] * plane, *high = two ? stack + channels[first + 1] * plane : nullptr;
    Region region = {labels + mine, int(width), int(cell) + 1, box};
    u32 *complement = scratch + 3 * (first / 2) * n_pixels + mine, *spare = complement + n_pixels;
    u32* image = spare + n_pixels;
    i64 *sums = out + (cell * n_measured + first) * (n_radii + 1), radius = 0;
    keep(invert(region, low, high, complement), two, n_radii + 1, sums);
    for (i64 k = 0; k < n_radii; k++) {
        while (radius < radii[k]) {
            dilate(region, complement, 0, int(++radius), spare);
            u32* eroded = spare;
            spare = complement;
            complement = eroded;
        }
        Sums left = dilate(region, complement, ALL, int(radius), image);
        for (i64 step = radius - 1; step > 0; step--) {
            left = dilate(region, image, 0, int(step), spare);
            u32* dilated = spare;
            spare = image;
            image = dilated;
        }
        keep(left, two, n_radii + 1, sums + k + 1);
    }
}
