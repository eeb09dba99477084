#pragma once

#include <optional>
#include <string>

#include "smeta/io/annotated.hpp"
#include "smeta/io/value_policy.hpp"

namespace smeta::io {

/// The two modalities of a joint file; the same rows in both, one may be absent.
struct JointModalities {
    std::optional<AnnData> st;
    std::optional<AnnData> sm;
};

/// True when var has a column `type` with values among ST, SM, SM_pos, SM_neg only.
bool is_joint(const AnnData& data);

/// Splits SpatialMETA's joint layout (spec A1) by var['type'] (ST; SM, SM_pos or SM_neg) into
/// modalities with all obs columns, obsm and uns in each. Values are layers['counts'] where there
/// is one (the published files keep normalised values in X), else X; X is CSR and the policy is
/// applied. Metabolites get `mz` from their names where var has no such column, and `polarity`.
/// Column order within a modality is kept. Throws FormatError naming `file` for another type or
/// none. Local.
JointModalities split_joint(const AnnData& data, const ValuePolicy& values,
                            const std::string& file);

/// The reverse, for export: columns of SM first, then ST, each in bytewise name order, var['type']
/// = SM or ST, other var columns of both (missing text "", missing numbers NaN); obs, obsm and uns
/// of `st` where it is there. Either may be null, not both; rows must be the same (InvariantError).
/// Layers that all given modalities have are joined as well. Local.
AnnData join_modalities(const AnnData* sm, const AnnData* st);

}  // namespace smeta::io
