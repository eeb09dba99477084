#pragma once

#include <string>

namespace smeta::bench {

/// What single-precision products reach on this machine, for comparison: OpenBLAS, loaded at run
/// time where it is installed. OpenBLAS picks its kernels by CPU model; where it does not know an
/// AVX-512 processor and falls back to kernels without AVX, it is loaded again with its SkylakeX
/// kernels, so that the comparison is with the best it has (OPENBLAS_CORETYPE, if set, decides).
class SgemmPeak {
  public:
    SgemmPeak();
    bool found() const { return sgemm_ != nullptr; }
    /// Name of the kernels in use, and of OpenBLAS's own choice; empty without OpenBLAS.
    const std::string& core() const { return core_; }
    const std::string& own_choice() const { return own_choice_; }
    /// GF/s of `threads` threads, each with products of its own of 1,024 x 1,024 matrices; 0
    /// without OpenBLAS.
    double openblas(int threads) const;
    /// The same by nn::product at the shape of a head's tile, 256 x 240 x 128.
    static double ours(int threads);

  private:
    using Sgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*,
                           int, float, float*, int);
    void load();

    void* library_ = nullptr;
    Sgemm sgemm_ = nullptr;
    std::string core_;
    std::string own_choice_;
};

}  // namespace smeta::bench
