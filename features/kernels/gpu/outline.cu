// Outlines of stacks of binary masks and label images.

#include "common.cuh"

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
