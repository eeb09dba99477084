#include "smeta/io/sm_imzml.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/io/source_info.hpp"

namespace smeta::io {

namespace {

constexpr std::int64_t kGuessRows = 1024;

std::uint64_t pixel_key(std::int64_t x, std::int64_t y) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(x)) << 32 |
           static_cast<std::uint32_t>(y);
}

/// Sums one spectrum into its bins; reused buffers.
class Binner {
  public:
    explicit Binner(const MzBins& bins) : bins_(bins) {}

    /// Appends the row unless its total is 0 (returns the total).
    double append(const Spectrum& spectrum, core::CountsCsr& x) {
        sums_.clear();
        std::int32_t hint = 0;
        bool ascending = true;
        for (std::size_t k = 0; k < spectrum.mz.size(); ++k) {
            const std::int32_t bin = bins_.find(spectrum.mz[k], hint);
            if (bin < 0 || spectrum.intensity[k] == 0.0F) continue;
            hint = bin;
            if (!sums_.empty() && sums_.back().bin == bin) {
                sums_.back().sum += spectrum.intensity[k];
                continue;
            }
            ascending = ascending && (sums_.empty() || sums_.back().bin < bin);
            sums_.push_back({bin, spectrum.intensity[k]});
        }
        if (!ascending) sort_and_join();
        double total = 0;
        for (const Entry& entry : sums_) total += entry.sum;
        if (total == 0.0) return 0.0;
        for (const Entry& entry : sums_) {
            x.indices.push_back(entry.bin);
            x.values.push_back(static_cast<float>(entry.sum));
        }
        x.indptr.push_back(static_cast<std::int64_t>(x.indices.size()));
        ++x.rows;
        return total;
    }

  private:
    struct Entry {
        std::int32_t bin;
        double sum;
    };

    void sort_and_join() {
        std::stable_sort(sums_.begin(), sums_.end(),
                         [](const Entry& a, const Entry& b) { return a.bin < b.bin; });
        std::size_t last = 0;
        for (std::size_t i = 1; i < sums_.size(); ++i) {
            if (sums_[i].bin == sums_[last].bin)
                sums_[last].sum += sums_[i].sum;
            else
                sums_[++last] = sums_[i];
        }
        sums_.resize(last + 1);
    }

    const MzBins& bins_;
    std::vector<Entry> sums_;
};

void check_mz(const std::vector<double>& mz, std::int64_t spectrum, const std::string& path) {
    for (const double value : mz)
        if (!(value > 0) || !std::isfinite(value))
            throw core::FormatError({path, fmt::format("spectrum {}, m/z array", spectrum + 1),
                                     "m/z above 0", fmt::format("{}", value),
                                     "is the number type of the array declared rightly?"});
}

Frame bins_frame(const MzBins& bins, std::string_view polarity) {
    Frame var;
    var.index.reserve(bins.center.size());
    for (const double mz : bins.center) var.index.push_back(metabolite_name(mz, polarity));
    var.index = make_unique(std::move(var.index));
    var.set("mz", bins.center);
    var.set("half_width", bins.half_width);
    var.set("polarity", std::vector<std::string>(bins.center.size(), std::string(polarity)));
    return var;
}

std::optional<double> pixel_size(const ImzmlHeader& header, const std::string& path) {
    if (header.pixel_size_x && header.pixel_size_y && *header.pixel_size_x != *header.pixel_size_y)
        core::log_warning("{}: pixels of {} x {} um are not square; microns_per_unit is that of x",
                          path, *header.pixel_size_x, *header.pixel_size_y);
    return header.pixel_size_x;
}

