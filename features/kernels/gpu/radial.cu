// Sums over rings around the nucleus' centre, split in eight wedges; positions in single precision, as on the CPU.

#include "common.cuh"

const int CHANNELS = 4, RINGS = 4, ZONES = 20, WEDGES = 8, STEPS = 12, STEPS_INSIDE = 3;
const int AT_ONCE = 65536;  // pixels of 16 bits whose sum 32 bits hold

// Row and column of a pixel from the top left of its cell's box.
struct Place {
    int y, x;
};

struct Distances {
    float border, inside, outside;
};

struct Zone {
    int wedge, ring, part_ring, band;
};

__device__ Place place_of(int from_corner, int width, int left) {
    int from_row = from_corner + left;
    return {from_row / width, from_row % width - left};
}

__device__ int band_of_step(int step) { return step < 6 ? step : step == 6 ? 5 : step < 11 ? 6 : 7; }

__device__ int ring_of(float inner, float outer) { return int(float(RINGS) * inner / (inner + outer + 0.001f)); }

__device__ Zone zone_of(Place place, Distances to, float centre_y, float centre_x, float per_step) {
    float y = float(place.y) - centre_y, x = float(place.x) - centre_x, away = sqrtf(y * y + x * x);
    bool nuclear = to.inside > 0;
    float inner = nuclear ? away : to.outside, outer = nuclear ? to.inside : to.border;
    float steps = (nuclear ? 0.5f - to.inside : to.outside - 0.5f) * per_step + float(STEPS_INSIDE);
    steps = min(max(steps, 0.0f), float(STEPS - 1));
    int wedge = (y > 0 ? 1 : 0) | (x > 0 ? 2 : 0) | (fabsf(y) > fabsf(x) ? 4 : 0);
    int ring = ring_of(away, to.border), part_ring = ring_of(inner, outer) + (nuclear ? 0 : RINGS);
    return {wedge, ring, part_ring, band_of_step(int(steps))};
}

// The sums of one pixel's channels that the moments are computed from.
struct Moments {
    i64 value, row, column;
    __device__ void add(int level, Place place) {
        value += level;
        row += i64(level) * place.y;
        column += i64(level) * place.x;
    }
};

// A block a cell. Sums stand in 32 bits of shared memory, and go to 64 bits before they can overflow.
KERNEL ring_sums(
    const Pixel* values, const int* boxes, const i64* offsets, const i64* positions, i64 n_values, i64 width,
    const float* to_border, const float* inside, const float* outside, const double* unit, i64* sums, i64* moments,
    i64* nuclei
) {
    __shared__ u32 partial[ZONES * WEDGES * 5];
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    i64 begin = offsets[cell], end = offsets[cell + 1], n_nuclear = 0, sum_y = 0, sum_x = 0;
    if (begin == end) return;
    i64 corner = positions[begin] / width * width + box.left;
    for (i64 k = begin + threadIdx.x; k < end; k += blockDim.x) {
        i64 position = positions[k];
        if (inside[position] <= 0) continue;
        n_nuclear++;
        Place place = place_of(int(position - corner), int(width), box.left);
        sum_y += place.y;
        sum_x += place.x;
    }
    n_nuclear = block_sum(n_nuclear);
    sum_y = block_sum(sum_y);
    sum_x = block_sum(sum_x);
    if (n_nuclear == 0) return;
    if (threadIdx.x == 0) {
        nuclei[3 * cell] = n_nuclear;
        nuclei[3 * cell + 1] = sum_y;
        nuclei[3 * cell + 2] = sum_x;
    }
    float centre_y = float(double(sum_y) / double(n_nuclear)), centre_x = float(double(sum_x) / double(n_nuclear));
    float per_step = float(1 / (0.1 * unit[cell]));
    Moments of_part[2][CHANNELS] = {};
    i64* mine = sums + cell * (ZONES * WEDGES * 5);
    for (i64 start = begin; start < end; start += AT_ONCE) {
        for (int k = threadIdx.x; k < ZONES * WEDGES * 5; k += blockDim.x) partial[k] = 0;
        __syncthreads();
        for (i64 k = start + threadIdx.x; k < min(end, start + AT_ONCE); k += blockDim.x) {
            i64 position = positions[k];
            Place place = place_of(int(position - corner), int(width), box.left);
            Distances distances = {to_border[position], inside[position], outside[position]};
            Zone zone = zone_of(place, distances, centre_y, centre_x, per_step);
            u32* of_zone[3] = {
                partial + (zone.ring * WEDGES + zone.wedge) * 5,
                partial + ((RINGS + zone.part_ring) * WEDGES + zone.wedge) * 5,
                partial + ((3 * RINGS + zone.band) * WEDGES + zone.wedge) * 5
            };
#pragma unroll
            for (int c = 0; c < CHANNELS; c++) {
                int level = values[c * n_values + k];
                for (int z = 0; z < 3; z++) atomicAdd(of_zone[z] + c, u32(level));
                if (zone.part_ring < RINGS) of_part[0][c].add(level, place);
                else of_part[1][c].add(level, place);
            }
            for (int z = 0; z < 3; z++) atomicAdd(of_zone[z] + CHANNELS, 1u);
        }
        __syncthreads();
        for (int k = threadIdx.x; k < ZONES * WEDGES * 5; k += blockDim.x) mine[k] += partial[k];
        __syncthreads();
    }
#pragma unroll
    for (int part = 0; part < 2; part++)
#pragma unroll
        for (int c = 0; c < CHANNELS; c++) {
            const Moments& of = of_part[part][c];
            i64 value = block_sum(of.value), row = block_sum(of.row), column = block_sum(of.column);
            if (threadIdx.x) continue;
            i64* out = moments + ((cell * 2 + part) * CHANNELS + c) * 3;
            out[0] = value;
            out[1] = row;
            out[2] = column;
        }
}
