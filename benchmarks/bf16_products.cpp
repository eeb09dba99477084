// Whether products with bfloat16 inputs and float sums would pay on this processor: one thread, the
// three products of a head of 1,841 features at batch 1,024, by nn::product, by oneDNN in float, by
// oneDNN in bfloat16 with inputs that are so already
// ("bf16"), and with the conversion of both inputs ("bf16_converted"). One JSON line a product and
// round, then medians.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <dnnl.hpp>
#include <nlohmann/json.hpp>
#include <omp.h>

#include "smeta/core/matrix.hpp"
#include "smeta/nn/gemm.hpp"

namespace {

using smeta::core::MatrixF;
using Type = dnnl::memory::data_type;

constexpr int kRounds = 7;
constexpr double kSecondsARound = 0.2;

dnnl::memory::desc row_major(const MatrixF& like, Type type) {
    return {{like.rows(), like.cols()}, type, dnnl::memory::format_tag::ab};
}

/// c = a b by oneDNN.
class Matmul {
  public:
    Matmul(MatrixF& a, MatrixF& b, MatrixF& c, Type inputs)
        : a_(row_major(a, Type::f32), engine_, a.data()),
          b_(row_major(b, Type::f32), engine_, b.data()),
          narrow_a_(row_major(a, inputs), engine_),
          narrow_b_(row_major(b, inputs), engine_),
          c_(row_major(c, Type::f32), engine_, c.data()),
          to_a_(a_, narrow_a_),
          to_b_(b_, narrow_b_),
          matmul_(dnnl::matmul::primitive_desc(
              dnnl::matmul::desc(row_major(a, inputs), row_major(b, inputs),
                                 row_major(c, Type::f32)),
              engine_)) {
        convert();
    }
    void convert() {
        to_a_.execute(stream_, a_, narrow_a_);
        to_b_.execute(stream_, b_, narrow_b_);
        stream_.wait();
    }
    void multiply() {
        matmul_.execute(
            stream_,
            {{DNNL_ARG_SRC, narrow_a_}, {DNNL_ARG_WEIGHTS, narrow_b_}, {DNNL_ARG_DST, c_}});
        stream_.wait();
    }

  private:
    dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream_{engine_};
    dnnl::memory a_, b_, narrow_a_, narrow_b_, c_;
    dnnl::reorder to_a_, to_b_;
    dnnl::matmul matmul_;
};

template <class Multiply>
double gigaflops(double operations, const Multiply& multiply) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    double seconds = 0;
    int times = 0;
    for (; seconds < kSecondsARound; ++times) {
        multiply();
        seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    }
    return times * operations / seconds / 1e9;
}

struct Product {
    std::string name;
    int rows, inner, columns;
};

/// Largest difference over the largest value.
double error(const MatrixF& c, const MatrixF& expected) {
    return (c - expected).cwiseAbs().maxCoeff() / expected.cwiseAbs().maxCoeff();
}

nlohmann::json measure(const Product& product) {
    std::mt19937 draws(1);
    std::normal_distribution<float> normal;
    const auto drawn = [&](int rows, int cols) {
        MatrixF values(rows, cols);
        for (float& value : values.reshaped()) value = normal(draws);
        return values;
    };
    MatrixF a = drawn(product.rows, product.inner);
    MatrixF b = drawn(product.inner, product.columns);
    MatrixF expected(product.rows, product.columns);
    MatrixF c = expected;
    MatrixF narrow = expected;
    Matmul f32(a, b, c, Type::f32);
    Matmul bf16(a, b, narrow, Type::bf16);
    const double operations = 2.0 * product.rows * product.inner * product.columns;
    nlohmann::json line{{"bench", "bf16_products"}, {"product", product.name}};
    line["ours"] = gigaflops(operations, [&] { smeta::nn::product<float>(a, b, expected); });
    line["onednn"] = gigaflops(operations, [&] { f32.multiply(); });
    line["bf16"] = gigaflops(operations, [&] { bf16.multiply(); });
    line["bf16_converted"] = gigaflops(operations, [&] {
        bf16.convert();
        bf16.multiply();
    });
    line["error_onednn"] = error(c, expected);
    line["error_bf16"] = error(narrow, expected);
    return line;
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
}

}  // namespace

int main() {
    omp_set_num_threads(1);
    const std::vector<Product> products{{"logits", 1024, 128, 1841},
                                        {"gradient of the hidden layer", 1024, 1841, 128},
                                        {"gradient of the weights", 128, 1024, 1841}};
    const std::vector<std::string> ways{"ours", "onednn", "bf16", "bf16_converted"};
    std::map<std::string, std::map<std::string, std::vector<double>>> rates;
    for (int round = 0; round < kRounds; ++round)
        for (const Product& product : products) {
            const nlohmann::json line = measure(product);
            for (const std::string& way : ways) rates[product.name][way].push_back(line[way]);
            std::printf("%s\n", line.dump().c_str());
        }
    for (const Product& product : products) {
        nlohmann::json line{{"bench", "bf16_products_median"}, {"product", product.name}};
        for (const std::string& way : ways) line[way] = median(rates[product.name][way]);
        std::printf("%s\n", line.dump().c_str());
    }
}
