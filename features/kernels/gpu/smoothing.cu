// Smooth versions of stacks of planes, each plane with a reach of its own; a thread for each value that is given.

#include "common.cuh"

const int BITS = 8 * sizeof(Pixel);  // of a pixel; what is smoothed along rows has 16 bits, a sum of it 32

__device__ u32 rounded(u32 total, int bits) { return (total + (1u << (bits - 1))) >> bits; }

KERNEL smooth_rows(
    const Pixel* planes, i64 height, i64 width, const u32* weights, i64 n_weights, const i64* reaches, i64 n, u16* out
) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    const Pixel* row = planes + (at.place - at.x);
    const u32* weight = weights + at.field * n_weights;
    u32 total = weight[0] * row[at.x];
    for (i64 k = 1; k <= reaches[at.field]; k++)
        total += weight[k] * (u32(row[mirrored(at.x - k, width)]) + row[mirrored(at.x + k, width)]);
    out[at.place] = u16(rounded(total, BITS));
}

KERNEL smooth_columns(
    const u16* along, i64 height, i64 width, const u32* weights, i64 n_weights, const i64* reaches, i64 n, Pixel* out
) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    const u16* column = along + at.field * height * width + at.x;
    const u32* weight = weights + at.field * n_weights;
    u32 total = weight[0] * column[at.y * width];
    for (i64 k = 1; k <= reaches[at.field]; k++) {
        u32 above = column[mirrored(at.y - k, height) * width], below = column[mirrored(at.y + k, height) * width];
        total += weight[k] * (above + below);
    }
    out[at.place] = rounded(total, 32 - BITS);
}

const int BLOCK = 4;  // side of the blocks of local means

// Of each block the sum of its masked pixels (even places) and their number (odd places).
KERNEL sum_blocks(
    const u8* planes, const u8* masks, i64 height, i64 width, i64 n_down, i64 n_along, i64 n, int* out
) {
    StackPlace at(n_down, 2 * n_along);
    if (at.place >= n) return;
    i64 first = at.field * height * width, left = at.x / 2 * BLOCK;
    int total = 0;
    for (i64 y = at.y * BLOCK; y < min((at.y + 1) * BLOCK, height); y++)
        for (i64 x = left; x < min(left + BLOCK, width); x++) {
            i64 k = first + y * width + x;
            total += masks[k] * (at.x % 2 ? 1 : planes[k]);
        }
    out[at.place] = total;
}

KERNEL sum_along(const int* sums, i64 n_down, i64 n_along, const i64* reaches, i64 n, int* out) {
    StackPlace at(n_down, 2 * n_along);
    if (at.place >= n) return;
    const int* row = sums + (at.place - at.x);
    i64 reach = 2 * reaches[at.field];
    int total = 0;
    for (i64 u = at.x - reach; u <= at.x + reach; u += 2)
        if (u >= 0 && u < 2 * n_along) total += row[u];
    out[at.place] = total;
}

KERNEL mean_of_squares(const int* along, i64 n_down, i64 n_along, const i64* reaches, i64 n, u8* out) {
    StackPlace at(n_down, n_along);
    if (at.place >= n) return;
    i64 reach = reaches[at.field];
    int total = 0, count = 0;
    for (i64 v = max(at.y - reach, i64(0)); v <= min(at.y + reach, n_down - 1); v++) {
        const int* both = along + ((at.field * n_down + v) * n_along + at.x) * 2;
        total += both[0];
        count += both[1];
    }
    out[at.place] = u8(total / max(count, 1));
}

__device__ i64 clamped(i64 x, i64 n) { return min(max(x, i64(0)), n - 1); }

// Between the middles of blocks, by eighths of a block in either direction.
KERNEL interpolate(const u8* means, i64 n_down, i64 n_along, i64 height, i64 width, i64 n, u8* out) {
    StackPlace at(height, width);
    if (at.place >= n) return;
    i64 across = 2 * BLOCK, below = 2 * at.y + 1 - BLOCK + across, right = 2 * at.x + 1 - BLOCK + across;
    i64 total = across * across / 2;
    for (i64 j = 0; j < 2; j++)
        for (i64 i = 0; i < 2; i++) {
            i64 v = clamped(below / across - 1 + j, n_down), u = clamped(right / across - 1 + i, n_along);
            i64 down = j ? below % across : across - below % across;
            i64 along = i ? right % across : across - right % across;
            total += down * along * means[(at.field * n_down + v) * n_along + u];
        }
    out[at.place] = u8(total / (across * across));
}
