#include "smeta/io/mudata_parallel.hpp"

#include <numeric>
#include <optional>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/h5.hpp"

#include "anndata_impl.hpp"
#include "frame_bytes.hpp"

namespace smeta::io {

namespace {

/// Rows of all ranks on rank 0 (empty elsewhere).
Frame gather_frame(const comm::Comm& comm, const Frame& mine) {
    const auto parts = comm.gather(std::span<const std::byte>(detail::to_bytes(mine)));
    Frame all;
    for (std::size_t r = 0; r < parts.size(); ++r) {
        const Frame part = detail::frame_from_bytes(parts[r]);
        if (r == 0)
            all = part;
        else
            detail::append_rows(all, part);
    }
    return all;
}

core::MatrixD gather_rows(const comm::Comm& comm, const core::MatrixD& mine) {
    const auto parts =
        comm.gather(std::span<const double>(mine.data(), static_cast<std::size_t>(mine.size())));
    std::vector<double> all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    const Eigen::Index cols = mine.cols();
    core::check(cols > 0, "obsm has columns");
    return Eigen::Map<const core::MatrixD>(all.data(), static_cast<Eigen::Index>(all.size()) / cols,
                                           cols);
}

/// First row and first stored value of this rank's part, and the totals.
struct Part {
    std::int64_t first_row = 0;
    std::int64_t first_value = 0;
    std::int64_t rows = 0;
    std::int64_t values = 0;
};

Part locate(const comm::Comm& comm, std::int64_t rows, std::int64_t values) {
    Part part;
    const auto all_rows = comm.allgather(rows);
    const auto all_values = comm.allgather(values);
    const auto before = comm.rank();
    part.first_row = std::accumulate(all_rows.begin(), all_rows.begin() + before, std::int64_t{0});
    part.first_value =
        std::accumulate(all_values.begin(), all_values.begin() + before, std::int64_t{0});
    part.rows = std::accumulate(all_rows.begin(), all_rows.end(), std::int64_t{0});
    part.values = std::accumulate(all_values.begin(), all_values.end(), std::int64_t{0});
    return part;
}

/// The datasets of X with their final extents, still without values.
void create_x(H5Group& group, const MatrixValues& mine, const Part& part) {
    const std::int64_t columns = cols(mine);
    if (std::holds_alternative<core::MatrixF>(mine)) {
        const std::array<std::int64_t, 2> shape{part.rows, columns};
        H5Dataset x = group.create_dataset(
            "X", H5Type::Float32, shape, detail::dense_storage(part.rows, columns, sizeof(float)));
        detail::set_encoding(x, "array", "0.2.0");
        return;
    }
    H5Group x = group.create_group("X");
    detail::set_encoding(x, "csr_matrix", "0.1.0");
    const std::array<std::int64_t, 2> shape{part.rows, columns};
    x.set_attribute("shape", std::span<const std::int64_t>(shape));
    const std::int64_t pointers = part.rows + 1;
    const H5Storage values = detail::sparse_storage(part.values);
    x.create_dataset("data", H5Type::Float32, std::span(&part.values, 1), values);
    const H5Type type = detail::index_type(part.values);
    x.create_dataset("indices", type, std::span(&part.values, 1), values);
    x.create_dataset("indptr", type, std::span(&pointers, 1), detail::sparse_storage(pointers));
}

/// A dataset of a file that is open on all ranks. Collective.
H5Dataset open_together(const H5File& file, const std::string& group, const std::string& name) {
    std::optional<H5Dataset> dataset;
    file.together([&] { dataset = file.root().group(group).dataset(name); });
    return std::move(*dataset);
}

void fill_x(const comm::Comm& comm, const H5File& file, const std::string& modality,
            const MatrixValues& mine, const Part& part) {
    if (const auto* dense = std::get_if<core::MatrixF>(&mine)) {
        if (part.rows == 0 || dense->cols() == 0) return;
        open_together(file, modality, "X")
            .write_rows_collective(
                part.first_row, part.first_row + dense->rows(),
                std::span<const float>(dense->data(), static_cast<std::size_t>(dense->size())));
        return;
    }
    const auto& csr = std::get<core::CountsCsr>(mine);
    const auto write = [&](const char* name, std::int64_t first, auto numbers) {
        const auto last = first + static_cast<std::int64_t>(numbers.size());
        open_together(file, modality + "/X", name).write_rows_collective(first, last, numbers);
    };
    write("data", part.first_value, std::span<const float>(csr.values));
    const H5Type type = detail::index_type(part.values);
    detail::with_index_type(type, std::span(csr.indices),
                            [&](auto numbers) { write("indices", part.first_value, numbers); });
    std::vector<std::int64_t> pointers(csr.indptr.begin(), csr.indptr.end());
    for (std::int64_t& pointer : pointers) pointer += part.first_value;
    // A rank's last pointer is the next one's first: the last rank alone writes the end.
    if (comm.rank() + 1 != comm.size()) pointers.pop_back();
    detail::with_index_type(type, std::span<const std::int64_t>(pointers),
                            [&](auto numbers) { write("indptr", part.first_row, numbers); });
}

}  // namespace

void write_h5mu(const comm::Comm& comm, const std::string& path, const MuData& mine) {
    if (comm.size() == 1) {
        write_h5mu(path, mine);
        return;
    }
    MuData all;
    all.uns = mine.uns;
    all.obs = gather_frame(comm, mine.obs);
    std::vector<Part> parts;
    for (const auto& [name, data] : mine.modalities) {
        core::check(data.layers.empty() && data.obsp.empty(),
                    "a file written by several ranks has no layers and no obsp");
        AnnData gathered;
        gathered.obs = gather_frame(comm, data.obs);
        gathered.var = data.var;
        gathered.uns = data.uns;
        gathered.float_obsm = data.float_obsm;
        for (const auto& [key, matrix] : data.obsm)
            gathered.obsm.emplace(key, gather_rows(comm, matrix));
        const std::int64_t stored = data.x && std::holds_alternative<core::CountsCsr>(*data.x)
                                        ? std::get<core::CountsCsr>(*data.x).nnz()
                                        : 0;
        parts.push_back(locate(comm, data.obs.rows(), stored));
        all.modalities.emplace_back(name, std::move(gathered));
    }
    comm.root_or_throw([&] {
        write_h5mu(path, all);
        H5File file = H5File::open_writable(path);
        for (std::size_t m = 0; m < parts.size(); ++m) {
            const auto& [name, data] = mine.modalities[m];
            H5Group group = file.root().group("mod/" + name);
            if (data.x) create_x(group, *data.x, parts[m]);
        }
        file.close();
    });
    H5File file = H5File::open_writable(path, comm);
    for (std::size_t m = 0; m < parts.size(); ++m) {
        const auto& [name, data] = mine.modalities[m];
        if (data.x) fill_x(comm, file, "mod/" + name, *data.x, parts[m]);
    }
    file.close();
}

}  // namespace smeta::io
