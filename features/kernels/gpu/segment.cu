// Cell finding: splitting touching nuclei at their necks, and flooding a relief from seeds.
//
// Places are those in a field, of which the outermost pixels are 0.

#include "common.cuh"

const int LEVELS = 65536;  // of a relief

// Heights of a field, and for each pixel a pixel further up, in the end its peak: itself on a peak, -1 on dry ground.
struct Hills {
    const u16* heights;
    int *up, width;
    __device__ Hills(const u16* heights, int* up, i64 field, i64 size, i64 width)
        : heights(heights + field * size), up(up + field * size), width(int(width)) {}

    // The order from the top down: higher pixels first, row-major among equals.
    __device__ bool precedes(int a, int b) const {
        return heights[a] > heights[b] || (heights[a] == heights[b] && a < b);
    }

    // Calls look(place) for each of a pixel's neighbours that precede it, in the order of the CPU.
    template <class Look> __device__ void look_up(int pixel, Look look) const {
        const int steps[8] = {-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1};
        for (int k = 0; k < 8; k++)
            if (precedes(pixel + steps[k], pixel)) look(pixel + steps[k]);
    }

    // Calls meet(a, b) for pairs of peaks whose basins meet in a pixel: each neighbour's against that of the highest
    // neighbour before it.
    template <class Meet> __device__ void meetings(int pixel, Meet meet) const {
        int best = 0, mine = -1;
        look_up(pixel, [&](int place) {
            int other = up[place];
            if (mine >= 0 && other != mine) meet(mine, other);
            if (heights[place] > best) {
                mine = other;
                best = heights[place];
            }
        });
    }

    // How many of the pixels listed precede one.
    __device__ int rank(const int* pixels, int n, int pixel) const {
        int before = 0;
        for (int k = 0; k < n; k++) before += precedes(pixels[k], pixel);
        return before;
    }
};

// A thread a pixel: its steepest way up, to the first of equally high neighbours.
KERNEL climb(const u16* heights, i64 n_pixels, i64 size, i64 width, int* up) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= n_pixels) return;
    Hills hills(heights, up, place / size, size, width);
    int pixel = int(place % size), best = 0, to = pixel;
    if (heights[place] == 0) to = -1;
    else
        hills.look_up(pixel, [&](int neighbour) {
            if (hills.heights[neighbour] > best) {
                to = neighbour;
                best = hills.heights[neighbour];
            }
        });
    up[place] = to;
}

// A thread a pixel: where its way up ends.
KERNEL find_peaks(i64 n_pixels, i64 size, int* up) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place < n_pixels && up[place] >= 0) up[place] = root_of(up + place / size * size, int(place % size));
}

// A thread a pixel: lists, in any order, where two basins meet that may be joined. If the saddle is too deep for their
// own peaks, they stay apart there: joining others to them only makes the peaks higher.
KERNEL list_saddles(
    const u16* heights, i64 n_pixels, double neck, i64 size, i64 width, int* up, int* saddles, int* n_saddles
) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x, field = place / size;
    if (place >= n_pixels || heights[place] == 0) return;
    Hills hills(heights, up, field, size, width);
    bool shallow = false;
    hills.meetings(int(place % size), [&](int a, int b) {
        int lower = min(int(hills.heights[a]), int(hills.heights[b]));
        shallow |= heights[place] >= neck * lower;
    });
    if (shallow) saddles[field * size + atomicAdd(&n_saddles[field], 1)] = int(place % size);
}

// A block a field: orders its saddles from the top down. One thread then joins basins there, the later peak to the
// earlier, since whether two are joined depends on those joined before.
KERNEL join_basins(
    const u16* heights, double neck, i64 size, i64 width, const int* saddles, const int* n_saddles, int* ordered,
    int* up
) {
    i64 field = blockIdx.x;
    Hills hills(heights, up, field, size, width);
    const int *mine = saddles + field * size, n = n_saddles[field];
    int* in_order = ordered + field * size;
    for (int k = threadIdx.x; k < n; k += blockDim.x) in_order[hills.rank(mine, n, mine[k])] = mine[k];
    __syncthreads();
    for (int k = 0; threadIdx.x == 0 && k < n; k++) {
        int saddle = in_order[k];
        hills.meetings(saddle, [&](int a, int b) {
            a = root_of(hills.up, a);
            b = root_of(hills.up, b);
            if (a == b) return;
            int high = hills.precedes(a, b) ? a : b, low = a + b - high;
            if (hills.heights[saddle] >= neck * hills.heights[low]) hills.up[low] = high;
        });
    }
}

// A thread a pixel: its lobe, known by its peak, and how many pixels that has.
KERNEL measure_lobes(i64 n_pixels, i64 size, int* up, int* areas) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x, first = place / size * size;
    if (place >= n_pixels || up[place] < 0) return;
    int peak = root_of(up + first, int(place % size));
    up[place] = peak;
    atomicAdd(&areas[first + peak], 1);
}

// A thread a pixel: lists, in any order, the peaks of lobes that are large enough.
KERNEL list_lobes(
    i64 n_pixels, i64 size, const int* up, const int* areas, const i64* smallest, int* lobes, int* n_lobes
) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x, field = place / size;
    if (place >= n_pixels || up[place] != place % size || areas[place] < smallest[field]) return;
    lobes[field * size + atomicAdd(&n_lobes[field], 1)] = int(place % size);
}

