#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "smeta/analysis/annotate.hpp"
#include "smeta/analysis/run_values.hpp"

namespace smeta::analysis {

enum class InteractionKind { LigandReceptor, MetaboliteSensor };
/// "ligand-receptor", "metabolite-sensor".
std::string to_string(InteractionKind kind);

/// A sender's molecule and a receiver's, as a table names them.
struct NamedInteraction {
    InteractionKind kind = InteractionKind::LigandReceptor;
    std::string sender;             ///< ligand, complexes as A&B; or the metabolite
    std::string receiver;           ///< receptor or sensor, complexes as A&B
    std::string type;               ///< of the table; may be empty
    std::vector<std::string> keys;  ///< identifiers of the metabolite: name, id, formula
    double mz = 0;                  ///< of the metabolite; 0: not given
};

/// CellPhoneDB-style: columns ligand (or source, partner_a, gene_a) and receptor (target,
/// partner_b, gene_b) of gene symbols, complexes joined by '&'; type (classification, pathway)
/// where it is. Rows that repeat a pair count once. FormatError without such columns or pairs.
/// Local.
std::vector<NamedInteraction> read_ligand_receptor(const std::string& path);

/// MEBOCOST-style: columns metabolite (standard_metname, metabolite_name, name) and sensor
/// (gene_name, receptor, gene), and where they are mz, formula, id (hmdb_id, accession) and type
/// (annotation). As above.
std::vector<NamedInteraction> read_metabolite_sensor(const std::string& path);

/// An interaction whose molecules were measured.
struct Interaction {
    InteractionKind kind = InteractionKind::LigandReceptor;
    std::string sender;  ///< a metabolite's name is followed by its m/z: "glutamate [mz_...]"
    std::string receiver;
    std::string type;
    std::vector<std::int32_t> sender_parts;  ///< positions in ValueFeatures; subunits of a complex
    std::vector<std::int32_t> receiver_parts;
};

/// What may tell which measured m/z a metabolite is.
struct MetaboliteKeys {
    std::vector<MassFeature> masses;  ///< for interactions that give an m/z
    double ppm = 5;
    /// Features by identifier, name or formula (in lower case), from tables of annotations.
    std::map<std::string, std::set<std::string>> features;
};

/// tables/NAME.tsv of smeta annotate: features by the ids, names and formulas of their candidates
/// with at most that FDR. Local.
std::map<std::string, std::set<std::string>> read_annotation_keys(const std::string& path,
                                                                  double fdr);

/// The interactions whose subunits are all measured in every sample; of a metabolite one for each
/// m/z that it may be (the name of the feature, else the table's m/z within ppm, else the keys). In
/// the order given. Local.
std::vector<Interaction> measured_interactions(const std::vector<NamedInteraction>& named,
                                               const ValueFeatures& features,
                                               const MetaboliteKeys& keys);

}  // namespace smeta::analysis