AnnData read_one(ImzmlReader& reader, const std::string& path, std::string_view polarity,
                 const SmImzmlOptions& options) {
    const MzBins bins = mz_reference(reader, options, path);
    AnnData data;
    data.var = bins_frame(bins, polarity);
    core::CountsCsr x;
    x.cols = bins.size();
    std::vector<std::int32_t> xs;
    std::vector<std::int32_t> ys;
    std::vector<double> totals;
    std::unordered_set<std::uint64_t> seen;
    std::int64_t duplicates = 0;
    std::int64_t zeros = 0;
    Binner binner(bins);
    Spectrum spectrum;
    const auto& spectra = reader.spectra();
    const auto count = static_cast<std::int64_t>(spectra.size());
    core::Progress progress(fmt::format("binning {}", path), count);
    for (std::int64_t i = 0; i < count; ++i, progress.advance()) {
        if (!seen.insert(pixel_key(spectra[i].x, spectra[i].y)).second) {
            ++duplicates;
            continue;
        }
        reader.read(i, spectrum);
        const double total = binner.append(spectrum, x);
        if (total == 0.0) {
            ++zeros;
            continue;
        }
        if (x.rows == kGuessRows) {  // the rest is about as dense: no doubling of large buffers
            const std::size_t guess = x.values.size() / kGuessRows * spectra.size() / 20 * 21;
            x.indices.reserve(guess);
            x.values.reserve(guess);
        }
        xs.push_back(spectra[i].x);
        ys.push_back(spectra[i].y);
        totals.push_back(total);
    }
    if (duplicates > 0)
        core::log_warning("{}: {} spectra at a position that an earlier one has are left out", path,
                          duplicates);
    core::MatrixD spatial(x.rows, 2);
    for (std::int64_t r = 0; r < x.rows; ++r) {
        data.obs.index.push_back(fmt::format("px_{}_{}", xs[r], ys[r]));
        spatial.row(r) << xs[r], ys[r];
    }
    data.obs.set("x", std::move(xs));
    data.obs.set("y", std::move(ys));
    data.obs.set("total_intensity", std::move(totals));
    data.obsm["spatial"] = std::move(spatial);
    data.x = std::move(x);
    set_unit(data, kUnitRaster, pixel_size(reader.header(), path));
    note_dropped(data, "duplicate_position", duplicates);
    note_dropped(data, "zero_total", zeros);
    apply_value_policy(data, ValueKind::Intensities, options.values, path);
    return data;
}

std::vector<double> totals_of(const AnnData& data, const std::string& file) {
    return data.obs.as_number("total_intensity", file);
}

}  // namespace

MzBins mz_reference(ImzmlReader& reader, const SmImzmlOptions& options, const std::string& path) {
    MzCollector collector(options.ppm, options.max_bin_ppm);
    std::vector<double> mz;
    const bool shared = reader.header().mode == ImzmlMode::Continuous;
    const auto count = static_cast<std::int64_t>(shared ? 1 : reader.spectra().size());
    core::Progress progress(fmt::format("m/z reference of {}", path), count);
    for (std::int64_t i = 0; i < count; ++i, progress.advance()) {
        reader.read_mz(i, mz);
        check_mz(mz, i, path);
        collector.add(mz);
    }
    return collector.finish();
}