// A thread a pixel: the number of its lobe, which is how many lobes have an earlier peak, and one.
KERNEL number_lobes(
    const u16* heights, i64 n_pixels, i64 size, i64 width, int* up, const int* areas, const i64* smallest,
    const int* lobes, const int* n_lobes, int* out
) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x, field = place / size;
    if (place >= n_pixels) return;
    int peak = up[place];
    bool kept = peak >= 0 && areas[field * size + peak] >= smallest[field];
    Hills hills(heights, up, field, size, width);
    out[place] = kept ? hills.rank(lobes + field * size, n_lobes[field], peak) + 1 : 0;
}

const int FREE = -1 - 0x7fffffff;  // ground that no water has reached; threads bid for it with -1, -2, ...

// A thread a pixel: its seed, or free ground, or 0; and how many pixels of each level are free.
KERNEL lay_ground(const int* seeds, const u16* relief, i64 n_pixels, i64 size, int* labels, int* counts) {
    i64 place = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= n_pixels) return;
    bool free = seeds[place] == 0 && relief[place] > 0;
    labels[place] = free ? FREE : seeds[place];
    if (free) atomicAdd(&counts[place / size * LEVELS + relief[place]], 1);
}

// A field under water. Whoever is reached joins the queue of its ground's level or, if that is flooded already, of the
// present level; a pixel joins one queue once.
struct Water {
    const u16* relief;
    const i64* starts;  // of each level's queue in `queues`
    int* queues;
    int* present;  // the queue of the present level, behind those who joined it before it became that
    int* lengths;  // of the queues of higher levels, and of the present one
    int *labels, width;

    // The seeds that have free ground beside them become the present queue, in row-major order.
    __device__ int list_shores(int size) {
        int n = 0;
        for (int from = width; from < size - width; from += blockDim.x) {
            int k = from + threadIdx.x, total;
            bool shore = k < size - width && labels[k] > 0 &&
                         min(min(labels[k - 1], labels[k + 1]), min(labels[k - width], labels[k + width])) < 0;
            int rank = block_rank(shore, &total);
            if (shore) present[n + rank] = k;
            n += total;
        }
        __syncthreads();
        return n;
    }

    // The first pixels of a queue give their labels to the free pixels beside them, a thread a pixel and side. The
    // first thread to bid for a pixel gets it, and it joins its queue behind those of the threads before. Gives back
    // how many pixels that were.
    __device__ int spread(const int* queue, int length, int level) {
        __shared__ int joined[1024];
        const int steps[4] = {-width, -1, 1, width}, thread = threadIdx.x, bid = -1 - thread;
        int taken = min(length, int(blockDim.x) / 4), total;
        int from = thread / 4 < taken ? queue[thread / 4] : -1, to = from + steps[thread % 4];
        bool bids = from >= 0 && labels[to] < 0;
        if (bids) atomicMax(&labels[to], bid);
        __syncthreads();
        bool wins = bids && labels[to] == bid;
        int rank = block_rank(wins, &total), joins = wins ? max(int(relief[to]), level) : 0;
        if (total == 0) return taken;
        if (wins) {
            labels[to] = labels[from];
            joined[rank] = joins;
        }
        __syncthreads();
        if (wins) {
            int place = lengths[joins];
            for (int k = 0; k < rank; k++) place += joined[k] == joins;
            (joins > level ? queues + starts[joins] : present)[place] = to;
        }
        __syncthreads();
        if (wins) atomicAdd(&lengths[joins], 1);
        __syncthreads();
        return taken;
    }

    __device__ void spread_all(const int* queue, int length, int level) {
        for (int k = 0; k < length;) k += spread(queue + k, length - k, level);
    }

    // As before, of the present queue, which grows meanwhile.
    __device__ void spread_present(int level) {
        for (int k = 0; k < lengths[level];) k += spread(present + k, lengths[level] - k, level);
    }

    // Empties the queue of a level for what comes, and gives back how long it was.
    __device__ int begin(int level) {
        int length = lengths[level];
        __syncthreads();
        if (threadIdx.x == 0) lengths[level] = 0;
        __syncthreads();
        return length;
    }

    // The next level whose queue is not empty; beyond the top if there is none.
    __device__ int next_level(int level, int top) const {
        int found = LEVELS;
        for (int from = level + 1; from <= top && found == LEVELS; from += blockDim.x) {
            int mine = from + threadIdx.x;
            found = block_min(mine <= top && lengths[mine] > 0 ? mine : LEVELS, LEVELS);
        }
        return found;
    }
};

// A block a field: floods its levels from the lowest on. A queue is taken by as many pixels at a time as the block has
// threads for, which is as if they were taken one by one: all they reach comes behind them.
KERNEL flood(
    const u16* relief, const i64* tops, i64 size, i64 width, const i64* starts, int* queues, int* present, int* lengths,
    int* labels
) {
    i64 first = blockIdx.x * size, levels = i64(blockIdx.x) * LEVELS;
    Water water = {
        relief + first, starts + levels, queues, present + first, lengths + levels, labels + first, int(width)
    };
    int top = int(tops[blockIdx.x]);
    water.spread_all(present + first, water.list_shores(int(size)), 0);
    for (int level = water.next_level(0, top); level <= top; level = water.next_level(level, top)) {
        int length = water.begin(level);
        water.spread_all(queues + water.starts[level], length, level);
        water.spread_present(level);
    }
}
