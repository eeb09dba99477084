#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "smeta/analysis/annotate.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/tsv.hpp"

namespace smeta::analysis {
namespace {

constexpr double kEmpty = std::numeric_limits<double>::quiet_NaN();

/// A feature as it travels: its name follows separately.
struct MassNumbers {
    double mz = 0;
    std::int32_t polarity = 0;
};

std::int32_t polarity_of(std::string_view text, Polarity unset) {
    if (text.starts_with("pos") || text == "+") return 1;
    if (text.starts_with("neg") || text == "-") return -1;
    return unset == Polarity::Positive ? 1 : unset == Polarity::Negative ? -1 : 0;
}

/// Features with an m/z of all samples, the first sample that has one decides. Local.
std::map<std::string, MassNumbers> read_masses(const atlas::Run& run,
                                               const std::vector<std::string>& samples,
                                               Polarity unset) {
    std::map<std::string, MassNumbers> found;
    for (const auto& sample : samples) {
        const auto joint = run.open_joint(sample);
        if (!joint.has("sm") || joint.var("sm").find("mz") == nullptr) continue;
        const auto& var = joint.var("sm");
        const auto mz = var.as_number("mz", sample);
        std::vector<std::string> polarity(mz.size());
        if (var.find("polarity") != nullptr) polarity = var.as_text("polarity", sample);
        for (std::size_t f = 0; f < mz.size(); ++f)
            if (std::isfinite(mz[f]) && mz[f] > 0)
                found.emplace(var.index[f], MassNumbers{mz[f], polarity_of(polarity[f], unset)});
    }
    return found;
}

template <class Text>
std::string joined(const Isomers& isomers, const MetaboliteTable& table, const Text& text) {
    std::string result;
    for (const auto m : isomers.metabolites) {
        if (!result.empty()) result += "; ";
        result += text(table.metabolites[m]);
    }
    return result;
}

}  // namespace

std::vector<MassFeature> mass_features(const comm::Comm& comm, const atlas::Run& run,
                                       const std::vector<std::string>& samples, Polarity unset) {
    std::string names;
    std::vector<MassNumbers> numbers;
    comm.root_or_throw([&] {
        for (const auto& [name, mass] : read_masses(run, samples, unset)) {
            names.append(name).push_back('\0');
            numbers.push_back(mass);
        }
    });
    comm.broadcast(names);
    comm.broadcast(numbers);
    if (numbers.empty())
        throw core::FormatError(
            {.file = run.atlas_path().string(),
             .object = "joint files, mod/sm/var",
             .expected = "metabolites with an m/z",
             .found = "none",
             .hint = "annotation needs a column mz, or names such as mz-426.929"});
    std::vector<MassFeature> features;
    std::size_t at = 0;
    for (const auto& mass : numbers) {
        const auto end = names.find('\0', at);
        features.push_back({names.substr(at, end - at), mass.mz, mass.polarity});
        at = end + 1;
        if (mass.polarity == 0)
            throw core::ConfigError(fmt::format(
                "the polarity of metabolite '{}' is not known: say --polarity positive or negative",
                features.back().name));
    }
    std::stable_sort(features.begin(), features.end(),
                     [](const auto& a, const auto& b) { return a.mz < b.mz; });
    return features;
}

std::vector<Adduct> chosen_adducts(const std::vector<std::string>& names,
                                   const std::vector<MassFeature>& features) {
    std::vector<Adduct> adducts;
    for (const std::int32_t sign : {1, -1}) {
        if (std::none_of(features.begin(), features.end(),
                         [&](const auto& feature) { return feature.polarity == sign; }))
            continue;
        std::vector<Adduct> of_sign;
        if (names.empty()) {
            of_sign = usual_adducts(sign);
        } else if (names == std::vector<std::string>{"all"}) {
            of_sign = all_adducts(sign);
        } else if (names == std::vector<std::string>{"fmp10"}) {
            if (sign > 0) of_sign = fmp10_adducts();
        } else {
            for (const auto& text : names) {
                const auto adduct = parse_adduct(text);
                if (adduct.charge * sign > 0) of_sign.push_back(adduct);
            }
        }
        adducts.insert(adducts.end(), of_sign.begin(), of_sign.end());
    }
    std::set<std::string> seen;
    for (const auto& adduct : adducts)
        if (!seen.insert(adduct.name).second)
            throw core::ConfigError(fmt::format("adduct '{}' is named twice", adduct.name));
    if (adducts.empty())
        throw core::ConfigError("none of the adducts has the polarity of the metabolites");
    return adducts;
}

std::string annotations_tsv(const Annotation& annotation, const std::vector<MassFeature>& features,
                            const MetaboliteTable& table, const AnnotateOptions& options) {
    io::TsvText text({"feature", "mz", "polarity", "adduct", "formula", "ion_mz", "ppm_error",
                      "fdr", "isotope_feature", "isotope_expected", "isotope_observed",
                      "isotope_correlation", "isotope_supported", "metabolites", "ids", "names"});
    for (const auto& c : annotation.candidates) {
        const auto& feature = features[c.feature];
        const auto& isomers = table.isomers[c.isomers];
        const bool has_isotope = c.isotope.feature >= 0;
        text.row(feature.name, feature.mz, feature.polarity > 0 ? "pos" : "neg",
                 options.adducts[c.adduct].name, isomers.text, c.mz, c.ppm_error, c.fdr,
                 has_isotope ? features[c.isotope.feature].name : std::string(), c.isotope.expected,
                 has_isotope ? c.isotope.observed : kEmpty,
                 has_isotope ? c.isotope.correlation : kEmpty,
                 !has_isotope               ? ""
                 : c.isotope.is_supported() ? "yes"
                                            : "no",
                 isomers.metabolites.size(),
                 joined(isomers, table, [](const Metabolite& m) { return m.id; }),
                 joined(isomers, table, [](const Metabolite& m) { return m.name; }));
    }
    return text.text();
}

std::string adducts_tsv(const Annotation& annotation, const AnnotateOptions& options) {
    io::TsvText text({"adduct", "charge", "candidates", "features", "decoys", "fdr"});
    const auto add = [&](const std::string& name, std::int32_t charge, const AdductSummary& row) {
        text.row(name, charge, row.candidates, row.features, row.decoys, row.fdr);
    };
    for (std::size_t a = 0; a < options.adducts.size(); ++a)
        add(options.adducts[a].name, options.adducts[a].charge, annotation.adducts[a]);
    add("all", 0, annotation.all);
    return text.text();
}

}  // namespace smeta::analysis
