#include "smeta/atlas/joint_reader.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "smeta/atlas/names.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

#include "layout.hpp"
#include "slices.hpp"

namespace smeta::atlas {

namespace {

/// One joint file: a reader of each modality.
struct Piece {
    std::string path;
    std::int64_t first_row = 0;
    std::int64_t rows = 0;
    std::vector<io::AnnDataReader> modalities;
};

}  // namespace

struct JointReader::State {
    std::vector<std::string> names;
    std::vector<Piece> pieces;
    std::vector<io::Frame> vars;
    std::int64_t rows = 0;
    std::optional<io::Frame> obs;

    std::size_t index(std::string_view modality, const std::string& sample) const {
        const auto found = std::find(names.begin(), names.end(), modality);
        if (found == names.end())
            throw core::ConfigError(
                fmt::format("sample '{}' has no modality '{}'", sample, modality));
        return found - names.begin();
    }
    void open(const std::filesystem::path& path, std::int64_t expected_rows);
    [[noreturn]] static void differs(const std::string& path, std::string object,
                                     std::string expected, std::string found) {
        throw core::FormatError({.file = path,
                                 .object = std::move(object),
                                 .expected = std::move(expected),
                                 .found = std::move(found),
                                 .hint = "`smeta atlas verify` checks the whole atlas"});
    }
};

void JointReader::State::open(const std::filesystem::path& path, std::int64_t expected_rows) {
    Piece piece{path.string(), rows, expected_rows, {}};
    const std::vector<std::string> found = io::modality_names(piece.path);
    if (pieces.empty()) names = found;
    if (found != names || names.empty())
        differs(piece.path, "mod", "the same modalities in every file", "others");
    for (std::size_t m = 0; m < names.size(); ++m) {
        piece.modalities.emplace_back(piece.path, names[m]);
        const io::AnnDataReader& reader = piece.modalities.back();
        if (reader.rows() != expected_rows)
            differs(piece.path, "mod/" + names[m], fmt::format("{} rows", expected_rows),
                    fmt::format("{}", reader.rows()));
        if (!reader.has_x()) differs(piece.path, "mod/" + names[m], "a matrix X", "none");
        if (pieces.empty())
            vars.push_back(reader.var());
        else if (reader.var().index != vars[m].index)
            differs(piece.path, "mod/" + names[m] + "/var", "the features of the first file",
                    "others");
    }
    rows += expected_rows;
    pieces.push_back(std::move(piece));
}

JointReader::JointReader(std::filesystem::path root, std::string sample,
                         std::vector<FileEntry> files)
    : sample_(std::move(sample)), state_(std::make_unique<State>()) {
    core::check(!files.empty(), "a sample has a joint file");
    for (const FileEntry& file : files) {
        const auto path = resolve_inside(root, file.path, root.string());
        detail::check_size(path, file);
        state_->open(path, file.rows);
    }
}

JointReader::~JointReader() = default;
JointReader::JointReader(JointReader&&) noexcept = default;
JointReader& JointReader::operator=(JointReader&&) noexcept = default;

std::int64_t JointReader::rows() const {
    return state_->rows;
}

const std::vector<std::string>& JointReader::modalities() const {
    return state_->names;
}

bool JointReader::has(std::string_view modality) const {
    return std::find(state_->names.begin(), state_->names.end(), modality) != state_->names.end();
}

std::int32_t JointReader::features(std::string_view modality) const {
    return static_cast<std::int32_t>(var(modality).rows());
}

const io::Frame& JointReader::var(std::string_view modality) const {
    return state_->vars[state_->index(modality, sample_)];
}

std::int64_t JointReader::stored_values(std::string_view modality) const {
    const std::size_t m = state_->index(modality, sample_);
    std::int64_t total = 0;
    for (const Piece& piece : state_->pieces) total += piece.modalities[m].stored_values();
    return total;
}

const io::Frame& JointReader::obs() const {
    if (!state_->obs) {
        std::vector<io::Frame> parts;
        for (const Piece& piece : state_->pieces) parts.push_back(piece.modalities.front().obs());
        state_->obs =
            parts.size() == 1 ? std::move(parts.front()) : detail::concatenate_frames(parts);
    }
    return *state_->obs;
}

bool JointReader::has_obsm(std::string_view name) const {
    const auto& readers = state_->pieces.front().modalities;
    return std::any_of(readers.begin(), readers.end(),
                       [&](const auto& reader) { return reader.has_obsm(name); });
}

core::MatrixD JointReader::obsm(std::string_view name) const {
    const auto& readers = state_->pieces.front().modalities;
    const auto holder = std::find_if(readers.begin(), readers.end(),
                                     [&](const auto& reader) { return reader.has_obsm(name); });
    if (holder == readers.end())
        throw core::FormatError(
            {.file = state_->pieces.front().path,
             .object = fmt::format("obsm/{}", name),
             .expected = "a matrix of the spots",
             .found = "nothing",
             .hint = fmt::format("ingest sample '{}' from a source that has it", sample_)});
    const std::size_t m = holder - readers.begin();
    core::MatrixD all;
    for (const Piece& piece : state_->pieces) {
        const core::MatrixD part = piece.modalities[m].obsm(name);
        if (piece.first_row == 0) all.resize(state_->rows, part.cols());
        if (part.cols() != all.cols())
            State::differs(piece.path, fmt::format("obsm/{}", name),
                           fmt::format("{} columns", all.cols()), fmt::format("{}", part.cols()));
        all.middleRows(piece.first_row, piece.rows) = part;
    }
    return all;
}

io::UnsDict JointReader::uns(std::string_view modality) const {
    return state_->pieces.front().modalities[state_->index(modality, sample_)].uns();
}

io::MuData JointReader::read_all() const {
    std::vector<io::MuData> files;
    for (const Piece& piece : state_->pieces) files.push_back(io::read_h5mu(piece.path));
    if (files.size() == 1) return std::move(files.front());
    io::MuData all;
    for (std::size_t m = 0; m < state_->names.size(); ++m) {
        std::vector<io::AnnData> parts;
        for (io::MuData& file : files) parts.push_back(std::move(file.modalities[m].second));
        all.modalities.emplace_back(state_->names[m], detail::concatenate(parts));
    }
    std::vector<io::Frame> frames;
    for (io::MuData& file : files) frames.push_back(std::move(file.obs));
    all.obs = detail::concatenate_frames(frames);
    all.uns = std::move(files.front().uns);
    return all;
}

core::CountsCsr JointReader::read_rows(std::string_view modality, std::int64_t first,
                                       std::int64_t last) const {
    core::check(0 <= first && first <= last && last <= state_->rows, "rows are in the sample");
    const std::size_t m = state_->index(modality, sample_);
    std::vector<io::MatrixValues> parts;
    for (const Piece& piece : state_->pieces) {
        const std::int64_t from = std::max(first, piece.first_row);
        const std::int64_t to = std::min(last, piece.first_row + piece.rows);
        if (from >= to) continue;
        core::CountsCsr part =
            piece.modalities[m].x_rows(from - piece.first_row, to - piece.first_row);
        if (from == first && to == last) return part;
        parts.emplace_back(std::move(part));
    }
    if (parts.empty()) {
        core::CountsCsr empty;
        empty.cols = static_cast<std::int32_t>(state_->vars[m].rows());
        return empty;
    }
    return std::get<core::CountsCsr>(detail::concatenate_matrices(parts));
}

}  // namespace smeta::atlas
