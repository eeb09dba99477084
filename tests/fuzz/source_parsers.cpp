#include <algorithm>
#include <cmath>

#include <zlib.h>

#include "smeta/atlas/ingest_config.hpp"
#include "smeta/atlas/study.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/imzml_writer.hpp"
#include "smeta/io/labels.hpp"
#include "smeta/io/visium.hpp"

#include "parsers.hpp"
#include "read_sample.hpp"

namespace smeta::fuzz {

namespace {

/// Whatever ingest accepts must be written as raw data and come back.
void check_raw(const io::MuData& data, const Folder& folder) {
    try {
        const std::string path = (folder / "raw.h5mu").string();
        io::write_h5mu(path, data);
        const io::MuData back = io::read_h5mu(path);
        for (const auto& [name, modality] : data.modalities) {
            const io::AnnData* same = back.find(name);
            if (same == nullptr || same->obs.index != modality.obs.index ||
                same->var.index != modality.var.index ||
                same->x.has_value() != modality.x.has_value())
                throw Fault("other data came back");
        }
    } catch (const std::exception& error) {
        throw Fault(std::string("what was read cannot be written: ") + error.what());
    }
}

atlas::IngestConfig random_config(Random& random) {
    atlas::IngestConfig config;
    auto& source = config.source;
    source.verify_checksum = random.one_in(4);
    source.values.imzml_uuid = random.one_in(4) ? io::UuidPolicy::Error : io::UuidPolicy::Ignore;
    source.values.nan = static_cast<io::NanPolicy>(random.below(3));
    source.values.fractional_counts = static_cast<io::FractionalCounts>(random.below(3));
    source.hires_image = random.one_in(2);
    if (random.one_in(4)) source.max_bin_ppm = 20;
    return config;
}

atlas::SampleSource sample_of(const std::string& st, const std::vector<std::string>& sm) {
    atlas::SampleSource source;
    source.name = "S";
    source.st = st;
    source.sm = sm;
    source.origin = "fuzz";
    return source;
}

/// As `smeta ingest` reads one sample.
void ingest(const atlas::SampleSource& source, const Folder& folder, Random& random) {
    const atlas::IngestConfig config = random_config(random);
    const auto names =
        atlas::common_names({atlas::mass_bins(source, config)}, config.source.mz_ppm);
    check_raw(atlas::read_sample(source, names.front(), config), folder);
}

std::function<void(const Folder&, Random&)> ingest_st(const std::string& name) {
    return [name](const Folder& folder, Random& random) {
        ingest(sample_of((folder / name).string(), {}), folder, random);
    };
}

std::function<void(const Folder&)> text_seed(const std::string& name, const std::string& text) {
    return [=](const Folder& folder) { write_file(folder / name, text); };
}

std::string gzip(const std::string& text) {
    std::string packed(compressBound(text.size()) + 32, '\0');
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

std::function<void(const Folder&)> image_seed(const std::string& name, io::ImzmlMode mode,
                                              io::Compression compression, io::Polarity polarity) {
    return [=](const Folder& folder) {
        io::ImzmlWriter writer((folder / name).string(), {.mode = mode,
                                                          .polarity = polarity,
                                                          .compression = compression,
                                                          .pixel_size_um = 50,
                                                          .seed = 1});
        for (int pixel = 0; pixel < 6; ++pixel) {
            std::vector<double> mz;
            std::vector<float> intensity;
            const double shift = mode == io::ImzmlMode::Continuous ? 0 : 1e-4 * pixel;
            for (int peak = 0; peak < 5; ++peak) {
                mz.push_back(100 + 50 * peak + shift);
                intensity.push_back(static_cast<float>(peak * pixel));
            }
            writer.add(1 + pixel % 3, 1 + pixel / 3, mz, intensity);
        }
        writer.finish();
    };
}

Parser imzml() {
    using io::Compression;
    using io::ImzmlMode;
    using io::Polarity;
    return {"imzml",
            {image_seed("a.imzML", ImzmlMode::Processed, Compression::None, Polarity::Positive),
             image_seed("a.imzML", ImzmlMode::Processed, Compression::Zlib, Polarity::Unknown),
             image_seed("a.imzML", ImzmlMode::Continuous, Compression::None, Polarity::Negative),
             [](const Folder& folder) {
                 image_seed("a.imzML", ImzmlMode::Continuous, Compression::Zlib,
                            Polarity::Positive)(folder);
                 image_seed("b.imzML", ImzmlMode::Processed, Compression::None,
                            Polarity::Negative)(folder);
             }},
            [](const Folder& folder, Random& random) {
                std::vector<std::string> images{(folder / "a.imzML").string()};
                if (std::filesystem::exists(folder / "b.imzML"))
                    images.push_back((folder / "b.imzML").string());
                ingest(sample_of("", images), folder, random);
            }};
}

Parser intensity_table() {
    const std::string pixels =
        "x,y,100.1,200.25,mz_300.5_pos\n1,1,3,4,0\n2,1,3.5,4,1e3\n1,2,0,0,2\n2,2,1,0,0\n";
    return {
        "intensity_table",
        {text_seed("t.csv", pixels),
         text_seed("t.csv", "spot;x;y;\"m;1\";m2\n1x1;1;1;0.5;3\n2x1;2;1;7;1e-3\n1x2;1;2;0;1\n"),
         text_seed("t.csv", gzip(pixels))},
        [](const Folder& folder, Random& random) {
            ingest(sample_of("", {(folder / "t.csv").string()}), folder, random);
        }};
}

Parser count_table() {
    const std::string counts =
        "\tg1\tg2\tENSG00000000003.1\n1x1\t1\t0\t3\n1x2\t0\t2\t0\n2x1\t5\t0\t0\n";
    const std::string positions =
        "x\ty\tnew_x\tnew_y\tpixel_x\tpixel_y\tselected\n1\t1\t1.02\t0.98\t10.5\t20\t1\n"
        "1\t2\t1\t2\t10\t40\t1\n2\t1\t2\t1\t30\t20\t0\n";
    return {"count_table",
            {text_seed("A.tsv", counts),
             [=](const Folder& folder) {
                 write_file(folder / "A.tsv", counts);
                 write_file(folder / "A_selection.tsv", positions);
             }},
            ingest_st("A.tsv")};
}

Parser labels() {
    return {
        "labels",
        {text_seed("l.tsv", "spot\tlabel\n1x1\ttumour\n1x2\t\"fat\"\n2x1\tundetermined\n"),
         text_seed("l.tsv", "x\ty\tpixel_x\tpixel_y\tlabel\n1.1\t1\t5\t6\ta\n1\t1.9\t5\t6\tb\n")},
        [](const Folder& folder, Random&) {
            io::Frame obs;
            obs.index = {"1x1", "1x2", "2x1"};
            obs.set("array_col", std::vector<std::int32_t>{1, 1, 2});
            obs.set("array_row", std::vector<std::int32_t>{1, 2, 1});
            std::int64_t matched = 0;
            io::read_labels((folder / "l.tsv").string(), obs, matched);
        }};
}

io::AnnData section(const std::vector<std::string>& barcodes) {
    io::AnnData data;
    data.obs.index = barcodes;
    data.var.index = {"TP53", "ACTB", "MT-CO1"};
    data.var.set("gene_id", std::vector<std::string>{"ENSG00000000001.2", "ENSG00000000002",
                                                     "ENSG00000000003"});
    core::MatrixF counts(static_cast<std::int64_t>(barcodes.size()), 3);
    for (std::int64_t r = 0; r < counts.rows(); ++r)
        counts.row(r) << static_cast<float>(r), 0, static_cast<float>(40'000 - r);
    data.x = core::from_dense(counts);
    return data;
}

Parser tenx() {
    return {"tenx_h5",
            {[](const Folder& folder) {
                io::write_tenx_h5((folder / "m.h5").string(), section({"AAA-1", "CCC-1", "GGG-1"}));
            }},
            ingest_st("m.h5")};
}

Parser tenx_mtx() {
    return {"tenx_mtx",
            {[](const Folder& folder) {
                write_file(
                    folder / "matrix.mtx",
                    "%%MatrixMarket matrix coordinate integer general\n%\n3 2 4\n1 1 3\n2 2 4\n"
                    "3 1 1\n3 2 9\n");
                write_file(folder / "barcodes.tsv", "AAA-1\nCCC-1\n");
                write_file(folder / "features.tsv",
                           "ENSG01\tg1\tGene Expression\nENSG02\tg2\tGene Expression\n"
                           "P1\tp1\tAntibody Capture\n");
            }},
            [](const Folder& folder, Random& random) {
                ingest(sample_of(folder.string(), {}), folder, random);
            }};
}

io::Image image(std::int64_t side) {
    io::Image made{side, side, 3, {}};
    for (std::int64_t i = 0; i < side * side * 3; ++i)
        made.values.push_back(static_cast<std::uint8_t>(i * 7));
    return made;
}

io::VisiumSection visium_section(const io::AnnData& data) {
    io::VisiumSection made;
    made.data = &data;
    made.scale = {0.2, 0.06, 89.5, 144.6};
    for (std::size_t i = 0; i < data.obs.index.size(); ++i)
        made.positions.push_back({data.obs.index[i], i != 1, static_cast<std::int32_t>(i), 2,
                                  100.5 * static_cast<double>(i), 200});
    made.lowres = image(6);
    made.hires = image(9);
    return made;
}

Parser visium() {
    return {"visium",
            {[](const Folder& folder) {
                 const io::AnnData data = section({"AAA-1", "CCC-1", "GGG-1"});
                 io::write_visium((folder / "outs").string(), visium_section(data));
             },
             [](const Folder& folder) {
                 const io::AnnData data = section(
                     {"s_008um_00000_00001-1", "s_008um_00003_00001-1", "s_008um_00004_00002-1"});
                 const Folder bins = folder / "outs/binned_outputs/square_008um";
                 io::write_visium(bins.string(), visium_section(data));
                 write_file(
                     bins / "spatial/scalefactors_json.json",
                     "{\"spot_diameter_fullres\": 29.2, \"bin_size_um\": 8.0, "
                     "\"microns_per_pixel\": 0.27, \"tissue_hires_scalef\": 0.07, "
                     "\"tissue_lowres_scalef\": 0.007, \"fiducial_diameter_fullres\": 1200}\n");
             }},
            ingest_st("outs")};
}

io::AnnData annotated() {
    io::AnnData data = section({"a", "b", "c", "d"});
    data.var.set("type", io::Categorical{{0, 0, 1}, {"ST", "SM"}, false});
    data.var.set("mz", std::vector<double>{NAN, NAN, 120.5});
    data.obs.set("sample", io::Categorical{{0, 1, 0, -1}, {"S1", "S2"}, true});
    data.obs.set("sample", io::Categorical{{0, 1, 0, 1}, {"S1", "S2"}, true});
    data.obs.set("cohort", std::vector<std::string>{"C", "D", "C", "D"});
    data.obs.set("depth", std::vector<float>{1, 2, 3, 4});
    data.obs.set("in_tissue", std::vector<std::uint8_t>{1, 0, 1, 1});
    data.obs.set("count", std::vector<std::int64_t>{5, 6, 7, 8});
    data.layers["counts"] = *data.x;
    data.layers["dense"] = io::to_dense(*data.x);
    data.obsm["spatial"] = core::MatrixD::Random(4, 2);
    data.obsm["X_pca"] = core::MatrixD::Random(4, 3);
    data.float_obsm = {"X_pca"};
    core::CountsCsr pairs = core::from_dense(core::MatrixF::Identity(4, 4));
    data.obsp["distances"] = pairs;
    io::UnsDict inner;
    inner["unit"].value = std::string("pixel");
    inner["microns_per_unit"].value = 0.5;
    inner["values"].value = io::NdArray<double>{{2, 2}, {1, 2, 3, 4}};
    inner["names"].value = std::vector<std::string>{"p", "q"};
    data.uns["smeta"].value = inner;
    data.uns["n"].value = std::int64_t{3};
    return data;
}

/// Every access to a file that is read in pieces.
void read_pieces(const std::string& path, const std::string& modality) {
    const io::AnnDataReader reader(path, modality);
    reader.obs();
    reader.var();
    reader.uns();
    if (reader.has_obsm("spatial")) reader.obsm("spatial");
    if (!reader.has_x()) return;
    reader.stored_values();
    const std::int64_t middle = reader.rows() / 2;
    reader.x_rows(0, middle);
    reader.x_rows(middle, reader.rows());
}

Parser h5ad() {
    return {
        "h5ad",
        {[](const Folder& folder) { io::write_h5ad((folder / "d.h5ad").string(), annotated()); },
         [](const Folder& folder) {
             io::AnnData data = annotated();
             data.x = io::to_dense(*data.x);
             io::write_h5ad((folder / "d.h5ad").string(), data);
         }},
        [](const Folder& folder, Random& random) {
            const std::string path = (folder / "d.h5ad").string();
            if (random.one_in(4)) return read_pieces(path, "");
            if (random.one_in(2)) return ingest(sample_of(path, {}), folder, random);
            ingest(sample_of("", {path}), folder, random);
        }};
}

Parser joint() {
    return {
        "joint_h5ad",
        {[](const Folder& folder) { io::write_h5ad((folder / "d.h5ad").string(), annotated()); }},
        [](const Folder& folder, Random& random) {
            atlas::SampleSource source;
            source.joint = (folder / "d.h5ad").string();
            source.origin = "fuzz";
            for (const auto& sample : atlas::read_joint_samples(source, random_config(random)))
                check_raw(sample.data, folder);
        }};
}

Parser h5mu() {
    return {"h5mu",
            {[](const Folder& folder) {
                io::MuData data;
                data.modalities.emplace_back("sm", annotated());
                data.modalities.emplace_back("st", annotated());
                data.modalities.back().second.var.index = {"g1", "g2", "g3"};
                io::write_h5mu((folder / "d.h5mu").string(), data);
            }},
            [](const Folder& folder, Random& random) {
                const std::string path = (folder / "d.h5mu").string();
                if (random.one_in(4))
                    for (const auto& name : io::modality_names(path)) read_pieces(path, name);
                else if (random.one_in(2))
                    ingest(sample_of(path, {path}), folder, random);
                else
                    io::read_h5mu(path);
            }};
}

}  // namespace

std::vector<Parser> source_parsers() {
    return {imzml(),    intensity_table(), count_table(), labels(), tenx(),
            tenx_mtx(), visium(),          h5ad(),        joint(),  h5mu()};
}

}  // namespace smeta::fuzz
