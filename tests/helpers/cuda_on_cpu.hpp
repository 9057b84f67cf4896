// CUDA's words for a C++ compiler: a kernel's blocks run one after the other, the threads of a block as coroutines that
// change at barriers and warp exchanges. Threads run upwards or downwards, so that a missing barrier shows.

#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __shared__ static
#define __constant__ static const
#define __launch_bounds__(...)

struct Index { unsigned x, y, z; };
static Index gridDim, blockDim, blockIdx, threadIdx;
static unsigned char* emulated_shared;

namespace emulated {
enum State { running, at_warp, at_block, ended };
struct Thread {  // a coroutine that lives on: it runs the kernel once for each block
    jmp_buf context;
    State state;
    bool begun;
    unsigned exchanges;
    char* stack;
};
static jmp_buf scheduler;
static ucontext_t start;  // only to begin a coroutine on its stack; later changes are jumps, which ask no kernel
static Thread threads[1024];
static unsigned current;
static void (*body)(void**);
static void** given;
static unsigned char slots[2][1024][16];  // what each lane shows to the others, for odd and even exchanges

static void wait(State state) {
    threads[current].state = state;
    if (!_setjmp(threads[current].context)) _longjmp(scheduler, 1);
}

static void live() {
    while (true) {
        body(given);
        wait(ended);
    }
}

static void resume(unsigned t) {
    Thread& thread = threads[t];
    current = t;
    threadIdx = {t, 0, 0};
    if (_setjmp(scheduler)) return;
    if (thread.begun) _longjmp(thread.context, 1);
    thread.begun = true;
    thread.stack = (char*)malloc(128 * 1024);
    getcontext(&start);
    start.uc_stack.ss_sp = thread.stack;
    start.uc_stack.ss_size = 128 * 1024;
    makecontext(&start, live, 0);
    setcontext(&start);
}

static bool release(unsigned first, unsigned end, State waiting) {
    bool any = false;
    for (unsigned t = first; t < end; t++) {
        if (threads[t].state != waiting && threads[t].state != ended) return false;
        any |= threads[t].state == waiting;
    }
    for (unsigned t = first; t < end; t++)
        if (threads[t].state == waiting) threads[t].state = running;
    return any;
}

static void run_block(bool downwards) {
    unsigned n = blockDim.x;
    for (unsigned t = 0; t < n; t++) {
        threads[t].state = running;
        threads[t].exchanges = 0;
    }
    while (true) {
        for (unsigned k = 0; k < n; k++) {
            unsigned t = downwards ? n - 1 - k : k;
            if (threads[t].state == running) resume(t);
        }
        bool released = false;
        for (unsigned t = 0; t < n; t += 32) released |= release(t, t + 32, at_warp);
        if (released || release(0, n, at_block)) continue;
        for (unsigned t = 0; t < n; t++)
            if (threads[t].state != ended) {
                fprintf(stderr, "block %u: its threads wait at different barriers\n", blockIdx.x);
                abort();
            }
        return;
    }
}

static void run(void (*kernel)(void**), void** arguments, unsigned blocks, unsigned n, long shared, int downwards) {
    body = kernel;
    given = arguments;
    gridDim = {blocks, 1, 1};
    blockDim = {n, 1, 1};
    emulated_shared = (unsigned char*)aligned_alloc(64, (shared + 127) / 64 * 64);
    for (unsigned k = 0; k < blocks; k++) {
        blockIdx = {downwards ? blocks - 1 - k : k, 0, 0};
        memset(emulated_shared, 0xA5, shared);
        run_block(downwards);
    }
    free(emulated_shared);
}

// Shows a value to the warp and gives the slots of all its lanes; they hold until the exchange after the next.
template <class T> unsigned char (*show(T mine))[16] {
    static_assert(sizeof(T) <= 16, "a lane shows at most 16 bytes");
    unsigned char(*shown)[16] = slots[threads[current].exchanges++ % 2];
    memcpy(shown[current], &mine, sizeof(T));
    wait(at_warp);
    return shown + current / 32 * 32;
}

template <class T> T exchange(T mine, unsigned from) {
    unsigned char(*shown)[16] = show(mine);
    T other = mine;
    if (from < 32) memcpy(&other, shown[from], sizeof(T));
    return other;
}
}  // namespace emulated