AnnData merge_polarities(const AnnData& positive, const AnnData& negative,
                         const std::string& file) {
    // Large: copied only when dense.
    const auto* pos_sparse = std::get_if<core::CountsCsr>(&positive.x.value());
    const auto* neg_sparse = std::get_if<core::CountsCsr>(&negative.x.value());
    const core::CountsCsr pos_converted = pos_sparse ? core::CountsCsr{} : to_csr(*positive.x);
    const core::CountsCsr neg_converted = neg_sparse ? core::CountsCsr{} : to_csr(*negative.x);
    const core::CountsCsr& pos = pos_sparse ? *pos_sparse : pos_converted;
    const core::CountsCsr& neg = neg_sparse ? *neg_sparse : neg_converted;
    const core::MatrixD& pos_xy = positive.obsm.at("spatial");
    const core::MatrixD& neg_xy = negative.obsm.at("spatial");
    const auto key = [](const core::MatrixD& xy, std::int64_t r) {
        return pixel_key(std::llround(xy(r, 0)), std::llround(xy(r, 1)));
    };
    std::unordered_map<std::uint64_t, std::int64_t> neg_row;
    for (std::int64_t r = 0; r < neg.rows; ++r) neg_row.emplace(key(neg_xy, r), r);
    std::vector<std::int64_t> pos_rows;
    std::vector<std::int64_t> neg_rows;
    for (std::int64_t r = 0; r < pos.rows; ++r)
        if (const auto it = neg_row.find(key(pos_xy, r)); it != neg_row.end()) {
            pos_rows.push_back(r);
            neg_rows.push_back(it->second);
        }
    if (pos_rows.empty())
        throw core::FormatError({file, "positive and negative image",
                                 "pixels at the same positions", "no position that both have",
                                 "do they show the same section?"});
    AnnData left;
    left.obs = positive.obs;
    left.obsm = positive.obsm;
    select_observations(left, pos_rows);

    AnnData data;
    core::CountsCsr x;
    x.cols = pos.cols + neg.cols;
    x.indptr.reserve(pos_rows.size() + 1);
    x.indices.reserve(static_cast<std::size_t>(pos.nnz() + neg.nnz()));
    x.values.reserve(static_cast<std::size_t>(pos.nnz() + neg.nnz()));
    std::vector<std::int32_t> indices;
    std::vector<float> values;
    const auto a = pos.view();
    const auto b = neg.view();
    for (std::size_t r = 0; r < pos_rows.size(); ++r) {
        const auto left_columns = a.row_indices(pos_rows[r]);
        const auto left_values = a.row_values(pos_rows[r]);
        const auto right_values = b.row_values(neg_rows[r]);
        indices.assign(left_columns.begin(), left_columns.end());
        values.assign(left_values.begin(), left_values.end());
        for (const std::int32_t c : b.row_indices(neg_rows[r])) indices.push_back(c + pos.cols);
        values.insert(values.end(), right_values.begin(), right_values.end());
        x.append_row(indices, values);
    }
    data.x = std::move(x);
    data.obs = left.obs;
    std::vector<double> total_pos = totals_of(left, file);
    std::vector<double> total_neg = totals_of(negative, file);
    std::vector<double> sum(total_pos.size());
    std::vector<double> matched(total_pos.size());
    for (std::size_t r = 0; r < sum.size(); ++r) {
        matched[r] = total_neg[neg_rows[r]];
        sum[r] = total_pos[r] + matched[r];
    }
    data.obs.set("total_intensity", std::move(sum));
    data.obs.set("total_intensity_pos", std::move(total_pos));
    data.obs.set("total_intensity_neg", std::move(matched));
    data.obsm = left.obsm;
    data.uns = positive.uns;
    for (const char* reason : {"duplicate_position", "zero_total", "not_finite"})
        note_dropped(data, reason, dropped(negative, reason));
    const auto both = static_cast<std::int64_t>(pos_rows.size());
    note_dropped(data, "unmatched_position", pos.rows - both + neg.rows - both);

    data.var.index = positive.var.index;
    data.var.index.insert(data.var.index.end(), negative.var.index.begin(),
                          negative.var.index.end());
    data.var.index = make_unique(std::move(data.var.index));
    for (const char* name : {"mz", "half_width"}) {
        std::vector<double> column = positive.var.as_number(name, file);
        const std::vector<double> more = negative.var.as_number(name, file);
        column.insert(column.end(), more.begin(), more.end());
        data.var.set(name, std::move(column));
    }
    std::vector<std::string> polarity(pos.cols, "pos");
    polarity.insert(polarity.end(), neg.cols, "neg");
    data.var.set("polarity", std::move(polarity));
    return data;
}

AnnData read_sm_imzml(const std::vector<std::string>& paths, const SmImzmlOptions& options) {
    if (paths.empty() || paths.size() > 2)
        throw core::ConfigError(
            fmt::format("one imzML file, or a positive and a negative one, not {}", paths.size()));
    const ImzmlOptions open{options.values.imzml_uuid, options.verify_checksum};
    ImzmlReader first(paths[0], open);
    if (paths.size() == 1)
        return read_one(first, paths[0], polarity_name(first.header().polarity), options);
    ImzmlReader second(paths[1], open);
    const Polarity a = first.header().polarity;
    const Polarity b = second.header().polarity;
    if (a == b && a != Polarity::Unknown)
        throw core::FormatError({paths[1], "polarity", "a positive and a negative image",
                                 fmt::format("'{}' in both files", polarity_name(a)), ""});
    if (a == Polarity::Unknown && b == Polarity::Unknown)
        core::log_warning("{} and {}: no polarity; taken as positive and negative in this order",
                          paths[0], paths[1]);
    const bool swapped = a == Polarity::Negative || b == Polarity::Positive;
    const std::size_t pos = swapped ? 1 : 0;
    AnnData positive = read_one(swapped ? second : first, paths[pos], "pos", options);
    const AnnData negative = read_one(swapped ? first : second, paths[1 - pos], "neg", options);
    return merge_polarities(positive, negative, paths[pos]);
}

}  // namespace smeta::io
