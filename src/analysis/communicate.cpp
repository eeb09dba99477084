#include "smeta/analysis/communicate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <tuple>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/tsv.hpp"
#include "smeta/stats/tests.hpp"

#include "signal_scores.hpp"
#include "spot_contacts.hpp"
#include "spot_values.hpp"

namespace smeta::analysis {
namespace {

using detail::ContactScores;
using detail::GroupedRows;
using detail::MeanScores;
using detail::Molecules;

/// Rounding may split values that are equal.
constexpr double kEqual = 1 - 1e-12;

/// Groups with too few spots are left out.
std::vector<std::int32_t> large_groups(const Groups& groups, std::int64_t min_spots) {
    std::vector<std::int64_t> sizes(groups.count(), 0);
    for (const auto code : groups.codes)
        if (code >= 0) ++sizes[code];
    auto codes = groups.codes;
    for (auto& code : codes)
        if (code >= 0 && sizes[code] < min_spots) code = -1;
    return codes;
}

GroupedRows grouped_rows(const RunValues& values, std::int32_t groups,
                         const std::vector<std::int32_t>& codes) {
    GroupedRows rows;
    rows.groups = groups;
    rows.sizes.assign(groups, 0);
    for (std::size_t s = 0; s < values.samples().size(); ++s) {
        for (auto row = values.first_row()[s]; row < values.first_row()[s + 1]; ++row) {
            if (codes[row] < 0) continue;
            rows.code.push_back(codes[row]);
            ++rows.sizes[codes[row]];
        }
        rows.sample.push_back(core::sample_key(values.samples()[s]));
        rows.first.push_back(rows.rows());
    }
    return rows;
}

void shuffle(std::span<std::int32_t> items, const core::Philox& random, std::uint64_t draw) {
    for (std::size_t i = items.size(); i > 1; --i)
        std::swap(items[i - 1], items[random.below(draw + i, i)]);
}

/// Which of a sample's draws a shuffle takes; the neighbourhood enrichment has row 0.
enum class Shuffled : std::uint64_t { Labels = 1, Spots = 2 };

core::Philox draws_of(const CommunicateOptions& options, std::int64_t permutation,
                      std::uint64_t sample, Shuffled what) {
    return {options.seed,
            core::DrawPurpose::Cluster,
            static_cast<std::uint64_t>(permutation) + 1,
            {sample, static_cast<std::uint64_t>(what)}};
}

/// Spots shuffled inside each group of each sample.
class SpotShuffles {
  public:
    explicit SpotShuffles(const GroupedRows& rows) : rows_(rows) {
        for (std::size_t s = 0; s < rows.sample.size(); ++s) {
            members_.emplace_back(rows.groups);
            for (auto r = rows.first[s]; r < rows.first[s + 1]; ++r)
                members_.back()[rows.code[r]].push_back(static_cast<std::int32_t>(r));
        }
    }
    std::vector<std::int32_t> draw(const CommunicateOptions& options,
                                   std::int64_t permutation) const {
        std::vector<std::int32_t> placed(rows_.code.size());
        for (std::size_t s = 0; s < members_.size(); ++s) {
            const auto random = draws_of(options, permutation, rows_.sample[s], Shuffled::Spots);
            std::uint64_t draw = 0;
            for (const auto& members : members_[s]) {
                auto spots = members;
                shuffle(spots, random, draw);
                draw += spots.size() + 1;
                for (std::size_t i = 0; i < members.size(); ++i) placed[members[i]] = spots[i];
            }
        }
        return placed;
    }

