// Alignment of simulated pairs with a known answer: one line a seed, then the shares that the
// documentation states.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "smeta/align/fit.hpp"
#include "smeta/core/threads.hpp"

#include "feature_model.hpp"
#include "support/pair_fit.hpp"

namespace {

using smeta::test::MissingSide;
using smeta::test::PairOutcome;

struct Group {
    std::string name;
    std::vector<PairOutcome> members;
};

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void summarise(const Group& group) {
    double right = 0;
    double flagged = 0;
    double silent = 0;
    double within = 0;
    double better = 0;
    std::vector<double> error;
    std::vector<double> affine;
    std::vector<double> seconds;
    const auto n = static_cast<double>(std::max<std::size_t>(1, group.members.size()));
    for (const PairOutcome& o : group.members) {
        right += o.right;
        flagged += o.ambiguous;
        silent += !o.right && !o.ambiguous;
        within += o.error <= (o.missing == MissingSide::None ? 0.5 : 1.0);
        better += o.error < o.affine_error;
        error.push_back(o.error);
        affine.push_back(o.affine_error);
        seconds.push_back(o.seconds);
    }
    fmt::print(
        "{:<22} n {:>3}  right {:.3f}  flagged {:.3f}  wrong, not flagged {:.3f}  error/pitch "
        "{:.3f} (affine {:.3f})  within {:.3f}  flow better {:.3f}  s {:.2f}\n",
        group.name, group.members.size(), right / n, flagged / n, silent / n, median(error),
        median(affine), within / n, better / n, median(seconds));
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Alignment of simulated pairs");
    std::uint64_t first = 1;
    std::uint64_t count = 300;
    int threads = 2;
    bool verbose = false;
    smeta::align::RasterOptions raster;
    smeta::align::FitOptions options;
    const std::map<std::string, smeta::align::Outline> outlines{
        {"distance", smeta::align::Outline::Distance},
        {"alpha_shape", smeta::align::Outline::AlphaShape}};
    const std::map<std::string, smeta::align::PointNorm> norms{
        {"euclidean", smeta::align::PointNorm::Euclidean}, {"l1", smeta::align::PointNorm::L1}};
    app.add_option("--first", first);
    app.add_option("--count", count);
    app.add_option("--threads", threads);
    app.add_flag("--verbose", verbose);
    app.add_option("--outline", raster.outline)->transform(CLI::CheckedTransformer(outlines));
    app.add_option("--point-norm", options.point_norm)->transform(CLI::CheckedTransformer(norms));
    app.add_option("--weight-outline", options.weight_outline);
    app.add_option("--weight-features", options.weight_features);
    std::int32_t latent = 0;
    std::int64_t epochs = 30;
    app.add_option("--vae-latent", latent, "features as latents of a VAE with so many units");
    app.add_option("--vae-epochs", epochs);
    smeta::test::PairImage image = smeta::test::PairImage::None;
    double weight_histology = 1;
    const std::map<std::string, smeta::test::PairImage> images{
        {"none", smeta::test::PairImage::None},
        {"related", smeta::test::PairImage::Related},
        {"unrelated", smeta::test::PairImage::Unrelated}};
    app.add_option("--image", image, "what an image of the ST section shows")
        ->transform(CLI::CheckedTransformer(images));
    app.add_option("--weight-histology", weight_histology);
    CLI11_PARSE(app, argc, argv);
    smeta::core::set_threads(threads);
    smeta::test::ChannelSetter channels;
    if (latent > 0)
        channels = [&](const smeta::test::SimulatedPair& pair, smeta::align::SectionRaster& sm,
                       smeta::align::SectionRaster& st) {
            smeta::align::detail::FeatureModelOptions model;
            model.latent = latent;
            model.epochs = epochs;
            smeta::align::detail::set_latent_channels({pair.sm.points, pair.sm.values},
                                                      {pair.st.points, pair.st.values}, model,
                                                      raster, sm, st);
        };
    Group complete{"complete", {}};
    Group missing{"a side missing", {}};
    Group symmetric{"symmetric", {}};
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const PairOutcome o =
            smeta::test::fit_pair(seed, raster, options, channels, {image, weight_histology});
        (o.symmetric                      ? symmetric
         : o.missing == MissingSide::None ? complete
                                          : missing)
            .members.push_back(o);
        if (verbose)
            fmt::print(
                "seed {} {} {} {} {} turn {:.0f} err {:.2f} affine {:.2f} ratio {:.2f} dist {:.3f} "
                "s {:.2f} | {}\n",
                seed, o.right ? "right" : "WRONG", o.ambiguous ? "flag" : "-",
                o.symmetric ? "SYM" : "", static_cast<int>(o.missing), o.turn, o.error,
                o.affine_error, o.ratio, o.distortion, o.seconds, o.note);
        std::fflush(stdout);
    }
    summarise(complete);
    summarise(missing);
    summarise(symmetric);
    return 0;
}
