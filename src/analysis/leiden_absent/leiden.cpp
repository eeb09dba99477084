#include "smeta/analysis/leiden.hpp"

#include "smeta/core/error.hpp"

namespace smeta::analysis {

bool have_leiden() {
    return false;
}

std::vector<std::int32_t> leiden(const core::CsrView&, const LeidenOptions&) {
    throw core::ConfigError(
        "this binary was built without Leiden clustering (-DSMETA_LEIDEN=OFF); configure with "
        "-DSMETA_LEIDEN=ON, which needs igraph (GPL)");
}

}  // namespace smeta::analysis
