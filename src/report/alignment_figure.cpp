#include "smeta/report/alignment_figure.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"

#include "colour.hpp"
#include "figures.hpp"
#include "svg.hpp"

namespace smeta::report {

namespace {

constexpr double kPanel = 200;
constexpr double kGap = 14;
constexpr double kTitle = 44;
constexpr double kLabel = 34;
constexpr int kColumns = 4;
constexpr std::string_view kStColour = "#3b6fb6";
constexpr std::string_view kSmColour = "#c2410c";
constexpr std::string_view kTissueColour = "#15803d";

using Map = std::array<double, 6>;  // 2 x 3, row by row

struct DrawnCandidate {
    Map map{};
    double overlap = 0;
    double confidence = 0;
};

/// The section's image, small, and the outline of its tissue.
struct DrawnHistology {
    io::Image picture;
    std::array<double, 2> origin{};
    double pixel = 1;
    core::MatrixD outline;
    double overlap = 0;
    bool disagrees = false;
};

struct AlignmentDrawing {
    core::MatrixD st;
    core::MatrixD sm;
    core::MatrixD fitted;
    core::MatrixD displacement;
    core::MatrixD agreement;
    std::vector<DrawnCandidate> candidates;
    bool ambiguous = false;
    std::optional<DrawnHistology> histology{};
};

template <class T>
const T& at(const io::UnsDict& parent, const std::string& key, const std::string& file) {
    const auto found = parent.find(key);
    const T* value = found == parent.end() ? nullptr : std::get_if<T>(&found->second.value);
    if (value == nullptr)
        throw core::FormatError({file, "uns/smeta/align/" + key, "part of a fitted alignment",
                                 "something else", "run smeta align again"});
    return *value;
}

core::MatrixD table(const io::UnsDict& parent, const std::string& key, Eigen::Index columns,
                    const std::string& file) {
    const auto& values = at<io::NdArray<double>>(parent, key, file).values;
    return Eigen::Map<const core::MatrixD>(
        values.data(), static_cast<Eigen::Index>(values.size()) / columns, columns);
}

std::optional<DrawnHistology> read_histology(const io::UnsDict& align, const std::string& file) {
    if (!align.contains("histology")) return std::nullopt;
    const auto& dict = at<io::UnsDict>(align, "histology", file);
    if (!dict.contains("picture")) return std::nullopt;
    const auto& origin = at<io::NdArray<double>>(dict, "picture_origin", file).values;
    if (origin.size() != 2) return std::nullopt;
    return DrawnHistology{io::to_image(at<io::NdArray<std::uint8_t>>(dict, "picture", file)),
                          {origin[0], origin[1]},
                          at<double>(dict, "picture_pixel", file),
                          table(dict, "outline", 4, file),
                          at<double>(dict, "overlap", file),
                          at<bool>(dict, "disagrees", file)};
}

std::optional<AlignmentDrawing> read(const std::filesystem::path& path) {
    const std::string file = path.string();
    const io::AnnData data = io::read_h5ad(file);
    const auto& align = at<io::UnsDict>(at<io::UnsDict>(data.uns, "smeta", file), "align", file);
    if (!align.contains("candidates")) return std::nullopt;
    AlignmentDrawing drawing{
        table(align, "outline_st", 4, file),     table(align, "outline_sm", 4, file),
        table(align, "outline_fitted", 4, file), table(align, "displacement", 4, file),
        table(align, "agreement", 3, file),      {},
        at<bool>(align, "ambiguous", file)};
    const auto& all = at<io::UnsDict>(align, "candidates", file);
    const auto& maps = at<io::NdArray<double>>(all, "transform", file).values;
    const auto& overlap = at<io::NdArray<double>>(all, "overlap", file).values;
    const auto& confidence = at<io::NdArray<double>>(all, "confidence", file).values;
    for (std::size_t k = 0; k < std::min({maps.size() / 6, overlap.size(), confidence.size()});
         ++k) {
        DrawnCandidate one{{}, overlap[k], confidence[k]};
        std::copy_n(maps.begin() + static_cast<std::ptrdiff_t>(6 * k), 6, one.map.begin());
        drawing.candidates.push_back(one);
    }
    drawing.histology = read_histology(align, file);
    return drawing;
}

core::MatrixD mapped(const core::MatrixD& lines, const Map& map) {
    core::MatrixD result = lines;
    for (Eigen::Index r = 0; r < lines.rows(); ++r)
        for (const int end : {0, 2}) {
            result(r, end) = map[0] * lines(r, end) + map[1] * lines(r, end + 1) + map[2];
            result(r, end + 1) = map[3] * lines(r, end) + map[4] * lines(r, end + 1) + map[5];
        }
    return result;
}

/// Bounding box: low x, low y, high x, high y.
std::array<double, 4> bounds(const core::MatrixD& lines) {
    const Eigen::RowVectorXd low = lines.colwise().minCoeff();
    const Eigen::RowVectorXd high = lines.colwise().maxCoeff();
    return {std::min(low[0], low[2]), std::min(low[1], low[3]), std::max(high[0], high[2]),
            std::max(high[1], high[3])};
}

/// SM on the middle of ST and as large (bounding boxes), not turned.
core::MatrixD before(const AlignmentDrawing& drawing) {
    const auto st = bounds(drawing.st);
    const auto sm = bounds(drawing.sm);
    const double scale = std::hypot(st[2] - st[0], st[3] - st[1]) /
                         std::max(1e-300, std::hypot(sm[2] - sm[0], sm[3] - sm[1]));
    return mapped(drawing.sm, {scale, 0, 0.5 * (st[0] + st[2] - scale * (sm[0] + sm[2])), 0, scale,
                               0.5 * (st[1] + st[3] - scale * (sm[1] + sm[3]))});
}

class Panels {
  public:
    Panels(Svg& svg, const AlignmentDrawing& drawing) : svg_(svg), drawing_(drawing) {
        const auto box = bounds(drawing.st);
        const double side = 1.25 * std::max(box[2] - box[0], box[3] - box[1]);
        scale_ = kPanel / std::max(side, 1e-300);
        left_ = 0.5 * (box[0] + box[2] - side);
        top_ = 0.5 * (box[1] + box[3] - side);
    }
    void draw(const core::MatrixD& sm, const std::string& label) {
        const Point corner = next(label);
        lines(drawing_.st, corner, kStColour);
        lines(sm, corner, kSmColour);
    }
    /// From where the affine map brings places to where the whole map does.
    void draw_displacement() {
        const auto moves = drawing_.displacement.rightCols(2) - drawing_.displacement.leftCols(2);
        const double most = moves.rowwise().norm().maxCoeff();
        const auto box = bounds(drawing_.st);
        const Point corner =
            next(fmt::format("bending: at most {:.1f} % of the length",
                             100 * most / std::max(box[2] - box[0], box[3] - box[1])));
        lines(drawing_.st, corner, kStColour);
        lines(drawing_.displacement, corner, kSmColour);
        for (Eigen::Index r = 0; r < drawing_.displacement.rows(); ++r)
            svg_.circle(on_panel(corner, drawing_.displacement(r, 2), drawing_.displacement(r, 3)),
                        1.2, kSmColour);
    }
    /// The image under the outlines of its tissue and of the fitted section.
    void draw_histology(const DrawnHistology& histology) {
        const Point corner =
            next(histology.disagrees
                     ? std::string("image: disagrees with the spots, not used")
                     : fmt::format("image: its tissue overlaps by {:.2f}", histology.overlap));
        const auto end = [&](int axis, std::int64_t pixels) {
            return histology.origin[axis] + histology.pixel * static_cast<double>(pixels);
        };
        const Point low = on_panel(corner, histology.origin[0], histology.origin[1]);
        const Point high =
            on_panel(corner, end(0, histology.picture.width), end(1, histology.picture.height));
        svg_.image(low.x, low.y, high.x - low.x, high.y - low.y, histology.picture);
        lines(drawing_.st, corner, kStColour);
        lines(histology.outline, corner, kTissueColour);
        lines(drawing_.fitted, corner, kSmColour);
    }
    /// Residuals of the content.
    void draw_agreement() {
        const core::MatrixD& all = drawing_.agreement;
        const Point corner = next("content: agrees purple, not orange");
        const double most = 2 * std::max(1e-9, all.col(2).cwiseAbs().mean());
        constexpr Eigen::Index kCells = 1500;
        const Eigen::Index step = all.rows() / kCells + 1;
        const double cells = static_cast<double>(all.rows()) / static_cast<double>(step);
        const auto box = bounds(drawing_.fitted);
        const double side = scale_ * std::sqrt((box[2] - box[0]) * (box[3] - box[1]) / cells);
        for (Eigen::Index r = 0; r < all.rows(); r += step) {
            const Point at = on_panel(corner, all(r, 0), all(r, 1));
            const double share = 0.5 - 0.5 * std::clamp(all(r, 2) / most, -1.0, 1.0);
            svg_.rectangle(at.x - side / 2, at.y - side / 2, side, side, to_hex(diverging(share)));
        }
    }
    double height() const {
        return kTitle + static_cast<double>((count_ + kColumns - 1) / kColumns) * (kPanel + kLabel);
    }

