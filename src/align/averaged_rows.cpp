#include "averaged_rows.hpp"

#include <fmt/format.h>

#include "smeta/io/anndata.hpp"

namespace smeta::align::detail {

namespace {

const std::vector<std::string> kReasons{"not nearest", "out of reach"};

template <class E>
std::string name_of(E value) {
    for (const auto& [known, text] : core::ConfigEnum<E>::kNames)
        if (known == value) return std::string(text);
    return {};
}

}  // namespace

AveragedRows averaged_rows(std::string modality, std::vector<std::string> names,
                           std::vector<std::int64_t> joint_rows,
                           const std::vector<std::uint8_t>& in_reach,
                           const std::vector<double>& totals) {
    AveragedRows result;
    result.modality = std::move(modality);
    io::Categorical reason{{}, kReasons, false};
    double all = 0;
    double used = 0;
    double unreached = 0;
    std::size_t next = 0;  // of in_reach
    for (std::size_t r = 0; r < joint_rows.size(); ++r) {
        const double total = totals.empty() ? 0 : totals[r];
        all += total;
        if (joint_rows[r] > 0) {
            reason.codes.push_back(-1);
            ++result.used;
            used += total;
            continue;
        }
        const auto why =
            in_reach[next++] != 0 ? AveragedRows::NotNearest : AveragedRows::OutOfReach;
        if (why == AveragedRows::OutOfReach) unreached += total;
        reason.codes.push_back(why);
        ++result.dropped[kReasons[why]];
    }
    if (all > 0) {
        result.used_share = used / all;
        result.unreached_share = unreached / all;
    }
    result.rows.index = std::move(names);
    result.rows.set("joint_rows", std::move(joint_rows));
    result.rows.set("reason", std::move(reason));
    return result;
}

std::string describe(const AveragedRows& rows) {
    const auto share = [](const std::optional<double>& value, const char* text) {
        return value ? fmt::format(" ({:.1f} %{})", 100 * *value, text) : std::string();
    };
    std::string text = fmt::format("; {}: {} of {} rows averaged{}", rows.modality, rows.used,
                                   rows.rows.rows(), share(rows.used_share, " of the total"));
    for (const auto& [reason, count] : rows.dropped)
        text += fmt::format(
            ", {} {}{}", count, reason,
            reason == kReasons[AveragedRows::OutOfReach] ? share(rows.unreached_share, "") : "");
    return text;
}

std::map<std::string, atlas::ModalityShape> shapes_of(const std::vector<AveragedRows>& all) {
    std::map<std::string, atlas::ModalityShape> shapes;
    for (const AveragedRows& rows : all)
        shapes[rows.modality] = {rows.used, rows.features, rows.dropped};
    return shapes;
}

void write_averaged_rows(const std::filesystem::path& path, const std::vector<AveragedRows>& all,
                         const ReassignConfig& config) {
    io::MuData data;
    for (const AveragedRows& rows : all) {
        io::UnsDict reassign;
        reassign["target"].value = name_of(config.target);
        reassign["weights"].value = name_of(config.weights);
        if (rows.used_share) reassign["used_share"].value = *rows.used_share;
        if (rows.unreached_share) reassign["unreached_share"].value = *rows.unreached_share;
        io::UnsDict smeta;
        smeta["reassign"].value = std::move(reassign);
        io::AnnData modality;
        modality.obs = rows.rows;
        modality.uns["smeta"].value = std::move(smeta);
        data.modalities.emplace_back(rows.modality, std::move(modality));
    }
    io::write_h5mu(path.string(), data);
}

}  // namespace smeta::align::detail
