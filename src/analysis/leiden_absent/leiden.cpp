#include "smeta/core/error.hpp"

#include "../leiden_impl.hpp"

namespace smeta::analysis {

bool have_leiden() {
    return false;
}

std::vector<std::int64_t> detail::leiden_membership(const core::CsrView&, const LeidenOptions&) {
    throw core::ConfigError(
        "this binary was built without Leiden clustering (-DSMETA_LEIDEN=OFF); configure with "
        "-DSMETA_LEIDEN=ON, which needs igraph (GPL)");
}

}  // namespace smeta::analysis
