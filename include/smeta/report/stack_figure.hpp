#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::report {

/// Serial sections in the frame of their block, lowest first.
struct StackOutlines {
    struct Section {
        std::string sample;
        double z = 0;
        core::MatrixD outline;  ///< segments x, y, x, y
    };
    std::string block;
    std::string unit;  ///< of x and y; "" when unknown
    std::vector<Section> sections;
};

/// Draws the outlines of all sections as an SVG: from above, one on another, and from the side,
/// spread along z. Throws IoError. Local.
void write_stack_figure(const StackOutlines& stack, const std::filesystem::path& out);

}  // namespace smeta::report
