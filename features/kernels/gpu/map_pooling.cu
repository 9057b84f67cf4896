// Maps of a network pooled under each cell.

#include "common.cuh"

// The map pixels of a cell's box: the first row and column, and how many of each.
struct MapBox {
    i64 row, column, down, across;
    __device__ MapBox(const Box& box, const int* rows, const int* columns)
        : row(rows[box.top]), column(columns[box.left]), down(rows[box.top + box.height - 1] - row + 1),
          across(columns[box.left + box.width - 1] - column + 1) {}
};

// A block a cell: adds the weights of its pixels to the map pixels that they lie in. Whole numbers, in any order.
KERNEL sum_weights(
    const int* labels, const int* ids, const u16* weights, const int* field, const int* boxes, const i64* starts,
    const int* rows, const int* columns, i64 height, i64 width, i64* sums
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    MapBox on_map(box, rows, columns);
    i64 image = field[cell] * height * width;
    for (int k = threadIdx.x; k < box.size(); k += blockDim.x) {
        int y = box.top + k / box.width, x = box.left + k % box.width;
        i64 place = image + y * width + x;
        if (labels[place] != ids[cell]) continue;
        i64 at = (rows[y] - on_map.row) * on_map.across + columns[x] - on_map.column;
        atomicAdd((u64*)&sums[starts[cell] + at], u64(weights[place]));
    }
}

// A block a cell, a thread a channel: its mean and standard deviation over the map pixels.
KERNEL pool_maps(
    const float* maps, i64 map_height, i64 map_width, i64 n_channels, const int* field, const int* boxes,
    const i64* starts, const int* rows, const int* columns, i64 height, i64 width, const i64* sums, float* out
) {
    int cell = blockIdx.x;
    Box box(boxes + 4 * cell);
    MapBox on_map(box, rows, columns);
    const i64* mine = sums + starts[cell];
    const float* image = maps + field[cell] * map_height * map_width * n_channels;
    for (i64 channel = threadIdx.x; channel < n_channels; channel += blockDim.x) {
        double total = 0, mean = 0, square = 0;
        for (i64 k = 0; k < on_map.down * on_map.across; k++) {
            if (mine[k] == 0) continue;
            i64 row = on_map.row + k / on_map.across, column = on_map.column + k % on_map.across;
            double weight = double(mine[k]), value = double(image[(row * map_width + column) * n_channels + channel]);
            total += weight;
            mean += weight * value;
            square += weight * value * value;
        }
        mean /= total;
        out[(2 * cell) * n_channels + channel] = float(mean);
        out[(2 * cell + 1) * n_channels + channel] = float(sqrt(max(square / total - mean * mean, 0.0)));
    }
}
