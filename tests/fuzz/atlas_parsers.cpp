#include <array>
#include <cstring>
#include <fstream>

#include "smeta/align/affine.hpp"
#include "smeta/align/align_config.hpp"
#include "smeta/align/alignment.hpp"
#include "smeta/atlas/ingest_config.hpp"
#include "smeta/atlas/joint_reader.hpp"
#include "smeta/atlas/registry.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/atlas/study.hpp"
#include "smeta/atlas/transform.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/sealed_file.hpp"
#include "smeta/model/checkpoint.hpp"
#include "smeta/model/model_file.hpp"
#include "smeta/model/train_config.hpp"

#include "features_file.hpp"
#include "parsers.hpp"
#include "support/atlas_data.hpp"

namespace smeta::fuzz {

namespace {

constexpr const char* kStudy = R"(# a study
atlas = "atlas"
run = "main"
[ingest]
nan = "zero"
mz_ppm = 10.0
[model]
latent = 10
hidden = [128, 64]
[loss]
st = 1.0
[[sample]]
name = "S1"
cohort = "C1"
st = "S1/visium"
sm = ["S1/pos.imzML", "S1/neg.imzML"]
labels = "S1/labels.tsv"
obs = {platform = "visium", slide = 3, fresh = true}
align = {transform = [[1.5, 0.0], [0.0, -1.5], [10, 20.25]]}
[[sample]]
name = "S2"
joint = '''both.h5ad'''
)";

Parser study() {
    return {"study",
            {[](const Folder& folder) { write_file(folder / "study.toml", kStudy); }},
            [](const Folder& folder, Random&) {
                const std::string file = (folder / "study.toml").string();
                const std::string text = read_file(file);
                atlas::parse_study(text, file);
                core::ConfigTable table;
                atlas::IngestConfig ingest;
                align::AlignConfig align;
                model::ModelConfig model;
                model::LossConfig loss;
                bind(table, ingest);
                bind(table, align);
                bind(table, model);
                bind(table, loss);
                table.parse_toml(text, file, {"atlas", "run", "sample"});
            }};
}

atlas::StageEntry stage_entry(const std::string& path) {
    atlas::StageEntry entry;
    entry.key = "0123456789abcdef";
    entry.files.push_back({path + ".0.h5mu", 1000, 10, {1, 2}, ""});
    entry.files.push_back({path + ".1.h5mu", 500, 4, {3, 4}, ""});
    entry.modalities["st"] = {14, 200};
    entry.modalities["sm"] = {14, 30};
    return entry;
}

Parser manifest() {
    return {"manifest",
            {[](const Folder& folder) {
                atlas::Manifest made;
                for (const std::string name : {"S1", "S2"}) {
                    atlas::SampleEntry& sample = made.samples[name];
                    sample.cohort = "C";
                    sample.stages["raw"] = stage_entry("raw/" + name);
                    sample.stages["joint"] = stage_entry("joint/" + name);
                }
                made.stages["select"] = stage_entry("stages/select/x");
                // Of a version without a checksum, which would refuse every mutant.
                std::string text = atlas::to_json(made);
                text.replace(text.find(",\n  \"xxh3\""), std::string::npos, "\n}\n");
                text.replace(text.find("\"1.2\""), 5, "\"1.1\"");
                write_file(folder / "manifest.json", text);
            }},
            [](const Folder& folder, Random&) {
                const std::string file = (folder / "manifest.json").string();
                atlas::Manifest read = atlas::parse_manifest(read_file(file), file);
                read.minor = std::max(read.minor, atlas::Manifest::kMinor);  // as it is written
                for (const auto& [name, sample] : read.samples)
                    for (const auto& [stage, entry] : sample.stages)
                        if (entry.rows() < 0 || entry.bytes() < 0) throw Fault("negative sums");
                if (atlas::parse_manifest(atlas::to_json(read), file) != read)
                    throw Fault("another manifest came back");
            }};
}

Parser inputs() {
    return {"inputs",
            {[](const Folder& folder) {
                atlas::RunInputs made;
                for (const std::string name : {"S1", "S2"}) {
                    const atlas::StageEntry joint = stage_entry("joint/" + name);
                    made.samples.push_back({name, "C", joint.key, joint.files, joint.modalities});
                }
                write_file(folder / "inputs.json", atlas::to_json(made));
            }},
            [](const Folder& folder, Random&) {
                const std::string file = (folder / "inputs.json").string();
                const atlas::RunInputs read = atlas::parse_inputs(read_file(file), file);
                if (read.rows() < 0) throw Fault("negative sums");
                if (atlas::parse_inputs(atlas::to_json(read), file) != read)
                    throw Fault("other inputs came back");
            }};
}

Parser registry() {
    return {"registry",
            {[](const Folder& folder) {
                atlas::Registry made;
                made.add("st", {"ACTB", "TP53"});
                made.add("sm", {"mz_100.0000_pos"});
                made.write(folder / "registry.h5");
            }},
            [](const Folder& folder, Random&) {
                const atlas::Registry read = atlas::Registry::read(folder / "registry.h5");
                if (!read.covers(read)) throw Fault("a registry that does not cover itself");
            }};
}

Parser features() {
    return {"features",
            {[](const Folder& folder) {
                atlas::FeatureSet made;
                io::Frame genes;
                genes.index = {"ACTB", "TP53"};
                genes.set("gene_id", std::vector<std::string>{"ENSG1", "ENSG2"});
                io::Frame metabolites;
                metabolites.index = {"mz_100", "mz_200", "mz_300"};
                metabolites.set("mz", std::vector<double>{100, 200, 300});
                core::Matrix<std::uint8_t> measured(2, 3);
                measured << 1, 0, 1, 1, 1, 1;
                made.modalities.push_back({"sm", metabolites, measured});
                made.modalities.push_back({"st", genes, {}});
                atlas::RunInputs of;
                for (const std::string name : {"S1", "S2"})
                    of.samples.push_back({name, "C", "", {}, {}});
                atlas::detail::write_features((folder / "features.h5").string(), made, of);
            }},
            [](const Folder& folder, Random&) {
                atlas::detail::read_features((folder / "features.h5").string());
            }};
}

Parser transform() {
    return {"transform",
            {[](const Folder& folder) {
                 align::write_alignment(folder / "t.h5",
                                        {"given",
                                         atlas::AffineTransform{{1.5, 0, 0, -1.5}, {10, 20}},
                                         "raster",
                                         "pixel",
                                         {}});
             },
             [](const Folder& folder) {
                 io::MuData raw = test::joint_data("S1", 5);
                 atlas::set_given_transform(raw, {{1, 0.5, 0, 1}, {2, 3}});
                 atlas::set_paired(raw);
                 io::write_h5mu((folder / "raw.h5mu").string(), raw);
             }},
            [](const Folder& folder, Random&) {
                if (std::filesystem::exists(folder / "t.h5")) {
                    align::inverse(align::read_alignment(folder / "t.h5").transform.affine);
                } else {
                    const io::MuData raw = io::read_h5mu((folder / "raw.h5mu").string());
                    atlas::is_paired(raw);
                    if (const auto given = atlas::given_transform(raw)) align::inverse(*given);
                }
            }};
}

/// The joint files of a sample, with the sizes that the manifest of a stranger would name.
Parser joint_files() {
    return {"joint_files",
            {[](const Folder& folder) {
                io::write_h5mu((folder / "0.h5mu").string(), test::joint_data("S1", 9, 0, 6));
                io::write_h5mu((folder / "1.h5mu").string(), test::joint_data("S1", 9, 6, 9));
            }},
            [](const Folder& folder, Random&) {
                std::vector<atlas::FileEntry> entries;
                for (const std::string name : {"0.h5mu", "1.h5mu"})
                    entries.push_back(
                        {name,
                         static_cast<std::int64_t>(std::filesystem::file_size(folder / name)),
                         name[0] == '0' ? 6 : 3,
                         {},
                         ""});
                const atlas::JointReader reader(folder, "S1", entries);
                reader.obs();
                reader.obsm("spatial");
                for (const auto& modality : reader.modalities()) {
                    reader.var(modality);
                    reader.uns(modality);
                    reader.read_rows(modality, 2, reader.rows());
                }
                reader.read_all();
            }};
}

model::TrainState train_state() {
    model::TrainState state;
    state.identity = {.config = "train.epochs = 64\ntrain.lanes = 8\n",
                      .seed = 7,
                      .lanes = 8,
                      .categories = {{"a", "b"}},
                      .inputs_hash = "00",
                      .features_hash = "11"};
    state.values = {1.5F, -2.0F, 0.0F};
    state.running = {0.25F};
    state.first_moment = {0.1F, 0.2F, 0.3F};
    state.second_moment = {0.4F, 0.5F, 0.6F};
    state.sums.reconstruction = {1, 2};
    state.early.best_values = {9.0F};
    return state;
}

void decode(const Folder& folder, Random&) {
    const std::string file = (folder / "c.ckpt").string();
    model::decode_checkpoint(read_file(file), file);
}

void write_checkpoint(const Folder& folder) {
    write_file(folder / "c.ckpt", model::encode_checkpoint(train_state()));
}

Parser checkpoint() {
    return {"checkpoint", {write_checkpoint}, decode};
}

/// Damage behind the checksum: header and seal are made to fit.
Parser checkpoint_content() {
    return {
        "checkpoint_content", {write_checkpoint}, decode, [](const Folder& folder, Random& random) {
            constexpr std::size_t kHeader = 24;
            const std::string file = read_file(folder / "c.ckpt");
            const std::string_view sound = io::unsealed(file).value();
            std::string content(sound.substr(kHeader));
            mutate_bytes(content, random);
            const std::uint64_t length = content.size();
            std::string header(sound.substr(0, kHeader));
            std::memcpy(header.data() + 16, &length, sizeof(length));
            write_file(folder / "c.ckpt", io::sealed(header + content));
        }};
}

Parser model_file() {
    return {"model",
            {[](const Folder& folder) {
                model::NetworkOptions network;
                model::ModalityBlock sm;
                sm.name = "sm";
                sm.features = 3;
                model::ModalityBlock st;
                st.name = "st";
                st.features = 4;
                st.likelihood = model::Likelihood::Zinb;
                st.transform = model::InputTransform::Log1p;
                st.mean_head = model::MeanHead::SoftmaxLibrary;
                network.blocks = {sm, st};
                network.hidden = {6, 5};
                network.latent = 2;
                network.batch_categories = {2};
                const model::Cvae<float> cvae(network);
                model::write_model(folder / "model.h5", cvae,
                                   {{"sample"}, {{"S1", "S2"}}, 12.5, {{1, 2, 3}, {}}});
            }},
            [](const Folder& folder, Random&) { model::read_model(folder / "model.h5"); }};
}

}  // namespace

std::vector<Parser> atlas_parsers() {
    return {study(),     manifest(),    inputs(),     registry(),           features(),
            transform(), joint_files(), checkpoint(), checkpoint_content(), model_file()};
}

}  // namespace smeta::fuzz
