#include "sgemm_peak.hpp"

#include <chrono>
#include <cstdlib>
#include <vector>

#include <dlfcn.h>
#include <omp.h>

#include "smeta/nn/gemm.hpp"

namespace smeta::bench {

namespace {

using Clock = std::chrono::steady_clock;

/// `multiply(a, b, c)` on matrices of each thread's own; GF/s of all together.
template <class Multiply>
double rate(int threads, int m, int n, int k, int products, const Multiply& multiply) {
    std::vector<core::MatrixF> a(threads), b(threads), c(threads);
#pragma omp parallel num_threads(threads)
    {
        const int t = omp_get_thread_num();
        a[t] = core::MatrixF::Constant(m, k, 0.5F);
        b[t] = core::MatrixF::Constant(k, n, 0.25F);
        c[t] = core::MatrixF::Zero(m, n);
        multiply(a[t], b[t], c[t]);
    }
    const auto start = Clock::now();
#pragma omp parallel num_threads(threads)
    {
        const int t = omp_get_thread_num();
        for (int i = 0; i < products; ++i) multiply(a[t], b[t], c[t]);
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return 2e-9 * m * n * k * products * threads / seconds;
}

}  // namespace

SgemmPeak::SgemmPeak() {
    load();
    own_choice_ = core_;
    const bool poor = core_ == "Prescott" || core_ == "Core2" || core_ == "Nehalem";
    if (!found() || !poor || !__builtin_cpu_supports("avx512f")) return;
    dlclose(library_);
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
    load();
}

void SgemmPeak::load() {
    sgemm_ = nullptr;
    library_ = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) return;
    sgemm_ = reinterpret_cast<Sgemm>(dlsym(library_, "cblas_sgemm"));
    const auto name = reinterpret_cast<const char* (*)()>(dlsym(library_, "openblas_get_corename"));
    const auto set_threads =
        reinterpret_cast<void (*)(int)>(dlsym(library_, "openblas_set_num_threads"));
    if (name != nullptr) core_ = name();
    // Threads are ours: every product is single-threaded.
    if (set_threads != nullptr) set_threads(1);
}

double SgemmPeak::openblas(int threads) const {
    if (!found()) return 0;
    constexpr int kRowMajor = 101;
    constexpr int kNoTrans = 111;
    constexpr int kSize = 1024;
    return rate(threads, kSize, kSize, kSize, 8, [&](const auto& a, const auto& b, auto& c) {
        sgemm_(kRowMajor, kNoTrans, kNoTrans, kSize, kSize, kSize, 1.0F, a.data(), kSize, b.data(),
               kSize, 0.0F, c.data(), kSize);
    });
}

double SgemmPeak::ours(int threads) {
    return rate(threads, 256, 240, 128, 1000,
                [](const auto& a, const auto& b, auto& c) { nn::product<float>(a, b, c); });
}

}  // namespace smeta::bench
