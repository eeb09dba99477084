#include "smeta/analysis/network_stage.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string_view>

#include "smeta/analysis/coordinates.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/tsv.hpp"

#include "array_positions.hpp"

namespace smeta::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::string_view kContribution = "contribution_";

/// What a rank reads of a sample and sends to all.
struct SampleColumns {
    std::vector<double> position;       ///< rows x 2
    std::vector<double> array;          ///< rows x 2; empty: no array positions
    std::string modalities;             ///< each followed by a zero byte
    std::vector<double> contributions;  ///< modality by modality
};

SampleColumns read_sample(const atlas::Run& run, const std::string& sample) {
    const auto result = run.read_result(sample);
    const auto file = run.result_file(sample).string();
    SampleColumns columns;
    const core::MatrixD position = positions_in(result, file);
    columns.position.assign(position.data(), position.data() + position.size());
    columns.array = detail::array_columns(result.obs, file);
    for (const auto& [name, values] : result.obs.columns) {
        if (!name.starts_with(kContribution)) continue;
        columns.modalities.append(name.substr(kContribution.size())).push_back('\0');
        const auto numbers = result.obs.as_number(name, file);
        columns.contributions.insert(columns.contributions.end(), numbers.begin(), numbers.end());
    }
    return columns;
}

/// Linear interpolation between order statistics.
double quantile(const std::vector<double>& ascending, double q) {
    const double at = q * static_cast<double>(ascending.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const auto high = std::min(low + 1, ascending.size() - 1);
    return ascending[low] + (at - static_cast<double>(low)) * (ascending[high] - ascending[low]);
}

/// Values of each (sample, cluster, modality) in canonical order.
using ContributionValues =
    std::map<std::pair<std::string, std::pair<std::int32_t, std::string>>, std::vector<double>>;

void add_contributions(std::vector<Contribution>& all, ContributionValues& values) {
    for (auto& [key, numbers] : values) {
        const auto& [sample, of] = key;
        Contribution entry{sample, of.first, of.second, static_cast<std::int64_t>(numbers.size())};
        entry.mean = std::accumulate(numbers.begin(), numbers.end(), 0.0) /
                     static_cast<double>(numbers.size());
        std::sort(numbers.begin(), numbers.end());
        entry.lower = quantile(numbers, 0.25);
        entry.median = quantile(numbers, 0.5);
        entry.upper = quantile(numbers, 0.75);
        all.push_back(std::move(entry));
    }
}

class NetworkBuilder {
  public:
    NetworkBuilder(const comm::Comm& comm, const atlas::Run& run, const NetworkRequest& request)
        : comm_(comm), request_(request) {
        const auto names = run.samples();
        network_.clusters = read_groups(comm, run, names, request.key);
        read_sections(run, names);
    }

    RunNetwork build() {
        const auto count = network_.clusters.count();
        std::vector<double> radius;
        for (std::int64_t r = 1; r <= request_.radii; ++r) radius.push_back(static_cast<double>(r));
        std::vector<std::vector<Section>> parts;
        if (sections_.size() > 1) parts.push_back(sections_);
        for (const auto& section : sections_) parts.push_back({section});
        std::vector<ClusterTable<double>> distances;
        for (const auto& part : parts) {
            SampleNetwork own;
            own.sample = part.size() > 1 ? kAllSamples : part[0].sample;
            own.spots.assign(count, 0);
            for (const auto& section : part)
                for (const auto cluster : section.clusters)
                    if (cluster >= 0) ++own.spots[cluster];
            own.enrichment =
                neighborhood_enrichment(comm_, part, count, request_.permutations, request_.seed);
            own.co_occurrence = co_occurrence(comm_, part, count, radius);
            if (part.size() == 1) {
                own.distance = cluster_distances(comm_, part[0], count);
                const double spacing = spot_spacing(part[0].position);
                for (auto& distance : own.distance.values) distance /= spacing;
                distances.push_back(own.distance);
            }
            network_.samples.push_back(std::move(own));
        }
        if (sections_.size() > 1) network_.samples[0].distance = mean_of(distances, count);
        return std::move(network_);
    }

  private:
    void read_sections(const atlas::Run& run, const std::vector<std::string>& names) {
        const auto ranks = static_cast<std::size_t>(comm_.size());
        std::vector<SampleColumns> columns(names.size());
        comm_.all_or_throw([&] {
            for (std::size_t s = comm_.rank(); s < names.size(); s += ranks)
                columns[s] = read_sample(run, names[s]);
        });
        ContributionValues values;
        std::size_t first = 0;
        for (std::size_t s = 0; s < names.size(); ++s) {
            const auto owner = static_cast<int>(s % ranks);
            comm_.broadcast(columns[s].position, owner);
            comm_.broadcast(columns[s].array, owner);
            comm_.broadcast(columns[s].modalities, owner);
            comm_.broadcast(columns[s].contributions, owner);
            Section section;
            section.sample = names[s];
            const std::size_t rows = columns[s].position.size() / 2;
            section.position = Eigen::Map<const core::MatrixD>(columns[s].position.data(),
                                                               static_cast<Eigen::Index>(rows), 2);
            const auto codes = network_.clusters.codes.begin() + static_cast<std::ptrdiff_t>(first);
            section.clusters.assign(codes, codes + static_cast<std::ptrdiff_t>(rows));
            section.graph =
                spatial::spatial_graph(section.position, detail::array_positions(columns[s].array));
            collect(section, columns[s], names.size() > 1, values);
            sections_.push_back(std::move(section));
            first += rows;
        }
        add_contributions(network_.contributions, values);
    }

    static void collect(const Section& section, const SampleColumns& columns, bool several,
                        ContributionValues& values) {
        std::size_t at = 0;
        std::size_t text = 0;
        while (text < columns.modalities.size()) {
            const auto end = columns.modalities.find('\0', text);
            const auto modality = columns.modalities.substr(text, end - text);
            text = end + 1;
            for (const auto cluster : section.clusters) {
                const double value = columns.contributions[at++];
                if (cluster < 0 || std::isnan(value)) continue;
                values[{section.sample, {cluster, modality}}].push_back(value);
                if (several) values[{kAllSamples, {cluster, modality}}].push_back(value);
            }
        }
    }

    static ClusterTable<double> mean_of(const std::vector<ClusterTable<double>>& tables,
                                        std::int32_t count) {
        ClusterTable<double> result(count);
        for (std::size_t c = 0; c < result.values.size(); ++c) {
            double sum = 0;
            std::int64_t known = 0;
            for (const auto& table : tables)
                if (!std::isnan(table.values[c])) {
                    sum += table.values[c];
                    ++known;
                }
            result.values[c] = known > 0 ? sum / static_cast<double>(known) : kNaN;
        }
        return result;
    }

    const comm::Comm& comm_;
    NetworkRequest request_;
    std::vector<Section> sections_;
    RunNetwork network_;
};

/// Calls row(network, a, b) for every sample and pair of clusters.
template <class Row>
void for_each_pair(const RunNetwork& network, Row row) {
    const auto count = network.clusters.count();
    for (const auto& sample : network.samples)
        for (std::int32_t a = 0; a < count; ++a)
            for (std::int32_t b = 0; b < count; ++b) row(sample, a, b);
}

}  // namespace

