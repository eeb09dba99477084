#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/analysis/groups.hpp"
#include "smeta/analysis/interactions.hpp"
#include "smeta/analysis/run_values.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// How the mean of the sender's molecule in the sending group and that of the receiver's in the
/// receiving group make a score: their mean, 0 where one is 0 (CellPhoneDB), or their product
/// (MEBOCOST).
enum class PairScore { Mean, Product };

struct CommunicateOptions {
    PairScore ligand_receptor = PairScore::Mean;
    PairScore metabolite_sensor = PairScore::Product;
    double min_fraction = 0.1;    ///< of a group's spots that must have a molecule, each subunit
    std::int64_t min_spots = 10;  ///< of a group
    std::int64_t permutations = 1000;
    std::uint64_t seed = 1;
    std::int64_t memory = std::int64_t{1} << 30U;  ///< bytes that this rank may use
};

/// One interaction from a group of spots to another, or to itself.
struct Signal {
    std::int32_t interaction = 0;
    std::int32_t sender = 0;  ///< groups
    std::int32_t receiver = 0;
    double sender_mean = 0;  ///< of log-normalised values; of a complex its lowest subunit's
    double receiver_mean = 0;
    double sender_fraction = 0;  ///< of spots above 0, of a complex its rarest subunit's
    double receiver_fraction = 0;
    double score = 0;
    double p_value = 1;     ///< share of shuffles with at least this score, the data counted as one
    double adjusted_p = 1;  ///< Benjamini-Hochberg over all signals of the kind; so the contact's
    std::int64_t contacts = 0;  ///< pairs of neighbouring spots, a sender and a receiver
    /// Mean over the contacts of the product of the molecules' values; NaN without contacts.
    double contact_score = 0;
    double contact_p_value = 1;
    double contact_adjusted_p = 1;
};

/// Every interaction between every two groups in which both sides have min_fraction. p_value:
/// labels of spots are shuffled inside each sample. contact_p_value: spots are shuffled inside each
/// group of each sample, so that what the groups' means and places explain is not significant
/// (Giotto's spatial cell-cell communication). Neighbours: hexagonal or six nearest spots, either
/// way round. Shuffles are dealt to ranks and threads, draws keyed by (seed, sample, shuffle): the
/// same numbers on any number of both. By kind, adjusted p, falling score. ConfigError where memory
/// is too little or nothing can be tested. Every rank gets all. Collective.
std::vector<Signal> find_signals(const comm::Comm& comm, const atlas::Run& run,
                                 const RunValues& values, const Groups& groups,
                                 const std::vector<Interaction>& interactions,
                                 const CommunicateOptions& options);

/// Columns kind, ligand, receptor, type, sender, receiver and those of Signal.
std::string signals_tsv(const std::vector<Signal>& signals,
                        const std::vector<Interaction>& interactions, const Groups& groups);

}  // namespace smeta::analysis
