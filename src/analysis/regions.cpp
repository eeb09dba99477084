#include "smeta/analysis/regions.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/analysis/coordinates.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/tsv.hpp"
#include "smeta/spatial/polygon.hpp"

namespace smeta::analysis {
namespace {

bool holds(const io::Shape& shape, double x, double y) {
    return std::any_of(shape.polygons.begin(), shape.polygons.end(),
                       [&](const io::Rings& rings) { return spatial::is_inside(rings, x, y); });
}

std::vector<io::Shape> shapes_in(const std::vector<io::Shape>& shapes, const std::string& sample) {
    std::vector<io::Shape> own;
    for (const auto& shape : shapes)
        if (shape.sample == sample) own.push_back(shape);
    return own;
}

std::string extent(const core::MatrixD& points) {
    if (points.rows() == 0) return "nothing";
    return fmt::format("x {:g} ... {:g}, y {:g} ... {:g}", points.col(0).minCoeff(),
                       points.col(0).maxCoeff(), points.col(1).minCoeff(),
                       points.col(1).maxCoeff());
}

core::MatrixD all_vertices(const std::vector<io::Shape>& shapes) {
    std::vector<double> all;
    for (const auto& shape : shapes)
        for (const auto& rings : shape.polygons)
            for (const auto& ring : rings)
                all.insert(all.end(), ring.data(), ring.data() + ring.size());
    return Eigen::Map<const core::MatrixD>(all.data(), static_cast<Eigen::Index>(all.size() / 2),
                                           2);
}

/// Spots of one sample, located.
struct Located {
    std::string sample;
    std::vector<std::string> names;  ///< regions, then kOutside
    std::vector<std::int32_t> codes;
};

/// Columns of something else are not overwritten.
void check_column(const io::Frame& obs, const std::string& column, const std::string& file) {
    const auto* values = obs.find(column);
    if (values == nullptr) return;
    const auto* regions = std::get_if<io::Categorical>(values);
    if (regions == nullptr || std::find(regions->categories.begin(), regions->categories.end(),
                                        kOutside) == regions->categories.end())
        throw core::ConfigError(fmt::format(
            "{} has a column '{}' that is not of regions; --column chooses another name", file,
            column));
}

Located locate_sample(const atlas::Run& run, const std::string& sample, const std::string& file,
                      const std::vector<io::Shape>& shapes, const std::string& column) {
    const auto own = shapes_in(shapes, sample);
    const auto result = run.read_result(sample);
    check_column(result.obs, column, run.result_file(sample).string());
    const auto points = positions_in(result, run.result_file(sample).string());
    Located located{sample, {}, locate(points, own)};
    if (std::all_of(located.codes.begin(), located.codes.end(), [](auto code) { return code < 0; }))
        throw core::FormatError(
            {file, fmt::format("regions of sample '{}'", sample),
             fmt::format("vertices in the coordinates of its spots: {}", extent(points)),
             fmt::format("no spot in any region; the vertices span {}", extent(all_vertices(own))),
             "draw on the full-resolution image, or scale the vertices to obsm['spatial']"});
    for (const auto& shape : own) {
        if (std::count(located.codes.begin(), located.codes.end(),
                       static_cast<std::int32_t>(located.names.size())) == 0)
            core::log_warning("region '{}' of '{}' holds no spot of its own", shape.name, sample);
        located.names.push_back(shape.name);
    }
    const auto outside = static_cast<std::int32_t>(located.names.size());
    located.names.emplace_back(kOutside);
    for (auto& code : located.codes)
        if (code < 0) code = outside;
    return located;
}

double area_of(const std::vector<io::Shape>& shapes, const std::string& sample,
               const std::string& region) {
    const auto found = std::find_if(shapes.begin(), shapes.end(), [&](const io::Shape& shape) {
        return shape.sample == sample && shape.name == region;
    });
    if (found == shapes.end()) return std::numeric_limits<double>::quiet_NaN();
    double area = 0;
    for (const auto& rings : found->polygons) area += spatial::polygon_area(rings);
    return area;
}

std::int64_t count_rows(const atlas::Run& run, const std::string& sample) {
    return run.sample(sample).rows();
}

}  // namespace

void resolve_samples(const atlas::Run& run, const std::string& file, const std::string& sample,
                     std::vector<io::Shape>& shapes) {
    const auto names = run.samples();
    for (auto& shape : shapes) {
        if (shape.sample.empty()) shape.sample = sample;
        if (shape.sample.empty() && names.size() == 1) shape.sample = names.front();
        if (std::find(names.begin(), names.end(), shape.sample) == names.end())
            throw core::FormatError(
                {file, fmt::format("'{}'", shape.name),
                 fmt::format("a sample of run '{}': {}", run.name(), fmt::join(names, ", ")),
                 shape.sample.empty() ? "none" : fmt::format("'{}'", shape.sample),
                 "give --sample, or the property (in a table the column) sample"});
    }
}

std::vector<std::string> samples_of(const atlas::Run& run, const std::vector<io::Shape>& shapes) {
    std::vector<std::string> wanted;
    for (const auto& shape : shapes) wanted.push_back(shape.sample);
    return wanted.empty() ? wanted : chosen_samples(run, wanted);
}

std::vector<std::int32_t> locate(const core::MatrixD& points,
                                 const std::vector<io::Shape>& shapes) {
    std::vector<std::int32_t> codes(points.rows(), -1);
#pragma omp parallel for schedule(static) num_threads(core::threads())
    for (Eigen::Index r = 0; r < points.rows(); ++r)
        for (std::size_t s = 0; s < shapes.size() && codes[r] < 0; ++s)
            if (holds(shapes[s], points(r, 0), points(r, 1)))
                codes[r] = static_cast<std::int32_t>(s);
    return codes;
}

void store_regions(const comm::Comm& comm, const atlas::Run& run, const std::string& file,
                   const std::vector<io::Shape>& shapes, const std::string& column) {
    for (const auto& shape : shapes)
        if (shape.name == kOutside)
            throw core::ConfigError(fmt::format(
                "{}: a region cannot be called '{}', which names the spots in no region", file,
                kOutside));
    atlas::check_name("column", column);
    const auto samples = samples_of(run, shapes);
    const auto ranks = static_cast<std::size_t>(comm.size());
    std::vector<Located> mine;
    comm.all_or_throw([&] {
        for (std::size_t s = comm.rank(); s < samples.size(); s += ranks)
            mine.push_back(locate_sample(run, samples[s], file, shapes, column));
    });
    comm.all_or_throw([&] {
        for (const auto& located : mine)
            run.update_result(located.sample, [&](io::AnnData& result) {
                core::check(result.obs.rows() == static_cast<std::int64_t>(located.codes.size()),
                            "one region a spot");
                result.obs.set(column, io::Categorical{located.codes, located.names});
            });
    });
}

std::string regions_tsv(const atlas::Run& run, const std::vector<std::string>& samples,
                        const Groups& regions, const std::vector<io::Shape>& shapes) {
    io::TsvText table({"sample", "region", "spots", "share", "area"});
    std::int64_t first = 0;
    for (const auto& sample : samples) {
        const auto begin = regions.codes.begin() + first;
        const auto end = begin + count_rows(run, sample);
        const auto known = std::count_if(begin, end, [](auto code) { return code >= 0; });
        for (std::int32_t g = 0; g < regions.count(); ++g) {
            const auto spots = std::count(begin, end, g);
            if (spots > 0)
                table.row(sample, regions.names[g], spots,
                          static_cast<double>(spots) / static_cast<double>(known),
                          area_of(shapes, sample, regions.names[g]));
        }
        first += count_rows(run, sample);
    }
    return table.text();
}

std::string composition_tsv(const atlas::Run& run, const std::vector<std::string>& samples,
                            const Groups& regions, const Groups& parts) {
    io::TsvText table({"sample", "region", parts.key, "spots", "share"});
    std::int64_t first = 0;
    for (const auto& sample : samples) {
        core::Matrix<std::int64_t> counts =
            core::Matrix<std::int64_t>::Zero(regions.count(), parts.count());
        const auto last = first + count_rows(run, sample);
        for (auto row = first; row < last; ++row)
            if (regions.codes[row] >= 0 && parts.codes[row] >= 0)
                ++counts(regions.codes[row], parts.codes[row]);
        for (std::int32_t g = 0; g < regions.count(); ++g)
            for (std::int32_t p = 0; p < parts.count(); ++p)
                if (counts(g, p) > 0)
                    table.row(sample, regions.names[g], parts.names[p], counts(g, p),
                              static_cast<double>(counts(g, p)) /
                                  static_cast<double>(counts.row(g).sum()));
        first = last;
    }
    return table.text();
}

}  // namespace smeta::analysis
