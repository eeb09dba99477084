#include "gene_id.hpp"

#include <algorithm>

namespace smeta::atlas::detail {

std::vector<std::string> gene_ids(const io::Frame& var) {
    if (var.find("gene_id") == nullptr) return std::vector<std::string>(var.index.size());
    std::vector<std::string> ids = var.as_text("gene_id", "var");
    for (std::string& id : ids) {
        if (id == "nan" || id == "NA") id.clear();
        id.resize(std::min(id.find('.'), id.size()));
    }
    return ids;
}

}  // namespace smeta::atlas::detail
