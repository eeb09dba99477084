#include "smeta/report/report_config.hpp"

namespace smeta::report {

void bind(core::ConfigTable& table, ReportConfig& config) {
    table
        .add("report.mixing_spots", config.mixing_spots,
             "spots drawn for the batch mixing scores; 0 leaves them out", {.min = 0})
        .add("report.features", config.features,
             "features of each modality shown measured and reconstructed", {.min = 0, .max = 8});
}

}  // namespace smeta::report