RunNetwork run_network(const comm::Comm& comm, const atlas::Run& run,
                       const NetworkRequest& request) {
    return NetworkBuilder(comm, run, request).build();
}

std::string composition_tsv(const RunNetwork& network) {
    io::TsvText table({"sample", "group", "spots", "share_of_sample", "share_of_group"});
    const auto share = [](std::int64_t part, std::int64_t whole) {
        return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : kNaN;
    };
    const auto& everywhere = network.samples.front();  // of one sample, or of all together
    for (const auto& sample : network.samples) {
        const auto all = std::accumulate(sample.spots.begin(), sample.spots.end(), std::int64_t{0});
        for (std::int32_t g = 0; g < network.clusters.count(); ++g)
            table.row(sample.sample, network.clusters.names[g], sample.spots[g],
                      share(sample.spots[g], all), share(sample.spots[g], everywhere.spots[g]));
    }
    return table.text();
}

std::string enrichment_tsv(const RunNetwork& network) {
    io::TsvText table({"sample", "group", "neighbour", "spots", "neighbour_spots", "edges",
                       "expected", "deviation", "z"});
    const auto& names = network.clusters.names;
    for_each_pair(network, [&](const SampleNetwork& sample, std::int32_t a, std::int32_t b) {
        const auto& e = sample.enrichment;
        table.row(sample.sample, names[a], names[b], sample.spots[a], sample.spots[b],
                  e.count.at(a, b), e.expected.at(a, b), e.deviation.at(a, b), e.z.at(a, b));
    });
    return table.text();
}

std::string co_occurrence_tsv(const RunNetwork& network) {
    io::TsvText table({"sample", "group", "centre", "radius_spacings", "ratio"});
    const auto& names = network.clusters.names;
    for_each_pair(network, [&](const SampleNetwork& sample, std::int32_t a, std::int32_t b) {
        for (std::size_t r = 0; r < sample.co_occurrence.radius.size(); ++r)
            table.row(sample.sample, names[a], names[b], sample.co_occurrence.radius[r],
                      sample.co_occurrence.ratio[r].at(a, b));
    });
    return table.text();
}

std::string distance_tsv(const RunNetwork& network) {
    io::TsvText table({"sample", "group", "other", "distance_spacings", "proximity"});
    const auto& names = network.clusters.names;
    std::map<std::string, ClusterTable<double>> scaled;
    for (const auto& sample : network.samples)
        scaled.emplace(sample.sample, proximity(sample.distance));
    for_each_pair(network, [&](const SampleNetwork& sample, std::int32_t a, std::int32_t b) {
        if (a < b)
            table.row(sample.sample, names[a], names[b], sample.distance.at(a, b),
                      scaled.at(sample.sample).at(a, b));
    });
    return table.text();
}

std::string contribution_tsv(const RunNetwork& network) {
    io::TsvText table({"sample", "group", "modality", "spots", "mean", "lower_quartile", "median",
                       "upper_quartile"});
    for (const auto& entry : network.contributions)
        table.row(entry.sample, network.clusters.names[entry.cluster], entry.modality, entry.spots,
                  entry.mean, entry.lower, entry.median, entry.upper);
    return table.text();
}

}  // namespace smeta::analysis
