// What every source begins with: names of types, and sums and extremes over the threads of a block.
//
// A block may have up to 1024 threads. Every thread of the block must reach these calls; all get the result.

#pragma once

#define KERNEL extern "C" __global__ void

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

const double FURTHEST = 1e300;  // beyond every length and level; CUDA's compiler at run time knows no INFINITY

__device__ inline int warp_lane() { return threadIdx.x & 31; }

struct Add {
    template <class T> __device__ static T join(T a, T b) { return a + b; }
};

struct Least {
    template <class T> __device__ static T join(T a, T b) { return b < a ? b : a; }
};

struct Most {
    template <class T> __device__ static T join(T a, T b) { return b > a ? b : a; }
};

// Joins one value of each thread, in an order that depends on the block's size only: the same bits every time.
template <class Join, class T> __device__ T over_block(T mine, T nothing) {
    __shared__ T of_warp[32];
    __shared__ T of_block;
    for (int step = 16; step > 0; step /= 2) {
        T other = __shfl_down_sync(0xffffffffu, mine, step);
        bool there = warp_lane() + step < 32 && threadIdx.x + step < blockDim.x;
        mine = there ? Join::join(mine, other) : mine;
    }
    if (warp_lane() == 0) of_warp[threadIdx.x / 32] = mine;
    __syncthreads();
    if (threadIdx.x == 0) {
        T all = nothing;
        for (unsigned warp = 0; warp < (blockDim.x + 31) / 32; warp++) all = Join::join(all, of_warp[warp]);
        of_block = all;
    }
    __syncthreads();
    T result = of_block;
    __syncthreads();
    return result;
}

template <class T> __device__ T block_sum(T mine) { return over_block<Add>(mine, T(0)); }
template <class T> __device__ T block_min(T mine, T most) { return over_block<Least>(mine, most); }
template <class T> __device__ T block_max(T mine, T least) { return over_block<Most>(mine, least); }

// The rank of each thread that is `there` among those of the block, in thread order, and how many they are.
__device__ inline int block_rank(bool there, int* total) {
    __shared__ int before_warp[33];
    unsigned votes = __ballot_sync(0xffffffffu, there);
    if (warp_lane() == 0) before_warp[threadIdx.x / 32 + 1] = __popc(votes);
    __syncthreads();
    if (threadIdx.x == 0) {
        before_warp[0] = 0;
        for (unsigned warp = 1; warp <= blockDim.x / 32; warp++) before_warp[warp] += before_warp[warp - 1];
    }
    __syncthreads();
    int rank = before_warp[threadIdx.x / 32] + __popc(votes & ((1u << warp_lane()) - 1));
    *total = before_warp[blockDim.x / 32];
    __syncthreads();
    return rank;
}

// The pixel that stands for all of the part that a pixel is known to belong to: its own parent. Others join parts
// meanwhile, hence volatile.
__device__ inline int root_of(volatile int* parents, int pixel) {
    for (int parent = parents[pixel]; parent != pixel; parent = parents[pixel]) pixel = parent;
    return pixel;
}

// Joins the parts of two pixels: the earlier one stands for both, whoever else joins parts meanwhile.
__device__ inline void join(volatile int* parents, int a, int b) {
    while (true) {
        a = root_of(parents, a);
        b = root_of(parents, b);
        if (a == b) return;
        int later = max(a, b), earlier = min(a, b), before = atomicMin((int*)&parents[later], earlier);
        if (before == later) return;
        a = before;  // another thread joined `later` to it first
        b = earlier;
    }
}

// Otsu's threshold: the last level of the lower class, the first if several divide equally well, the last of all if one
// level holds all; and the variance between the classes.
__device__ inline int otsu_level(const u32* histogram, int n_levels, double* between) {
    i64 n = 0, total = 0, below = 0, moment = 0;
    for (int level = 0; level < n_levels; level++) {
        n += histogram[level];
        total += i64(histogram[level]) * level;
    }
    double mean = double(total) / double(n);
    int at = n_levels - 1;
    *between = -1;
    for (int level = 0; level < n_levels; level++) {
        if (histogram[level] == 0) continue;
        below += histogram[level];
        moment += i64(histogram[level]) * level;
        if (below == n) break;
        double apart = mean * double(below) - double(moment);
        double here = apart * apart / (double(below) * double(n - below));
        if (here > *between) {
            *between = here;
            at = level;
        }
    }
    return at;
}

// The box of a cell, as in boxes[4 * cell]: top, left, bottom, right.
struct Box {
    int top, left, height, width;
    __device__ Box(const int* box) : top(box[0]), left(box[1]), height(box[2] - box[0]), width(box[3] - box[1]) {}
    __device__ int size() const { return height * width; }
};

// A value of a stack of planes: which it is, and where.
struct StackPlace {
    i64 place, field, y, x;
    __device__ StackPlace(i64 height, i64 width)
        : place(i64(blockIdx.x) * blockDim.x + threadIdx.x), field(place / (height * width)),
          y(place / width % height), x(place % width) {}
};

// A place within 0..n-1: mirrored at the ends, which are not repeated.
__device__ inline i64 mirrored(i64 x, i64 n) {
    if (n == 1) return 0;
    x = (x < 0 ? -x : x) % (2 * n - 2);
    return min(x, 2 * n - 2 - x);
}
