#include "smeta/preprocess/qc.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::preprocess {

namespace {

std::vector<std::string> prefixes(const QcConfig& config) {
    std::vector<std::string> result = config.drop_prefixes;
    const auto add = [&result](std::initializer_list<const char*> family) {
        result.insert(result.end(), family.begin(), family.end());
    };
    if (config.drop_families == GeneFamilies::Human) add({"MT-", "RPS", "RPL", "HSP", "DNAJ"});
    if (config.drop_families == GeneFamilies::Mouse) add({"mt-", "Rps", "Rpl", "Hsp", "Dnaj"});
    return result;
}

bool begins_with_any(std::string_view name, const std::vector<std::string>& starts) {
    return std::any_of(starts.begin(), starts.end(), [name](const std::string& start) {
        return !start.empty() && name.starts_with(start);
    });
}

void measure_rows(const core::CsrView& x, const std::vector<std::uint8_t>& mitochondrial,
                  ModalityQc& qc) {
    std::int64_t used = 0;
    for (const std::string& reason : qc.features.reason) used += reason.empty() ? 1 : 0;
    for (std::int64_t row = 0; row < x.rows; ++row) {
        double total = 0.0;
        double all = 0.0;
        double mt = 0.0;
        std::int64_t found = 0;
        const auto columns = x.row_indices(row);
        const auto values = x.row_values(row);
        for (std::size_t k = 0; k < columns.size(); ++k) {
            const double value = values[k];
            all += value;
            if (!mitochondrial.empty() && mitochondrial[columns[k]] != 0) mt += value;
            if (!qc.features.reason[columns[k]].empty()) continue;
            total += value;
            found += value > 0.0 ? 1 : 0;
        }
        qc.total.push_back(total);
        qc.mean.push_back(used > 0 ? total / static_cast<double>(used) : 0.0);
        qc.n_features.push_back(found);
        if (!mitochondrial.empty()) qc.mt_fraction.push_back(all > 0.0 ? mt / all : 0.0);
    }
}

std::string pixel_verdict(double total, double mean, const QcConfig& config) {
    if (config.sm_min_total && !(total > *config.sm_min_total)) return "low_total";
    if (config.sm_max_total && !(total < *config.sm_max_total)) return "high_total";
    if (config.sm_min_mean && !(mean > *config.sm_min_mean)) return "low_mean";
    if (config.sm_max_mean && !(mean < *config.sm_max_mean)) return "high_mean";
    return "";
}

std::string spot_verdict(double counts, std::int64_t genes, double mt_fraction,
                         const QcConfig& config) {
    if (config.st_min_counts && counts < *config.st_min_counts) return "low_counts";
    if (config.st_max_counts && counts > *config.st_max_counts) return "high_counts";
    if (config.st_min_genes && genes < *config.st_min_genes) return "few_genes";
    if (config.st_max_genes && genes > *config.st_max_genes) return "many_genes";
    if (config.st_max_mt_fraction && mt_fraction > *config.st_max_mt_fraction)
        return "mitochondrial";
    return "";
}

void count_rows_of_features(const core::CsrView& x, ModalityQc& qc) {
    qc.n_rows.assign(x.cols, 0);
    for (std::int64_t row = 0; row < x.rows; ++row) {
        if (!qc.rows.reason[row].empty()) continue;
        const auto columns = x.row_indices(row);
        const auto values = x.row_values(row);
        for (std::size_t k = 0; k < columns.size(); ++k)
            if (values[k] > 0.0F) ++qc.n_rows[columns[k]];
    }
}

}  // namespace

std::int64_t Verdicts::kept() const {
    return std::count(reason.begin(), reason.end(), std::string());
}

std::map<std::string, std::int64_t> Verdicts::dropped() const {
    std::map<std::string, std::int64_t> counts;
    for (const std::string& text : reason)
        if (!text.empty()) ++counts[text];
    return counts;
}

void Verdicts::check_contract(std::int64_t read) const {
    std::int64_t accounted = kept();
    for (const auto& [text, count] : dropped()) accounted += count;
    core::check(accounted == read, "read = kept + dropped, each with a reason");
}

ModalityQc quality_control(std::string_view modality, const core::CsrView& x,
                           std::span<const std::string> var_names, const QcConfig& config) {
    core::check(static_cast<std::int64_t>(var_names.size()) == x.cols, "one name a feature");
    const bool st = modality == "st";
    const bool sm = modality == "sm";
    ModalityQc qc;
    qc.features.reason.resize(x.cols);
    std::vector<std::uint8_t> mitochondrial;
    if (st) {
        const std::vector<std::string> starts = prefixes(config);
        mitochondrial.resize(x.cols);
        for (std::int32_t f = 0; f < x.cols; ++f) {
            mitochondrial[f] =
                var_names[f].starts_with("MT-") || var_names[f].starts_with("mt-") ? 1 : 0;
            if (begins_with_any(var_names[f], starts)) qc.features.reason[f] = "prefix";
        }
    }
    measure_rows(x, mitochondrial, qc);
    qc.rows.reason.resize(x.rows);
    for (std::int64_t row = 0; row < x.rows; ++row) {
        if (sm) qc.rows.reason[row] = pixel_verdict(qc.total[row], qc.mean[row], config);
        if (st)
            qc.rows.reason[row] =
                spot_verdict(qc.total[row], qc.n_features[row],
                             qc.mt_fraction.empty() ? 0.0 : qc.mt_fraction[row], config);
    }
    count_rows_of_features(x, qc);
    for (std::int32_t f = 0; f < x.cols; ++f) {
        std::string& reason = qc.features.reason[f];
        if (!reason.empty()) continue;
        if (sm && config.sm_min_pixels && qc.n_rows[f] < *config.sm_min_pixels)
            reason = "few_pixels";
        else if (sm && config.sm_max_pixels && qc.n_rows[f] > *config.sm_max_pixels)
            reason = "many_pixels";
        else if (st && config.st_min_spots && qc.n_rows[f] < *config.st_min_spots)
            reason = "few_spots";
    }
    qc.rows.check_contract(x.rows);
    qc.features.check_contract(x.cols);
    return qc;
}

}  // namespace smeta::preprocess
