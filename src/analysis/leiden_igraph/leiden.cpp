#include <memory>

#include <fmt/format.h>
#include <igraph.h>

#include "smeta/core/error.hpp"

#include "../leiden_impl.hpp"

namespace smeta::analysis {
namespace {

// Randomness of the refinement phase, igraph's and leidenalg's usual value.
constexpr double kRefinementRandomness = 0.01;

void checked(igraph_error_t code, const char* what) {
    if (code != IGRAPH_SUCCESS)
        throw core::InvariantError(
            fmt::format("igraph: {} failed: {}", what, igraph_strerror(code)));
}

/// Error codes come back to us instead of ending the process; restored at the end.
class ErrorHandler {
  public:
    ErrorHandler() : before_(igraph_set_error_handler(igraph_error_handler_ignore)) {}
    ~ErrorHandler() { igraph_set_error_handler(before_); }
    ErrorHandler(const ErrorHandler&) = delete;
    ErrorHandler& operator=(const ErrorHandler&) = delete;

  private:
    igraph_error_handler_t* before_;
};

class RealVector {
  public:
    explicit RealVector(igraph_integer_t size) {
        checked(igraph_vector_init(&data_, size), "vector");
    }
    ~RealVector() { igraph_vector_destroy(&data_); }
    RealVector(const RealVector&) = delete;
    RealVector& operator=(const RealVector&) = delete;
    double& operator[](igraph_integer_t i) { return VECTOR(data_)[i]; }
    igraph_vector_t* get() { return &data_; }

  private:
    igraph_vector_t data_;
};

class IntVector {
  public:
    explicit IntVector(igraph_integer_t size) {
        checked(igraph_vector_int_init(&data_, size), "vector");
    }
    ~IntVector() { igraph_vector_int_destroy(&data_); }
    IntVector(const IntVector&) = delete;
    IntVector& operator=(const IntVector&) = delete;
    igraph_integer_t& operator[](igraph_integer_t i) { return VECTOR(data_)[i]; }
    igraph_vector_int_t* get() { return &data_; }
    std::vector<std::int64_t> copy() {
        return {VECTOR(data_), VECTOR(data_) + igraph_vector_int_size(&data_)};
    }

  private:
    igraph_vector_int_t data_;
};

class Graph {
  public:
    Graph(IntVector& edges, igraph_integer_t nodes) {
        checked(igraph_create(&data_, edges.get(), nodes, IGRAPH_UNDIRECTED), "graph");
    }
    ~Graph() { igraph_destroy(&data_); }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    const igraph_t* get() const { return &data_; }

  private:
    igraph_t data_;
};

}  // namespace

bool have_leiden() {
    return true;
}

namespace detail {

std::vector<std::int64_t> leiden_membership(const core::CsrView& weights,
                                            const LeidenOptions& options) {
    const ErrorHandler handler;
    std::int64_t edge_count = 0;
    for (std::int64_t r = 0; r < weights.rows; ++r)
        for (const auto c : weights.row_indices(r)) edge_count += c > r;

    IntVector edges(2 * edge_count);
    RealVector edge_weights(edge_count);
    RealVector strengths(weights.rows);
    double total = 0;
    std::int64_t edge = 0;
    for (std::int64_t r = 0; r < weights.rows; ++r) {
        const auto columns = weights.row_indices(r);
        const auto values = weights.row_values(r);
        for (std::size_t e = 0; e < columns.size(); ++e) {
            if (columns[e] <= r) continue;
            const double weight = values[e];
            edges[2 * edge] = r;
            edges[2 * edge + 1] = columns[e];
            edge_weights[edge++] = weight;
            strengths[r] += weight;
            strengths[columns[e]] += weight;
            total += weight;
        }
    }
    IntVector membership(weights.rows);
    for (std::int64_t r = 0; r < weights.rows; ++r) membership[r] = r;
    if (total > 0) {
        const Graph graph(edges, weights.rows);
        checked(igraph_rng_seed(igraph_rng_default(), options.seed), "seed");
        auto before = membership.copy();
        for (int iteration = 0; iteration < options.iterations; ++iteration) {
            checked(igraph_community_leiden(graph.get(), edge_weights.get(), strengths.get(),
                                            options.resolution / (2 * total), kRefinementRandomness,
                                            iteration > 0, 1, membership.get(), nullptr, nullptr),
                    "Leiden");
            auto after = membership.copy();
            if (after == before) break;
            before = std::move(after);
        }
    }
    return membership.copy();
}

}  // namespace detail

}  // namespace smeta::analysis
