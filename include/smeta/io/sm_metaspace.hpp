#pragma once

#include <string>

#include "smeta/io/annotated.hpp"
#include "smeta/io/value_policy.hpp"

namespace smeta::io {

/// Whether a table, plain or gzip, is METASPACE's "pixel intensities" export: after comment lines
/// (#) a header that begins with mol_formula, adduct, mz. IoError. Local.
bool is_metaspace_csv(const std::string& path);

/// METASPACE's export of the ion images of the annotations that were shown, one a line:
/// mol_formula, adduct, mz, moleculeNames, moleculeIds, then an intensity for each pixel, column
/// xX_yY (github.com/metaspace2020/metaspace, AnnotationTable.vue). Rows px_X_Y, obsm["spatial"] =
/// (x, y), unit "raster"; the rectangle's pixels off the sample, whose sum is 0, are left out and
/// counted. Metabolites are named FORMULA ADDUCT without a blank ("C6H13O6+H"); var has mz,
/// ion_formula, adduct, molecule_names and polarity: "neg" for adducts that lose atoms or add Cl,
/// else "pos". Memory: the stored values twice. X is CSR float32. IoError, FormatError (line and
/// column). Local.
AnnData read_metaspace_csv(const std::string& path, const ValuePolicy& values = {});

}  // namespace smeta::io
