#pragma once

#include "command.hpp"

namespace smeta::drivers {

/// Commands that ask what the clusters, labels and regions of a run are made of.
void add_markers(CommandLine& line);
void add_correlate(CommandLine& line);
void add_annotate(CommandLine& line);
void add_enrich(CommandLine& line);
void add_region(CommandLine& line);
void add_trajectory(CommandLine& line);
void add_communicate(CommandLine& line);

}  // namespace smeta::drivers
