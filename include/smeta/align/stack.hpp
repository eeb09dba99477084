#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/align/align_config.hpp"
#include "smeta/align/alignment.hpp"
#include "smeta/atlas/atlas.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::align {

inline constexpr std::string_view kStack = "stack";
inline constexpr int kStackVersion = 1;

/// Serial sections of one block (a piece of tissue that was cut into them) in a common frame.
struct StackConfig {
    std::string block;    ///< level of the samples (obs) that names the block; "" = no stacks
    std::string z = "z";  ///< level that holds the height of the section, micrometres
    Deformation deformation = Deformation::Affine;
    Mirror mirror = Mirror::Search;
    std::int64_t candidates = 8;
};
/// Adds the keys stack.*.
void bind(core::ConfigTable& table, StackConfig& config);

/// How one section lies on its neighbour: what stages/stack/SAMPLE.h5 holds. The frame of a section
/// is that of its spots, without spots that of its pixels.
struct StackStep {
    std::string block;
    double z = 0;                 ///< micrometres
    std::int64_t level = 0;       ///< place in the block, from 0 at the lowest z
    std::string neighbour;        ///< next towards the reference; "" for the reference itself
    double microns_per_unit = 0;  ///< of the section's frame; 0 when unknown
    Alignment map;                ///< to the neighbour's frame; identity for the reference
    core::MatrixD outline;        ///< of the tissue: segments x, y, x, y
};

/// A section's steps to the reference, its own first.
using StackPath = std::vector<StackStep>;
/// ConfigError when the sample is in no stack. Local.
StackPath read_stack_path(const atlas::ShardedAtlas& atlas, const std::string& sample);
/// Points (rows x, y) of the section's frame in that of its block: x, y, z. Micrometres where the
/// reference's frame has them, else x and y are in its unit. Local.
core::MatrixD in_block(const StackPath& path, const core::MatrixD& points);

/// Stage stack: sections of each block are laid on their neighbours, one by one from the middle
/// one (the reference) outwards, by `fit_sections` on the rows that quality control kept; the pairs
/// are dealt over the ranks. Blocks of which `samples` (all when empty) has one are done. Nothing
/// when no block is configured. ConfigError for samples without a height or quality control, for
/// two sections of one height, and for sections that do not do for a fit. Collective.
void run_stack(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const StackConfig& config,
               const std::vector<std::string>& samples = {});

/// The sections of one block in its frame, lowest first.
struct StackDrawing {
    struct Section {
        std::string sample;
        double z = 0;
        core::MatrixD outline;  ///< segments x, y, x, y
    };
    std::string block;
    std::string unit;  ///< of x and y: "um", or "" for the reference's
    std::vector<Section> sections;
};
/// Of all blocks that the atlas has, by name. Local.
std::vector<StackDrawing> stack_drawings(const atlas::ShardedAtlas& atlas);

}  // namespace smeta::align
