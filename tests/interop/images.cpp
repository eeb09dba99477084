// Reads images for images.py, which compares them with what Pillow makes of them.
//   images read FILE LONGEST_SIDE OUT    prints height, width, channels and factor; OUT: the bytes
//   images stains FILE OUT               OUT: haematoxylin, eosin, residual, grey of every pixel
//                                        (float64), then tissue of every pixel
#include <fstream>
#include <iostream>

#include "smeta/align/histology.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/image_file.hpp"

namespace {

using namespace smeta;

void read(const std::string& path, std::int64_t side, const std::string& out) {
    const io::ReducedImage read = io::read_image(path, side);
    const io::Image& image = read.image;
    std::ofstream(out, std::ios::binary)
        .write(reinterpret_cast<const char*>(image.values.data()),
               static_cast<std::streamsize>(image.values.size()));
    std::cout << image.height << ' ' << image.width << ' ' << image.channels << ' ' << read.factor
              << '\n';
}

void separate(const std::string& path, const std::string& out) {
    const io::Image image = io::read_image(path).image;
    std::vector<double> values;
    for (std::size_t p = 0; p < image.values.size(); p += 3) {
        const std::array<std::uint8_t, 3> rgb{image.values[p], image.values[p + 1],
                                              image.values[p + 2]};
        const align::Stains found = align::stains(rgb);
        values.insert(values.end(),
                      {found.haematoxylin, found.eosin, found.residual, align::grey(rgb)});
    }
    for (const std::uint8_t tissue : align::find_tissue(image).tissue) values.push_back(tissue);
    std::ofstream(out, std::ios::binary)
        .write(reinterpret_cast<const char*>(values.data()),
               static_cast<std::streamsize>(values.size() * sizeof(double)));
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    try {
        if (arguments.size() == 4 && arguments[0] == "read")
            read(arguments[1], std::stoll(arguments[2]), arguments[3]);
        else if (arguments.size() == 3 && arguments[0] == "stains")
            separate(arguments[1], arguments[2]);
        else
            return 2;
    } catch (const core::Error& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
