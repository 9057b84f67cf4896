// Operations on stacks of binary masks and label images.

#include "common.cuh"

const int STRAIGHT = 5, DIAGONAL = 7, KNIGHT = 11, FURTHEST_STEP = 8191;  // 5 units a px
const i64 OPEN = i64(1) << 32;  // pixels that background at the border counts as: more than any hole has

KERNEL count_along(const u8* masks, i64 height, i64 width, const i64* reaches, i64 n, u16* out) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    const u8* row = masks + (at.place - at.x);
    i64 reach = reaches[at.field];
    int count = 0;
    for (i64 u = at.x - reach; u <= at.x + reach; u++) count += row[mirrored(u, width)];
    out[at.place] = u16(count);
}

KERNEL join_majority(const u16* along, i64 height, i64 width, const i64* reaches, i64 n, u8* out) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    const u16* column = along + at.field * height * width + at.x;
    i64 reach = reaches[at.field], side = 2 * reach + 1;
    int count = 0;
    for (i64 v = at.y - reach; v <= at.y + reach; v++) count += column[mirrored(v, height) * width];
    out[at.place] = 2 * count > side * side;
}

// Whether any pixel of the disc around a place, within the image, has a value.
__device__ bool disc_meets(const u8* masks, const StackPlace& at, i64 height, i64 width, i64 radius, u8 value) {
    for (i64 dy = -radius; dy <= radius; dy++) {
        if (at.y + dy < 0 || at.y + dy >= height) continue;
        i64 reach = i64(rint(sqrt(double(radius * radius - dy * dy))));
        const u8* row = masks + at.place - at.x + dy * width;
        for (i64 u = max(at.x - reach, i64(0)); u <= min(at.x + reach, width - 1); u++)
            if (row[u] == value) return true;
    }
    return false;
}

KERNEL erode(const u8* masks, i64 height, i64 width, const i64* radii, i64 n, u8* out) {
    StackPlace at(height, width);
    if (at.place < n) out[at.place] = !disc_meets(masks, at, height, width, radii[at.field], 0);
}

KERNEL dilate(const u8* masks, i64 height, i64 width, const i64* radii, i64 n, u8* out) {
    StackPlace at(height, width);
    if (at.place < n) out[at.place] = disc_meets(masks, at, height, width, radii[at.field], 1);
}

// A thread a row: where the run of background around each pixel begins, -1 in the mask. Runs are their own parents.
KERNEL begin_runs(const u8* masks, i64 n_rows, i64 width, int* first, int* parent) {
    i64 row = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (row >= n_rows) return;
    int begin = -1;
    for (i64 place = row * width; place < (row + 1) * width; place++) {
        begin = masks[place] ? -1 : begin < 0 ? int(place) : begin;
        first[place] = begin;
        parent[place] = int(place);
    }
}

// A thread a pixel: at the first pixel of each overlap of two runs, they join.
KERNEL join_runs(const int* first, i64 n, i64 height, i64 width, int* parent) {
    StackPlace at(height, width);
    if (at.place >= n || at.y == 0 || first[at.place] < 0 || first[at.place - width] < 0) return;
    bool begins = first[at.place] == at.place || first[at.place - width] == at.place - width;
    if (begins) join(parent, first[at.place], first[at.place - width]);
}

// A thread a pixel: at the end of each run its length goes to its part; parts open to the border count as too large.
KERNEL measure_parts(const int* first, i64 n, i64 height, i64 width, int* parent, u64* areas) {
    StackPlace at(height, width);
    if (at.place >= n || first[at.place] < 0 || (at.x + 1 < width && first[at.place + 1] >= 0)) return;
    i64 length = at.place - first[at.place] + 1;
    bool open = at.y == 0 || at.y == height - 1 || at.x == width - 1 || length == at.x + 1;
    atomicAdd(&areas[root_of(parent, first[at.place])], u64(open ? OPEN : length));
}

// A thread a pixel.
KERNEL fill_parts(
    const int* first, i64 n, i64 area, int* parent, const u64* areas, const double* largest, u8* out
) {
    StackPlace at(area, 1);
    if (at.place >= n) return;
    out[at.place] =
        first[at.place] < 0 || double(areas[root_of(parent, first[at.place])]) <= largest[at.field];
}

// The least value of all threads up to each one, and of all.
__device__ int least_so_far(int mine, int* of_all) {
    __shared__ int of_warp[32];
    for (int step = 1; step < 32; step *= 2) {
        int other = __shfl_up_sync(0xffffffffu, mine, step);
        if (warp_lane() >= step) mine = min(mine, other);
    }
    if (warp_lane() == 31) of_warp[threadIdx.x / 32] = mine;
    __syncthreads();
    int all = of_warp[0];
    for (unsigned warp = 0; warp < blockDim.x / 32; warp++) {
        if (warp < threadIdx.x / 32) mine = min(mine, of_warp[warp]);
        all = min(all, of_warp[warp]);
    }
    __syncthreads();
    *of_all = all;
    return mine;
}

// The distances of one field in the order of a sweep: from its first pixel on, or from its last one back.
struct Sweep {
    u16* distance;
    i64 height, width;
    bool back;

    __device__ u16& at(i64 y, i64 x) const {
        return distance[back ? (height - 1 - y) * width + width - 1 - x : y * width + x];
    }
    __device__ int near(i64 y, i64 x) const {
        return y < 0 || x < 0 || x >= width ? FURTHEST_STEP : at(y, x);
    }
    // The distance of a pixel over the two rows before its own.
    __device__ int over_rows(i64 y, i64 x) const {
        int straight = near(y - 1, x) + STRAIGHT;
        int diagonal = min(near(y - 1, x - 1), near(y - 1, x + 1)) + DIAGONAL;
        int wide = min(near(y - 1, x - 2), near(y - 1, x + 2));
        int steep = min(near(y - 2, x - 1), near(y - 2, x + 1));
        return min(min(straight, diagonal), min(min(wide, steep) + KNIGHT, FURTHEST_STEP));
    }
};

