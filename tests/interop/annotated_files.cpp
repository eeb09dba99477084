// Writes and reads .h5ad and .h5mu for annotated_files.py, which compares them with Python's view.
//   annotated_files write FOLDER      csr.h5ad, dense.h5ad, no_x.h5ad and two.h5mu with known
//   values annotated_files rewrite IN OUT    reads a .h5ad or .h5mu and writes what was read
//   annotated_files rows IN           X of a .h5ad read three rows at a time: "row column value"
//   lines
#include <algorithm>
#include <iostream>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

namespace {

using namespace smeta;

io::AnnData section(const std::string& prefix, const std::string& feature, std::int64_t spots) {
    constexpr std::int32_t kFeatures = 7;
    io::AnnData data;
    io::Categorical region{{}, {"cortex", "medulla", "µ"}, true};
    core::CountsCsr x;
    x.cols = kFeatures;
    core::MatrixD spatial(spots, 2);
    std::vector<double> score;
    std::vector<std::uint8_t> in_tissue;
    std::vector<std::int64_t> total;
    std::vector<std::string> note;
    for (std::int64_t r = 0; r < spots; ++r) {
        data.obs.index.push_back(prefix + std::to_string(r));
        region.codes.push_back(static_cast<std::int32_t>(r % 4) - 1);
        score.push_back(static_cast<double>(r) / 4);
        in_tissue.push_back(r % 2 == 0 ? 1 : 0);
        total.push_back(r << 33);
        note.push_back(r == 0 ? "" : "spot µ" + std::to_string(r));
        std::vector<std::int32_t> columns;
        std::vector<float> values;
        for (std::int32_t c = 0; c < kFeatures; ++c)
            if ((r + c) % 3 == 0) {
                columns.push_back(c);
                values.push_back(static_cast<float>(100 * r + c + 1));
            }
        x.append_row(columns, values);
        spatial.row(r) << 10.0 * static_cast<double>(r), -0.5;
    }
    data.obs.columns = {{"region", region},
                        {"score", score},
                        {"in_tissue", in_tissue},
                        {"total", total},
                        {"note", note}};
    for (std::int32_t c = 0; c < kFeatures; ++c)
        data.var.index.push_back(feature + std::to_string(c));
    data.var.set("mz", std::vector<double>(kFeatures, 426.9289));
    data.x = x;
    data.obsm["spatial"] = spatial;
    io::UnsDict images;
    images["lowres"] = {io::NdArray<std::uint8_t>{{2, 3, 3}, std::vector<std::uint8_t>(18, 200)}};
    data.uns["images"] = {images};
    data.uns["unit"] = {std::string("µm")};
    data.uns["microns_per_unit"] = {0.5};
    data.uns["colors"] = {std::vector<std::string>{"#ff0000", "#00ff00"}};
    data.uns["registered"] = {true};
    return data;
}

void write_samples(const std::string& folder) {
    io::AnnData data = section("spot_", "gene_", 11);
    io::write_h5ad(folder + "/csr.h5ad", data);
    data.x = core::to_dense(std::get<core::CountsCsr>(*data.x).view());
    io::write_h5ad(folder + "/dense.h5ad", data);
    data.x.reset();
    data.var = {};
    io::write_h5ad(folder + "/no_x.h5ad", data);
    io::MuData two;
    two.modalities = {{"st", section("spot_", "gene_", 11)}, {"sm", section("px_", "mz_", 5)}};
    two.uns["creator"] = {std::string("smeta")};
    io::write_h5mu(folder + "/two.h5mu", two);
}

void rewrite(const std::string& in, const std::string& out) {
    if (in.ends_with(".h5mu"))
        io::write_h5mu(out, io::read_h5mu(in));
    else
        io::write_h5ad(out, io::read_h5ad(in));
}

void print_rows(const std::string& path) {
    const io::AnnDataReader reader(path);
    for (std::int64_t first = 0; first < reader.rows(); first += 3) {
        const auto part = reader.x_rows(first, std::min(first + 3, reader.rows()));
        for (std::int64_t r = 0; r < part.rows; ++r)
            for (std::int64_t k = part.indptr[r]; k < part.indptr[r + 1]; ++k)
                std::cout << first + r << ' ' << part.indices[k] << ' ' << part.values[k] << '\n';
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    try {
        if (words.size() == 2 && words[0] == "write") {
            write_samples(words[1]);
        } else if (words.size() == 3 && words[0] == "rewrite") {
            rewrite(words[1], words[2]);
        } else if (words.size() == 2 && words[0] == "rows") {
            print_rows(words[1]);
        } else {
            std::cerr << "usage: annotated_files write|rewrite|rows ...\n";
            return 2;
        }
    } catch (const core::Error& error) {
        std::cerr << error.what() << '\n';
        return error.exit_code();
    }
    return 0;
}
