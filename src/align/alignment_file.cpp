#include <algorithm>
#include <cmath>

#include "smeta/align/alignment.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

#include "histology_stage.hpp"
#include "uns_reader.hpp"

namespace smeta::align {

namespace {

using detail::Numbers;
using Reader = detail::UnsReader;

Numbers matrix(const AffineTransform& map) {
    const auto& [a, t] = map;
    return {{2, 3}, {a[0], a[1], t[0], a[2], a[3], t[1]}};
}

AffineTransform affine(const double* v) {
    return {{v[0], v[1], v[3], v[4]}, {v[2], v[5]}};
}

io::UnsDict candidates(const std::vector<Candidate>& all) {
    const auto n = static_cast<std::int64_t>(all.size());
    Numbers maps{{n, 2, 3}, {}};
    Numbers score{{n}, {}};
    Numbers overlap{{n}, {}};
    Numbers information{{n}, {}};
    Numbers confidence{{n}, {}};
    for (const Candidate& one : all) {
        const Numbers map = matrix(one.affine);
        maps.values.insert(maps.values.end(), map.values.begin(), map.values.end());
        score.values.push_back(one.score);
        overlap.values.push_back(one.overlap);
        information.values.push_back(one.information);
        confidence.values.push_back(one.confidence);
    }
    io::UnsDict dict;
    dict["transform"].value = std::move(maps);
    dict["score"].value = std::move(score);
    dict["overlap"].value = std::move(overlap);
    dict["information"].value = std::move(information);
    dict["confidence"].value = std::move(confidence);
    return dict;
}

void put_fit(io::UnsDict& align, const Fit& fit) {
    align["candidates"].value = candidates(fit.candidates);
    align["ambiguous"].value = fit.ambiguous;
    align["overlap"].value = fit.overlap;
    align["smallest_determinant"].value = fit.smallest_determinant;
    align["iterations"].value = fit.iterations;
    align["converged"].value = fit.converged;
    align["landmark_misfit"].value = fit.landmark_misfit;
    align["size_ratio"].value = fit.size_ratio;
    align["outline_sm"].value = detail::to_numbers(fit.outline_sm, 4);
    align["outline_st"].value = detail::to_numbers(fit.outline_st, 4);
    align["displacement"].value = detail::to_numbers(fit.displacement, 4);
    align["agreement"].value = detail::to_numbers(fit.agreement, 3);
    align["outline_fitted"].value = detail::to_numbers(fit.outline_fitted, 4);
}

io::UnsDict flow(const SpatialTransform& transform) {
    io::UnsDict dict;
    dict["velocity"].value =
        Numbers{{transform.steps, transform.n, transform.n, 2}, transform.velocity};
    dict["origin"].value = Numbers{{2}, {transform.x0, transform.y0}};
    dict["cell"].value = transform.cell;
    return dict;
}

std::string text_at(const Reader& reader, const io::UnsDict& parent, const std::string& key) {
    const auto* text = reader.find<std::string>(parent, key);
    return text == nullptr ? std::string() : *text;
}

void read_flow(const Reader& reader, const io::UnsDict& align, SpatialTransform& transform) {
    const auto* flow = reader.find<io::UnsDict>(align, "flow");
    if (flow == nullptr) return;
    const Numbers& velocity = reader.numbers(*flow, "velocity", {-1, -1, -1, 2});
    const Numbers& origin = reader.numbers(*flow, "origin", {2});
    transform.cell = reader.at<double>(*flow, "cell", "a number");
    transform.steps = velocity.shape[0];
    transform.n = velocity.shape[1];
    if (velocity.shape[2] != transform.n || transform.n < 2 || !(transform.cell > 0))
        reader.fail("flow", "square fields with a cell size above 0", "others");
    transform.x0 = origin.values[0];
    transform.y0 = origin.values[1];
    transform.velocity = velocity.values;
}

Fit read_fit(const Reader& reader, const io::UnsDict& align) {
    Fit fit;
    const auto& all = reader.at<io::UnsDict>(align, "candidates", "a group");
    const Numbers& maps = reader.numbers(all, "transform", {-1, 2, 3});
    const std::int64_t n = maps.shape[0];
    const Numbers& score = reader.numbers(all, "score", {n});
    const Numbers& overlap = reader.numbers(all, "overlap", {n});
    const Numbers& information = reader.numbers(all, "information", {n});
    const Numbers& confidence = reader.numbers(all, "confidence", {n});
    for (std::int64_t k = 0; k < n; ++k)
        fit.candidates.push_back({affine(maps.values.data() + 6 * k), score.values[k],
                                  overlap.values[k], information.values[k], confidence.values[k]});
    fit.ambiguous = reader.at<bool>(align, "ambiguous", "true or false");
    fit.overlap = reader.at<double>(align, "overlap", "a number");
    fit.smallest_determinant = reader.at<double>(align, "smallest_determinant", "a number");
    fit.iterations = reader.at<std::int64_t>(align, "iterations", "a number");
    fit.converged = reader.at<bool>(align, "converged", "true or false");
    fit.landmark_misfit = reader.at<double>(align, "landmark_misfit", "a number");
    fit.size_ratio = reader.at<double>(align, "size_ratio", "a number");
    fit.outline_sm = detail::to_matrix(reader.numbers(align, "outline_sm", {-1, 4}));
    fit.outline_st = detail::to_matrix(reader.numbers(align, "outline_st", {-1, 4}));
    fit.displacement = detail::to_matrix(reader.numbers(align, "displacement", {-1, 4}));
    fit.agreement = detail::to_matrix(reader.numbers(align, "agreement", {-1, 3}));
    fit.outline_fitted = detail::to_matrix(reader.numbers(align, "outline_fitted", {-1, 4}));
    return fit;
}

}  // namespace

void write_alignment(const std::filesystem::path& path, const Alignment& alignment) {
    io::UnsDict align;
    align["method"].value = alignment.method;
    align["transform"].value = matrix(alignment.transform.affine);
    align["from_unit"].value = alignment.from_unit;
    align["to_unit"].value = alignment.to_unit;
    if (alignment.transform.deforms()) align["flow"].value = flow(alignment.transform);
    if (alignment.fit) put_fit(align, *alignment.fit);
    if (alignment.histology) align["histology"].value = detail::to_uns(*alignment.histology);
    io::UnsDict smeta;
    smeta["align"].value = std::move(align);
    io::AnnData data;
    data.uns["smeta"].value = std::move(smeta);
    io::write_h5ad(path.string(), data);
}

Alignment read_alignment(const std::filesystem::path& path) {
    const io::AnnData data = io::read_h5ad(path.string());
    const Reader reader(path.string());
    const auto* smeta = reader.find<io::UnsDict>(data.uns, "smeta");
    const auto* align = smeta == nullptr ? nullptr : reader.find<io::UnsDict>(*smeta, "align");
    if (align == nullptr)
        throw core::FormatError(
            {path, "uns/smeta/align", "the group of a transform", "none", "run smeta align again"});
    Alignment alignment;
    alignment.method = text_at(reader, *align, "method");
    alignment.transform = affine(reader.numbers(*align, "transform", {2, 3}).values.data());
    read_flow(reader, *align, alignment.transform);
    alignment.from_unit = text_at(reader, *align, "from_unit");
    alignment.to_unit = text_at(reader, *align, "to_unit");
    if (alignment.method == "fit") alignment.fit = read_fit(reader, *align);
    if (const auto* histology = reader.find<io::UnsDict>(*align, "histology"))
        alignment.histology = detail::histology_from_uns(reader, *histology);
    return alignment;
}

}  // namespace smeta::align
