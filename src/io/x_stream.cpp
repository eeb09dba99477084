#include "smeta/io/x_stream.hpp"

#include <algorithm>
#include <array>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

#include "anndata_impl.hpp"

namespace smeta::io {

namespace {

// Rows asked for at a time, about: whole storage chunks, each of which is packed once.
constexpr std::int64_t kPartRows = 1024;

void write_x(H5Group group, const XStream& x) {
    const std::array<std::int64_t, 2> shape{x.rows, x.cols};
    H5Dataset dataset = group.create_dataset("X", H5Type::Float32, shape,
                                             detail::dense_storage(x.rows, x.cols, sizeof(float)));
    detail::set_encoding(dataset, "array", "0.2.0");
    if (x.rows == 0 || x.cols == 0) return;
    const std::int64_t chunk = dataset.chunk().front();
    const std::int64_t step = std::max<std::int64_t>(1, kPartRows / chunk) * chunk;
    for (std::int64_t first = 0; first < x.rows; first += step) {
        const std::int64_t last = std::min(first + step, x.rows);
        const core::MatrixF part = x.read(first, last);
        core::check(part.rows() == last - first && part.cols() == x.cols, "a part has its rows");
        dataset.write_rows(
            first, last,
            std::span<const float>(part.data(), static_cast<std::size_t>(part.size())));
    }
}

}  // namespace

void write_h5ad(const std::string& path, const AnnData& data, const XStream& x) {
    core::check(!data.x && data.obs.rows() == x.rows && data.var.rows() == x.cols,
                "the stream has the rows of obs and the columns of var");
    write_h5ad(path, data);
    H5File file = H5File::open_writable(path);
    write_x(file.root(), x);
    file.close();
}

}  // namespace smeta::io