static inline void __syncthreads() { emulated::wait(emulated::at_block); }
static inline void __syncwarp(unsigned = 0xffffffffu) { emulated::wait(emulated::at_warp); }
static inline void __threadfence() {}
static inline void __threadfence_block() {}

template <class T> T __shfl_sync(unsigned, T v, int lane) { return emulated::exchange(v, lane & 31); }
template <class T> T __shfl_down_sync(unsigned, T v, unsigned step) {
    return emulated::exchange(v, threadIdx.x % 32 + step);
}
template <class T> T __shfl_up_sync(unsigned, T v, unsigned step) {
    return emulated::exchange(v, threadIdx.x % 32 - step);  // wraps above 31 where there is no such lane
}
template <class T> T __shfl_xor_sync(unsigned, T v, int mask) { return emulated::exchange(v, (threadIdx.x % 32) ^ mask); }
static inline unsigned __ballot_sync(unsigned, int predicate) {
    unsigned char(*shown)[16] = emulated::show((unsigned char)(predicate != 0));
    unsigned votes = 0;
    for (unsigned lane = 0; lane < 32; lane++) votes |= unsigned(shown[lane][0]) << lane;
    return votes;
}
static inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
static inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == 0xffffffffu; }

template <class T> struct plain { typedef T type; };

// Each atomic exists for some types only.
template <class T, class... Types> constexpr bool one_of = (std::is_same<T, Types>::value || ...);
template <class T> constexpr bool is_word = one_of<T, int, unsigned, unsigned long long>;

#define ATOMIC(name, result, there) \
    template <class T> T name(T* at, typename plain<T>::type v) { \
        static_assert(there, #name " of a type for which CUDA has none"); \
        T old = *at; \
        *at = result; \
        return old; \
    }
ATOMIC(atomicAdd, old + v, (is_word<T> || one_of<T, float, double>))
ATOMIC(atomicSub, old - v, (one_of<T, int, unsigned>))
ATOMIC(atomicMin, v < old ? v : old, (is_word<T> || one_of<T, long long>))
ATOMIC(atomicMax, v > old ? v : old, (is_word<T> || one_of<T, long long>))
ATOMIC(atomicOr, old | v, (is_word<T>))
ATOMIC(atomicAnd, old & v, (is_word<T>))
ATOMIC(atomicExch, v, (is_word<T> || one_of<T, float>))

template <class T> T atomicCAS(T* at, typename plain<T>::type expected, typename plain<T>::type v) {
    static_assert(is_word<T> || one_of<T, unsigned short>, "atomicCAS of a type for which CUDA has none");
    T old = *at;
    if (old == expected) *at = v;
    return old;
}

template <class A, class B> typename std::common_type<A, B>::type min(A a, B b) {
    typedef typename std::common_type<A, B>::type C;
    return C(b) < C(a) ? C(b) : C(a);
}
template <class A, class B> typename std::common_type<A, B>::type max(A a, B b) {
    typedef typename std::common_type<A, B>::type C;
    return C(b) > C(a) ? C(b) : C(a);
}
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
static inline int __ffs(int v) { return __builtin_ffs(v); }
static inline int __ffsll(long long v) { return __builtin_ffsll(v); }
static inline int __clz(int v) { return v ? __builtin_clz(v) : 32; }
static inline int __clzll(long long v) { return v ? __builtin_clzll(v) : 64; }
static inline unsigned __vmaxu2(unsigned a, unsigned b) {
    return std::max(a & 0xffff0000u, b & 0xffff0000u) | std::max(a & 0xffffu, b & 0xffffu);
}
template <class T> T __ldg(const T* at) { return *at; }
static inline long long __double_as_longlong(double v) { long long r; memcpy(&r, &v, 8); return r; }
static inline double __longlong_as_double(long long v) { double r; memcpy(&r, &v, 8); return r; }
static inline int __float_as_int(float v) { int r; memcpy(&r, &v, 4); return r; }
static inline float __int_as_float(int v) { float r; memcpy(&r, &v, 4); return r; }
static inline unsigned __float_as_uint(float v) { unsigned r; memcpy(&r, &v, 4); return r; }
static inline float __uint_as_float(unsigned v) { float r; memcpy(&r, &v, 4); return r; }
