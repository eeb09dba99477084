#include "support/section_pair.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "support/simulated_tissue.hpp"

namespace smeta::test {

namespace {

constexpr double kPi = std::numbers::pi;

/// Places of a lattice inside the tissue; `pull` maps a lattice place to the tissue's frame.
template <class Pull>
core::MatrixD lattice(double pitch, bool hexagonal, double reach, Pull&& inside) {
    std::vector<double> found;
    const double row_height = hexagonal ? pitch * std::sqrt(3.0) / 2 : pitch;
    const auto rows = static_cast<std::int64_t>(reach / row_height) + 1;
    const auto columns = static_cast<std::int64_t>(reach / pitch) + 1;
    for (std::int64_t j = -rows; j <= rows; ++j)
        for (std::int64_t i = -columns; i <= columns; ++i) {
            const double shift = hexagonal && j % 2 != 0 ? 0.5 : 0.0;
            const Place p{(static_cast<double>(i) + shift) * pitch,
                          static_cast<double>(j) * row_height};
            if (!inside(p)) continue;
            found.push_back(p[0]);
            found.push_back(p[1]);
        }
    return Eigen::Map<core::MatrixD>(found.data(), static_cast<Eigen::Index>(found.size() / 2), 2);
}

/// A smooth displacement: few long waves, scaled so that the largest over the tissue is `most`.
struct Distortion {
    std::array<std::array<std::array<double, 4>, 3>, 2> waves{};  ///< fx, fy, phase, height
    double scale = 0;
    Place operator()(Place p) const {
        Place d{0, 0};
        for (int c = 0; c < 2; ++c)
            for (const auto& w : waves[c])
                d[c] += scale * w[3] * std::sin(2 * kPi * (w[0] * p[0] + w[1] * p[1]) + w[2]);
        return d;
    }
};

Distortion draw_distortion(Draws& draws, double most, const Tissue& tissue) {
    Distortion distortion;
    for (auto& component : distortion.waves)
        for (auto& wave : component) {
            const double angle = draws.uniform(0, 2 * kPi);
            const double frequency = draws.uniform(0.3, 0.9);
            wave = {frequency * std::cos(angle), frequency * std::sin(angle),
                    draws.uniform(0, 2 * kPi), draws.uniform(0.3, 1)};
        }
    distortion.scale = 1;
    Place mean{0, 0};
    double largest = 0;
    std::vector<Place> all;
    for (double y = -1.2; y <= 1.2; y += 0.03)
        for (double x = -1.2; x <= 1.2; x += 0.03)
            if (tissue.inside({x, y})) all.push_back(distortion({x, y}));
    for (const Place& d : all)
        for (int c = 0; c < 2; ++c) mean[c] += d[c] / static_cast<double>(all.size());
    for (const Place& d : all)
        largest = std::max(largest, std::hypot(d[0] - mean[0], d[1] - mean[1]));
    distortion.scale = most / largest;
    return distortion;
}

std::vector<double> pattern_values(const Tissue& tissue, Place p) {
    std::vector<double> values;
    for (const Pattern& pattern : tissue.patterns) values.push_back(pattern(p));
    return values;
}

/// Random mixtures of the shared patterns and of one modality's own.
core::MatrixD draw_mixture(Draws& draws, int features, int own_first) {
    core::MatrixD mixture = core::MatrixD::Zero(features, kShared + 2 * kPrivate);
    for (int f = 0; f < features; ++f) {
        const auto main = static_cast<int>(draws.uniform(0, kShared));
        mixture(f, main) = 0.7 * draws.normal();
        mixture(f, static_cast<int>(draws.uniform(0, kShared))) += 0.3 * draws.normal();
        mixture(f, own_first + static_cast<int>(draws.uniform(0, kPrivate))) = 0.4 * draws.normal();
    }
    return mixture;
}

core::CountsCsr express(std::uint64_t seed, const Tissue& tissue, const std::vector<Place>& places,
                        bool counts) {
    Draws draws(seed, counts ? 10 : 11);
    const int features = counts ? 60 : 40;
    const core::MatrixD mixture = draw_mixture(draws, features, kShared + (counts ? 0 : kPrivate));
    std::vector<double> level(features);
    for (double& l : level) l = counts ? draws.uniform(-1, 2) : draws.uniform(2, 6);
    core::CountsCsr values;
    values.cols = features;
    for (const Place& place : places) {
        const std::vector<double> patterns = pattern_values(tissue, place);
        const double depth = 0.3 * draws.normal();
        std::vector<std::int32_t> columns;
        std::vector<float> row;
        for (int f = 0; f < features; ++f) {
            double log_value = level[f] + depth;
            for (std::size_t k = 0; k < patterns.size(); ++k)
                log_value += mixture(f, static_cast<Eigen::Index>(k)) * patterns[k];
            const double value = counts ? static_cast<double>(draws.poisson(std::exp(log_value)))
                                        : std::exp(log_value + 0.5 * draws.normal());
            if (value <= 0) continue;
            columns.push_back(f);
            row.push_back(static_cast<float>(value));
        }
        values.append_row(columns, row);
    }
    return values;
}

struct SelfMatch {
    double overlap = 0;
    double correlation = 0;
};

/// The tissue against itself turned by `angle` (after a mirror) about its centroid.
SelfMatch match_itself(const Tissue& tissue, const std::vector<Place>& cells, Place centre,
                       double angle, bool mirror) {
    const double c = std::cos(angle);
    const double s = std::sin(angle);
    std::vector<std::pair<Place, Place>> both;
    for (const Place& p : cells) {
        const double dx = (mirror ? -1 : 1) * (p[0] - centre[0]);
        const double dy = p[1] - centre[1];
        const Place q{centre[0] + c * dx - s * dy, centre[1] + s * dx + c * dy};
        if (tissue.inside(q)) both.emplace_back(p, q);
    }
    const auto n = static_cast<double>(both.size());
    SelfMatch match;
    match.overlap = n / (2 * static_cast<double>(cells.size()) - n);
    if (match.overlap <= 0.95) return match;
    // All shared patterns together, each centred.
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int k = 0; k < kShared; ++k) {
        Eigen::VectorXd here(both.size());
        Eigen::VectorXd there(both.size());
        for (std::size_t i = 0; i < both.size(); ++i) {
            here[static_cast<Eigen::Index>(i)] = tissue.patterns[k](both[i].first);
            there[static_cast<Eigen::Index>(i)] = tissue.patterns[k](both[i].second);
        }
        here.array() -= here.mean();
        there.array() -= there.mean();
        ab += here.dot(there);
        aa += here.squaredNorm();
        bb += there.squaredNorm();
    }
    match.correlation = ab / std::sqrt(aa * bb);
    return match;
}

bool is_symmetric(const Tissue& tissue) {
    constexpr double kStep = 0.02;
    std::vector<Place> cells;
    Place centre{0, 0};
    for (double y = -1.2; y <= 1.2; y += kStep)
        for (double x = -1.2; x <= 1.2; x += kStep)
            if (tissue.inside({x, y})) {
                cells.push_back({x, y});
                centre[0] += x;
                centre[1] += y;
            }
    centre[0] /= static_cast<double>(cells.size());
    centre[1] /= static_cast<double>(cells.size());
    for (int degrees = 0; degrees < 360; degrees += 3)
        for (const bool mirror : {false, true}) {
            if (!mirror && (degrees < 30 || degrees > 330)) continue;  // this is no other pose
            const SelfMatch match =
                match_itself(tissue, cells, centre, degrees * kPi / 180, mirror);
            if (match.overlap > 0.95 && match.correlation > 0.9) return true;
        }
    return false;
}

/// Takes away the points of one side.
std::vector<std::int64_t> without_side(Draws& draws, const core::MatrixD& points) {
    const double angle = draws.uniform(0, 2 * kPi);
    std::vector<double> along(points.rows());
    for (Eigen::Index r = 0; r < points.rows(); ++r)
        along[r] = std::cos(angle) * points(r, 0) + std::sin(angle) * points(r, 1);
    std::vector<double> sorted = along;
    std::sort(sorted.begin(), sorted.end());
    const double limit = sorted[static_cast<std::size_t>(0.8 * static_cast<double>(sorted.size()))];
    std::vector<std::int64_t> rows;
    for (Eigen::Index r = 0; r < points.rows(); ++r)
        if (along[r] < limit) rows.push_back(r);
    return rows;
}

core::MatrixD rows_of(const core::MatrixD& points, const std::vector<std::int64_t>& rows) {
    core::MatrixD kept(rows.size(), points.cols());
    for (std::size_t r = 0; r < rows.size(); ++r) kept.row(r) = points.row(rows[r]);
    return kept;
}

std::vector<Place> places_of(const core::MatrixD& points) {
    std::vector<Place> places(points.rows());
    for (Eigen::Index r = 0; r < points.rows(); ++r) places[r] = {points(r, 0), points(r, 1)};
    return places;
}

}  // namespace