  private:
    /// Corner of the next panel, whose label is written.
    Point next(const std::string& label) {
        const Point corner{kGap + (count_ % kColumns) * (kPanel + kGap),
                           kTitle + (count_ / kColumns) * (kPanel + kLabel)};
        svg_.text(corner.x + kPanel / 2, corner.y + kPanel + 16, label, {.anchor = Anchor::Middle});
        ++count_;
        return corner;
    }
    Point on_panel(Point corner, double x, double y) const {
        return {corner.x + std::clamp(scale_ * (x - left_), 0.0, kPanel),
                corner.y + std::clamp(scale_ * (y - top_), 0.0, kPanel)};
    }
    void lines(const core::MatrixD& all, Point corner, std::string_view colour) {
        std::vector<Point> ends;
        for (Eigen::Index r = 0; r < all.rows(); ++r)
            for (const int end : {0, 2})
                ends.push_back(on_panel(corner, all(r, end), all(r, end + 1)));
        svg_.segments(ends, colour, 1.2);
    }

    Svg& svg_;
    const AlignmentDrawing& drawing_;
    double scale_ = 1;
    double left_ = 0;
    double top_ = 0;
    int count_ = 0;
};

}  // namespace

std::optional<Figure> alignment_figure(const std::filesystem::path& stage_file,
                                       const std::string& sample) {
    const std::optional<AlignmentDrawing> drawing = read(stage_file);
    if (!drawing) return std::nullopt;
    Svg svg("alignment_" + sample, kGap + kColumns * (kPanel + kGap), 100, "Alignment of " + sample,
            "Outlines of the spots' section and of the imaging section laid on it");
    svg.text(kGap, 20, sample + (drawing->ambiguous ? ": ambiguous" : ""), {.size = 14});
    svg.text(kGap, 36, "spots", {.colour = kStColour});
    svg.text(kGap + 50, 36, "imaging", {.colour = kSmColour});
    if (drawing->histology) svg.text(kGap + 110, 36, "image's tissue", {.colour = kTissueColour});
    Panels panels(svg, *drawing);
    panels.draw(before(*drawing), "before");
    panels.draw(drawing->fitted, "after the fit");
    if (drawing->displacement.rows() > 0) panels.draw_displacement();
    if (drawing->agreement.rows() > 0) panels.draw_agreement();
    if (drawing->histology) panels.draw_histology(*drawing->histology);
    for (std::size_t k = 0; k < drawing->candidates.size(); ++k) {
        const DrawnCandidate& one = drawing->candidates[k];
        panels.draw(mapped(drawing->sm, one.map),
                    fmt::format("pose {}: confidence {:.2f}, overlap {:.2f}", k + 1, one.confidence,
                                one.overlap));
    }
    svg.set_height(panels.height());
    return Figure{
        std::move(svg),
        fmt::format("{}: outlines of the spots' and of the imaging section before and "
                    "after the fit, how far bending moves the tissue, where the content "
                    "of both agrees,{} and the poses that were compared, best first{}.",
                    sample, drawing->histology ? " the spots' image with its tissue," : "",
                    drawing->ambiguous ? "; another orientation fits about as well" : "")};
}

bool write_alignment_figure(const std::filesystem::path& stage_file, const std::string& sample,
                            const std::filesystem::path& out) {
    const std::optional<Figure> figure = alignment_figure(stage_file, sample);
    if (!figure) return false;
    io::write_atomically(out.string(), figure->svg.file());
    return true;
}

}  // namespace smeta::report