// Rows one after the other, a thread a pixel: over the rows before, then along the row by the least so far.
__device__ void run(const Sweep& sweep) {
    for (i64 y = 0; y < sweep.height; y++) {
        int before = FURTHEST_STEP + STRAIGHT;
        for (i64 first = 0; first < sweep.width; first += blockDim.x) {
            i64 x = first + threadIdx.x;
            bool there = x < sweep.width;
            int mine = there ? min(int(sweep.at(y, x)), sweep.over_rows(y, x)) : FURTHEST_STEP, all;
            int slope = STRAIGHT * int(x);
            mine = min(least_so_far(mine - slope, &all), before) + slope;
            before = min(before, all);
            if (there) sweep.at(y, x) = u16(mine);
        }
        __syncthreads();
    }
}

// A block a field.
KERNEL chamfer(const u8* masks, i64 height, i64 width, u16* out) {
    i64 area = height * width;
    const u8* mask = masks + blockIdx.x * area;
    u16* distance = out + blockIdx.x * area;
    for (i64 k = threadIdx.x; k < area; k += blockDim.x) distance[k] = mask[k] ? FURTHEST_STEP : 0;
    __syncthreads();
    run(Sweep{distance, height, width, false});
    run(Sweep{distance, height, width, true});
}

KERNEL halve(const u8* masks, i64 height, i64 width, i64 out_height, i64 out_width, i64 n, u8* out) {
    StackPlace at(out_height, out_width);
    if (at.place >= n) return;
    int count = 0;
    for (i64 v = 2 * at.y; v < min(2 * at.y + 2, height); v++)
        for (i64 u = 2 * at.x; u < min(2 * at.x + 2, width); u++)
            count += masks[(at.field * height + v) * width + u];
    out[at.place] = count >= 2;
}

// Whether no pixel in the 5 x 5 around one exceeds it.
__device__ bool is_peak(const u16* distance, i64 height, i64 width, i64 y, i64 x) {
    for (i64 v = max(y - 2, i64(0)); v < min(y + 3, height); v++)
        for (i64 u = max(x - 2, i64(0)); u < min(x + 3, width); u++)
            if (distance[v * width + u] > distance[y * width + x]) return false;
    return true;
}

// A block a field: the peak at which half of all squares of peaks is reached.
KERNEL typical_radius(const u16* distances, i64 height, i64 width, u32* all_peaks, double* out) {
    const u16* distance = distances + blockIdx.x * height * width;
    u32* peaks = all_peaks + blockIdx.x * (FURTHEST_STEP + 1);
    i64 squares = 0, greatest = 0;
    for (i64 k = threadIdx.x; k < height * width; k += blockDim.x) {
        i64 here = distance[k];
        greatest = max(greatest, here);
        if (here <= STRAIGHT || !is_peak(distance, height, width, k / width, k % width)) continue;
        atomicAdd(&peaks[here], 1u);
        squares += here * here;
    }
    i64 total = block_sum(squares), level = block_max(greatest, i64(0));
    if (threadIdx.x) return;
    if (total) {
        level = 0;
        for (i64 below = 0; 2 * below < total; below += peaks[level] * level * level) level++;
    }
    out[blockIdx.x] = double(2 * max(level, i64(STRAIGHT))) / STRAIGHT;
}

// A Gaussian of 0.7 px in 1 / 256, interpolated: the weight of the k-th of six small pixels.
__device__ i64 tap(i64 times, i64 share, int k) {
    const int soft[] = {0, 2, 53, 146, 53, 2, 0};
    return (2 * times - share) * soft[k + 1] + share * soft[k];
}

// The label with the largest weight among 6 x 6, those at the border repeated.
__device__ int largest_share(
    const int* labels, i64 height, i64 width, i64 top, i64 left, i64 times, i64 below, i64 right
) {
    int found[36], n = 0;
    i64 shares[36];
    for (int k = 0; k < 36; k++) {
        i64 v = min(max(top + k / 6, i64(0)), height - 1), u = min(max(left + k % 6, i64(0)), width - 1);
        int label = labels[v * width + u], same = 0;
        while (same < n && found[same] != label) same++;
        if (same == n) {
            found[n] = label;
            shares[n++] = 0;
        }
        shares[same] += tap(times, below, k / 6) * tap(times, right, k % 6);
    }
    int best = 0;
    for (int k = 1; k < n; k++)
        if (shares[k] > shares[best] || (shares[k] == shares[best] && found[k] < found[best])) best = k;
    return found[best];
}

KERNEL enlarge(
    const int* labels, i64 small_height, i64 small_width, i64 times, i64 height, i64 width, i64 n, int* out
) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    const int* small = labels + at.field * small_height * small_width;
    i64 across = 2 * times, below = 2 * at.y + 1 - times + across, right = 2 * at.x + 1 - times + across;
    i64 v = below / across - 1, u = right / across - 1;
    const int* upper = small + max(v, i64(0)) * small_width;
    const int* lower = small + min(v + 1, small_height - 1) * small_width;
    i64 left = max(u, i64(0)), next = min(u + 1, small_width - 1);
    int mine = upper[left];
    if (mine != upper[next] || mine != lower[left] || mine != lower[next])
        mine = largest_share(small, small_height, small_width, v - 2, u - 2, times, below % across, right % across);
    out[at.place] = mine;  // four that agree have at least 60 %
}
