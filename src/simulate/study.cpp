#include "smeta/simulate/study.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "smeta/core/config.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/progress.hpp"

#include "sample_files.hpp"
#include "section.hpp"
#include "text_file.hpp"
#include "truth.hpp"

namespace smeta::simulate {

namespace fs = std::filesystem;

namespace {

void refuse_another_study(const fs::path& file, const std::string& text) {
    std::ifstream stream(file);
    if (!stream) return;
    std::ostringstream there;
    there << stream.rdbuf();
    if (there.str() != text)
        throw core::ConfigError(fmt::format(
            "{} is of another study; choose another folder or remove this one", file.string()));
}

std::string transform_text(const Affine& map) {
    return fmt::format("[[{}, {}], [{}, {}], [{}, {}]]", map.a11, map.a12, map.a21, map.a22, map.tx,
                       map.ty);
}

/// Sections in one frame need no fit, and those of few spots look alike both ways up.
bool fit_is_wanted(const StudyOptions& options, const std::vector<SampleSpec>& samples) {
    constexpr std::int64_t kFewest = 300;
    return options.layout == Layout::Adjacent &&
           std::ranges::all_of(samples, [](const auto& s) { return s.spots >= kFewest; });
}

}  // namespace

std::string study_toml(const StudyOptions& options) {
    std::string text = fmt::format(
        "# A simulated study: {} genes, {} metabolites, {} domains, seed {}. The truth is in "
        "truth/.\n"
        "atlas = \"atlas\"\nrun = \"main\"\n",
        options.genes, options.metabolites, options.domains, options.seed);
    const std::vector<SampleSpec> samples = plan_samples(options);
    if (fit_is_wanted(options, samples))
        text +=
            "\n[align]\nmethod = \"fit\"  # \"given\": the true transforms of the samples below\n";
    for (const auto& sample : samples) {
        const Anatomy anatomy(options, sample);
        text += fmt::format(
            "\n[[sample]]\nname = \"{0}\"\ncohort = \"{1}\"\nst = \"{0}/visium\"\nsm = [{2}]\n"
            "labels = \"truth/{0}.spots.tsv\"\nalign.transform = {3}\n",
            sample.name, sample.cohort, imzml_paths(options, sample.name),
            transform_text(anatomy.transform()));
    }
    return text;
}

void simulate_study(const comm::Comm& comm, const StudyOptions& options, const std::string& out) {
    const auto samples = plan_samples(options);
    const Catalogue catalogue = make_catalogue(options);
    const fs::path folder(out);
    comm.root_or_throw([&] {
        const std::string text = study_toml(options);
        refuse_another_study(folder / "study.toml", text);
        make_folder(folder / "truth");
        write_catalogue_truth(folder / "truth", catalogue);
        write_text_file(folder / "study.toml", text);
    });
    std::vector<SampleSpec> wanted;
    for (const auto& sample : samples)
        if (!options.only || *options.only == sample.name) wanted.push_back(sample);
    comm.all_or_throw([&] {
        core::Progress progress("simulate", static_cast<std::int64_t>(wanted.size()));
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            if (static_cast<int>(i % comm.size()) == comm.rank()) {
                const SectionModel section(options, wanted[i], catalogue);
                write_sample_truth(folder / "truth", wanted[i], section, catalogue);
                write_sample_files(folder / wanted[i].name, options, wanted[i], section, catalogue);
            }
            progress.advance(1, wanted[i].name);
        }
    });
    core::log_info("simulate: {} sample{} in {}", wanted.size(), wanted.size() == 1 ? "" : "s",
                   out);
}

}  // namespace smeta::simulate