SimulatedPair simulate_pair(std::uint64_t seed) {
    const Tissue tissue = draw_tissue(seed);
    Draws draws(seed, 2);
    SimulatedPair pair;
    pair.symmetric = is_symmetric(tissue);
    const double spots = std::exp(draws.uniform(std::log(500.0), std::log(2500.0)));
    const double ratio = std::exp(draws.uniform(std::log(0.3), std::log(3.0)));
    const double st_pitch = std::sqrt(2 / std::sqrt(3.0) / spots);
    const double sm_pitch = ratio * st_pitch;
    pair.distortion = draws.uniform(0, 0.1);
    const Distortion distortion = draw_distortion(draws, pair.distortion, tissue);

    // The tissue's frame is that of ST; SM coordinates x give the place L x + distortion(L x).
    const double angle = draws.uniform(0, 2 * kPi);
    const bool mirror = draws.uniform(0, 1) < 0.5;
    const double scale = std::exp(draws.uniform(std::log(0.5), std::log(2.0)));
    pair.anisotropy = draws.uniform(1, 1.25);
    const double sx = scale * std::sqrt(pair.anisotropy) * (mirror ? -1 : 1);
    const double sy = scale / std::sqrt(pair.anisotropy);
    pair.linear = {std::cos(angle) * sx, -std::sin(angle) * sy, std::sin(angle) * sx,
                   std::cos(angle) * sy};
    const Place origin{draws.uniform(-100, 100), draws.uniform(-100, 100)};
    const auto to_tissue = [&](Place x) {
        const Place p{pair.linear[0] * x[0] + pair.linear[1] * x[1],
                      pair.linear[2] * x[0] + pair.linear[3] * x[1]};
        const Place d = distortion(p);
        return Place{p[0] + d[0], p[1] + d[1]};
    };

    core::MatrixD st = lattice(st_pitch, true, 1.5, [&](Place p) { return tissue.inside(p); });
    core::MatrixD sm = lattice(sm_pitch / scale, false, 2.2 / scale,
                               [&](Place x) { return tissue.inside(to_tissue(x)); });
    const double missing = draws.uniform(0, 3);
    if (missing < 1) {
        pair.missing = missing < 0.5 ? MissingSide::St : MissingSide::Sm;
        core::MatrixD& cut = missing < 0.5 ? st : sm;
        cut = rows_of(cut, without_side(draws, cut));
    }
    pair.truth.resize(sm.rows(), 2);
    pair.shared.resize(sm.rows());
    for (Eigen::Index r = 0; r < sm.rows(); ++r) {
        const Place q = to_tissue({sm(r, 0), sm(r, 1)});
        pair.truth.row(r) << q[0], q[1];
        const double nearest =
            (st.rowwise() - Eigen::RowVector2d(q[0], q[1])).rowwise().norm().minCoeff();
        pair.shared[r] = nearest <= std::max(st_pitch, sm_pitch);
    }
    pair.st.values = express(seed, tissue, places_of(st), true);
    pair.sm.values = express(seed, tissue, places_of(pair.truth), false);
    // Units and origins of the instruments.
    constexpr double kStUnit = 4000;
    pair.st.points = st * kStUnit;
    pair.truth *= kStUnit;
    pair.sm.points = (sm * kStUnit).rowwise() + Eigen::RowVector2d(origin[0], origin[1]);
    pair.st.pitch = st_pitch * kStUnit;
    pair.sm.pitch = sm_pitch / scale * kStUnit;
    pair.length = kStUnit;
    pair.coarser_pitch = std::max(st_pitch, sm_pitch) * kStUnit;
    return pair;
}

}  // namespace smeta::test