  private:
    const GroupedRows& rows_;
    std::vector<std::vector<std::vector<std::int32_t>>> members_;  ///< samples, groups, rows
};

std::vector<std::int32_t> shuffled_labels(const GroupedRows& rows,
                                          const CommunicateOptions& options,
                                          std::int64_t permutation) {
    auto labels = rows.code;
    for (std::size_t s = 0; s < rows.sample.size(); ++s)
        shuffle(std::span(labels).subspan(rows.first[s], rows.first[s + 1] - rows.first[s]),
                draws_of(options, permutation, rows.sample[s], Shuffled::Labels), 0);
    return labels;
}

/// Signals whose both sides are there, by interaction, sender and receiver, with their means.
std::vector<Signal> signals_of(const MeanScores& scores, const Molecules& molecules,
                               const GroupedRows& rows, double min_fraction) {
    const auto means = scores.means(rows.code);
    const auto fractions = scores.fractions();
    std::vector<Signal> signals;
    for (std::size_t k = 0; k < molecules.sender.size(); ++k)
        for (std::int32_t a = 0; a < rows.groups; ++a)
            for (std::int32_t b = 0; b < rows.groups; ++b) {
                Signal signal{
                    .interaction = static_cast<std::int32_t>(k), .sender = a, .receiver = b};
                signal.sender_fraction = fractions(molecules.sender[k], a);
                signal.receiver_fraction = fractions(molecules.receiver[k], b);
                if (rows.sizes[a] == 0 || rows.sizes[b] == 0 || !(signal.sender_fraction > 0) ||
                    !(signal.receiver_fraction > 0) || signal.sender_fraction < min_fraction ||
                    signal.receiver_fraction < min_fraction)
                    continue;
                signal.sender_mean = means(molecules.sender[k], a);
                signal.receiver_mean = means(molecules.receiver[k], b);
                signal.score = scores.score(means, signal);
                signals.push_back(signal);
            }
    return signals;
}

/// How many shuffles have at least a signal's score.
struct Exceeding {
    std::vector<std::int64_t> mean;
    std::vector<std::int64_t> contact;
};

Exceeding count_exceeding(comm::Range permutations, const MeanScores& means,
                          const ContactScores& contacts, const GroupedRows& rows,
                          const std::vector<Signal>& signals, const CommunicateOptions& options) {
    Exceeding all{std::vector<std::int64_t>(signals.size(), 0),
                  std::vector<std::int64_t>(signals.size(), 0)};
    const SpotShuffles shuffles(rows);
#pragma omp parallel num_threads(core::threads())
    {
        Exceeding own{std::vector<std::int64_t>(signals.size(), 0),
                      std::vector<std::int64_t>(signals.size(), 0)};
#pragma omp for schedule(dynamic, 1)
        for (std::int64_t p = permutations.first; p < permutations.last; ++p) {
            const auto of_groups = means.means(shuffled_labels(rows, options, p));
            const auto of_contacts = contacts.scores(shuffles.draw(options, p), signals);
            for (std::size_t i = 0; i < signals.size(); ++i) {
                const auto& signal = signals[i];
                own.mean[i] += means.score(of_groups, signal) >= signal.score * kEqual ? 1 : 0;
                own.contact[i] += of_contacts[i] >= signal.contact_score * kEqual ? 1 : 0;
            }
        }
#pragma omp critical(smeta_communicate_shuffles)
        for (std::size_t i = 0; i < signals.size(); ++i) {
            all.mean[i] += own.mean[i];
            all.contact[i] += own.contact[i];
        }
    }
    return all;
}

/// Adjusts each kind's p-values and brings its signals into the table's order.
void adjust_and_sort(std::vector<Signal>& signals, const std::vector<Interaction>& interactions) {
    const auto kind = [&](const Signal& s) { return interactions[s.interaction].kind; };
    for (const auto wanted : {InteractionKind::LigandReceptor, InteractionKind::MetaboliteSensor}) {
        std::vector<double> p_values;
        std::vector<double> contact;
        for (const auto& s : signals)
            if (kind(s) == wanted) {
                p_values.push_back(s.p_value);
                contact.push_back(s.contact_p_value);
            }
        const auto adjusted = stats::benjamini_hochberg(p_values);
        const auto contact_adjusted = stats::benjamini_hochberg(contact);
        std::size_t next = 0;
        for (auto& s : signals)
            if (kind(s) == wanted) {
                s.adjusted_p = adjusted[next];
                s.contact_adjusted_p = contact_adjusted[next++];
            }
    }
    const auto order = [&](const Signal& s) {
        return std::make_tuple(kind(s), s.adjusted_p, -s.score, s.interaction, s.sender,
                               s.receiver);
    };
    std::sort(signals.begin(), signals.end(),
              [&](const Signal& a, const Signal& b) { return order(a) < order(b); });
}

std::vector<PairScore> scores_of(const std::vector<Interaction>& interactions,
                                 const CommunicateOptions& options) {
    std::vector<PairScore> scores;
    for (const auto& interaction : interactions)
        scores.push_back(interaction.kind == InteractionKind::LigandReceptor
                             ? options.ligand_receptor
                             : options.metabolite_sensor);
    return scores;
}

void require_memory(const Molecules& molecules, std::int64_t rows,
                    const CommunicateOptions& options) {
    const double bytes = static_cast<double>(molecules.features.size() + molecules.parts.size()) *
                         static_cast<double>(rows) * sizeof(float);
    if (bytes > static_cast<double>(options.memory))
        throw core::ConfigError(fmt::format(
            "communication of {} molecules over {} spots needs {:.1f} GB a rank and has {:.1f}: "
            "use --mem, --sample or a smaller table",
            molecules.parts.size(), rows, bytes / 1e9, static_cast<double>(options.memory) / 1e9));
}

}  // namespace

std::vector<Signal> find_signals(const comm::Comm& comm, const atlas::Run& run,
                                 const RunValues& values, const Groups& groups,
                                 const std::vector<Interaction>& interactions,
                                 const CommunicateOptions& options) {
    const auto codes = large_groups(groups, options.min_spots);
    const auto molecules = detail::molecules_of(interactions);
    const auto rows = grouped_rows(values, groups.count(), codes);
    require_memory(molecules, rows.rows(), options);
    const auto matrix = detail::gather_features(comm, values, molecules.features, codes);
    const MeanScores means(matrix, molecules, rows, scores_of(interactions, options));
    auto signals = signals_of(means, molecules, rows, options.min_fraction);
    if (signals.empty())
        throw core::ConfigError(fmt::format(
            "no interaction has both sides in at least {:g} of the spots of any group of '{}' with "
            "{} spots or more",
            options.min_fraction, groups.key, options.min_spots));
    const auto spots = detail::molecule_values(matrix, molecules);
    const auto neighbours = detail::read_contacts(comm, run, values, codes);
    const ContactScores contacts(spots, molecules, rows, neighbours, signals);
    std::vector<std::int32_t> in_place(rows.code.size());
    std::iota(in_place.begin(), in_place.end(), 0);
    const auto observed = contacts.scores(in_place, signals);
    for (std::size_t i = 0; i < signals.size(); ++i) {
        signals[i].contacts = contacts.count(signals[i]);
        signals[i].contact_score = observed[i];
    }
    Exceeding exceeding;
    comm.all_or_throw([&] {
        exceeding =
            count_exceeding(comm::even_share(options.permutations, comm.size(), comm.rank()), means,
                            contacts, rows, signals, options);
    });
    comm.allreduce(std::span<std::int64_t>(exceeding.mean));
    comm.allreduce(std::span<std::int64_t>(exceeding.contact));
    const auto shuffles = static_cast<double>(options.permutations);
    for (std::size_t i = 0; i < signals.size(); ++i) {
        auto& signal = signals[i];
        signal.p_value = (1 + static_cast<double>(exceeding.mean[i])) / (1 + shuffles);
        signal.contact_p_value =
            signal.contacts > 0 ? (1 + static_cast<double>(exceeding.contact[i])) / (1 + shuffles)
                                : std::numeric_limits<double>::quiet_NaN();
    }
    adjust_and_sort(signals, interactions);
    return signals;
}

std::string signals_tsv(const std::vector<Signal>& signals,
                        const std::vector<Interaction>& interactions, const Groups& groups) {
    io::TsvText table({"kind", "ligand", "receptor", "type", "sender", "receiver", "ligand_mean",
                       "receptor_mean", "ligand_fraction", "receptor_fraction", "score", "p_value",
                       "adjusted_p", "contacts", "contact_score", "contact_p_value",
                       "contact_adjusted_p"});
    for (const auto& s : signals) {
        const auto& pair = interactions[s.interaction];
        table.row(to_string(pair.kind), pair.sender, pair.receiver, pair.type,
                  groups.names[s.sender], groups.names[s.receiver], s.sender_mean, s.receiver_mean,
                  s.sender_fraction, s.receiver_fraction, s.score, s.p_value, s.adjusted_p,
                  s.contacts, s.contact_score, s.contact_p_value, s.contact_adjusted_p);
    }
    return table.text();
}

}  // namespace smeta::analysis
