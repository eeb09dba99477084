// Writes and reads instrument files for raw_files.py, which compares them with what Python's
// packages make of them.
//   raw_files write-imzml FOLDER        continuous.imzML and processed.imzML, values by a formula
//   that the script knows raw_files write-visium FOLDER       a Space Ranger folder raw_files
//   dump-imzml FILE FOLDER    every spectrum as read: positions.txt (x y z n), mz.f64,
//   intensity.f32 raw_files bin-imzml FILE OUT.h5ad   read_sm_imzml
#include <fstream>
#include <iostream>
#include <span>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/imzml_writer.hpp"
#include "smeta/io/sm_imzml.hpp"
#include "smeta/io/visium.hpp"

namespace {

using namespace smeta;

void write_imzml(const std::string& folder) {
    for (const io::ImzmlMode mode : {io::ImzmlMode::Continuous, io::ImzmlMode::Processed}) {
        const bool processed = mode == io::ImzmlMode::Processed;
        const std::string path = folder + (processed ? "/processed.imzML" : "/continuous.imzML");
        io::ImzmlWriter writer(path,
                               {mode, io::Polarity::Negative, io::Compression::None, 25.0, 11});
        for (int y = 1; y <= 3; ++y)
            for (int x = 1; x <= 4; ++x) {
                std::vector<double> mz;
                std::vector<float> intensity;
                for (int k = 0; k < (processed ? x + y : 5); ++k) {
                    mz.push_back(100 + 1.25 * k + (processed ? 0.001 * x : 0.0));
                    intensity.push_back(static_cast<float>(1000 * x + 10 * y + k));
                }
                writer.add(x, y, mz, intensity);
            }
        writer.finish();
    }
}

void write_visium(const std::string& folder) {
    io::AnnData data;
    io::VisiumSection section;
    core::MatrixF counts(12, 4);
    for (int i = 0; i < 16; ++i) {
        const std::string barcode = "ACGT" + std::to_string(i) + "-1";
        section.positions.push_back(
            {barcode, i < 12, i / 4, 2 * (i % 4) + i / 4 % 2, 10.5 * i, 1000.0 - i});
        if (i >= 12) continue;
        data.obs.index.push_back(barcode);
        for (int g = 0; g < 4; ++g) counts(i, g) = static_cast<float>(i * g % 5);
    }
    data.var.index = {"TP53", "ACTB", "MT-CO1", "CD3E"};
    data.var.set("gene_id", std::vector<std::string>{"ENSG00000000001", "ENSG00000000002",
                                                     "ENSG00000000003", "ENSG00000000004"});
    data.x = core::from_dense(counts);
    section.sample = "section 1";
    section.data = &data;
    section.scale = {0.1, 0.03, 110.0, 180.0};
    section.lowres = {30, 40, 3, std::vector<std::uint8_t>(3600, 128)};
    section.hires = {100, 120, 3, std::vector<std::uint8_t>(36'000, 64)};
    io::write_visium(folder, section);
}

template <class T>
void append(std::ofstream& file, const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

void dump_imzml(const std::string& path, const std::string& folder) {
    io::ImzmlReader reader(path);
    std::ofstream positions(folder + "/positions.txt");
    std::ofstream mz(folder + "/mz.f64", std::ios::binary);
    std::ofstream intensity(folder + "/intensity.f32", std::ios::binary);
    io::Spectrum spectrum;
    for (std::size_t i = 0; i < reader.spectra().size(); ++i) {
        reader.read(static_cast<std::int64_t>(i), spectrum);
        const io::ImzmlSpectrum& s = reader.spectra()[i];
        positions << s.x << ' ' << s.y << ' ' << s.z << ' ' << spectrum.mz.size() << '\n';
        append(mz, spectrum.mz);
        append(intensity, spectrum.intensity);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const std::string task = words.empty() ? "" : words[0];
    try {
        if (task == "write-imzml" && words.size() == 2) {
            write_imzml(words[1]);
        } else if (task == "write-visium" && words.size() == 2) {
            write_visium(words[1]);
        } else if (task == "dump-imzml" && words.size() == 3) {
            dump_imzml(words[1], words[2]);
        } else if (task == "bin-imzml" && words.size() == 3) {
            io::write_h5ad(words[2], io::read_sm_imzml({words[1]}, {}));
        } else {
            std::cerr << "raw_files: wrong arguments\n";
            return 2;
        }
    } catch (const core::Error& error) {
        std::cerr << error.what() << '\n';
        return error.exit_code();
    }
    return 0;
}
