#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/analysis/formula.hpp"

namespace smeta::analysis {

/// One row of a table of metabolites.
struct Metabolite {
    std::string id;  ///< accession; the name where the table has none
    std::string name;
    std::string main_class;  ///< column "class"; may be empty
    std::string sub_class;
};

/// Metabolites with the same atoms: what a mass can tell.
struct Isomers {
    Formula formula;
    std::string text;                       ///< in Hill order
    std::vector<std::int32_t> metabolites;  ///< positions in the table, in its order
};

struct MetaboliteTable {
    std::string file;
    std::vector<Metabolite> metabolites;
    std::vector<Isomers> isomers;  ///< by text
    std::int64_t unread = 0;       ///< rows whose formula is none (charged, residues, empty)
};

/// Reads HMDB, CoreMetabolome, LIPID MAPS or any delimited table (plain or gzip) with a header:
/// columns formula or chemical_formula; name, mol_name or common_name; and where there are
/// accession, id, mol_id, hmdb_id or lm_id; class; sub_class. Upper and lower case are equal.
/// FormatError where formula or name is missing, or no row has a formula. Local.
MetaboliteTable read_metabolites(const std::string& path);

}  // namespace smeta::analysis
