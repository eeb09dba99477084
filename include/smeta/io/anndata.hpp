#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "smeta/core/matrix.hpp"
#include "smeta/io/annotated.hpp"
#include "smeta/io/h5.hpp"

/// AnnData and MuData files (docs/file_formats.md). What is written opens in anndata 0.8 to 0.13
/// and mudata; equal content gives equal bytes. What is read is checked more strictly than anndata
/// does: lengths, monotone indptr, indices in range, unique names. Local; main thread only.
///
/// Errors: IoError for the operating system's refusals, FormatError (file, object, expected, found)
/// for content.
namespace smeta::io {

/// Whether X, layers and obsp are read, or only the tables around them (obs, var, obsm, uns).
enum class Values { Read, LeftOut };

/// One AnnData: the root of a .h5ad or a group mod/NAME of a .h5mu.
void write_anndata(H5Group& group, const AnnData& data);
/// Elements of obsm (but spatial and X_smeta...), layers, obsp and uns of a kind that smeta cannot
/// hold are left out; one warning names them. Damaged ones of a kind that it can are errors.
AnnData read_anndata(const H5Group& group, Values values = Values::Read);

/// Elements. A frame is a group with an index and one member a column.
void write_frame(H5Group& parent, std::string_view name, const Frame& frame);
Frame read_frame(const H5Group& parent, std::string_view name);
/// Dense float32 (row-major) or CSR.
void write_matrix(H5Group& parent, std::string_view name, const MatrixValues& values);
void write_uns(H5Group& parent, std::string_view name, const UnsDict& dict);
/// Elements of a kind that smeta has no use for (record arrays, null, nested matrices) are left out
/// with a warning.
UnsDict read_uns(const H5Group& parent, std::string_view name);

/// Creates or replaces; not atomic (see atomic_file.hpp).
void write_h5ad(const std::string& path, const AnnData& data);
AnnData read_h5ad(const std::string& path);
/// Every modality's observations are found in `data.obs` by name; an empty `data.obs` is derived
/// (union in order of first appearance).
void write_h5mu(const std::string& path, const MuData& data);
MuData read_h5mu(const std::string& path, Values values = Values::Read);

/// Reads pieces of a large file: the root of a .h5ad, or a modality of a .h5mu. Opening checks the
/// whole structure of X except the indices, which are checked as they are read.
class AnnDataReader {
  public:
    /// `modality` empty: the root.
    explicit AnnDataReader(const std::string& path, std::string_view modality = {});
    ~AnnDataReader();
    AnnDataReader(AnnDataReader&&) noexcept;
    AnnDataReader& operator=(AnnDataReader&&) noexcept;

    std::int64_t rows() const;
    std::int32_t cols() const;
    bool has_x() const;
    /// Entries that X stores (all of them when dense).
    std::int64_t stored_values() const;
    Frame obs() const;
    Frame var() const;
    UnsDict uns() const;
    bool has_obsm(std::string_view name) const;
    core::MatrixD obsm(std::string_view name) const;
    /// Rows [first, last) of X as CSR without stored zeros. FormatError when X is CSC.
    core::CountsCsr x_rows(std::int64_t first, std::int64_t last) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Modality names of a .h5mu in mod-order.
std::vector<std::string> modality_names(const std::string& path);

}  // namespace smeta::io
