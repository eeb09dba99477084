#pragma once

#include <cstdint>

#include "smeta/align/align_config.hpp"
#include "smeta/align/stack.hpp"
#include "smeta/analysis/cluster_config.hpp"
#include "smeta/analysis/map_config.hpp"
#include "smeta/analysis/umap_config.hpp"
#include "smeta/atlas/ingest_config.hpp"
#include "smeta/core/config.hpp"
#include "smeta/model/train_config.hpp"
#include "smeta/preprocess/qc_config.hpp"
#include "smeta/preprocess/select_config.hpp"
#include "smeta/report/report_config.hpp"

namespace smeta::drivers {

/// Every configuration struct of every module, bound to one table of keys. Not copyable: the table
/// points into it.
struct Settings {
    Settings();
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;

    core::ConfigTable table;
    std::uint64_t seed = 1;
    atlas::IngestConfig ingest;
    preprocess::QcConfig qc;
    align::AlignConfig align;
    align::StackConfig stack;
    align::ReassignConfig reassign;
    preprocess::SelectConfig select;
    model::ModelConfig model;
    model::LossConfig loss;
    model::TrainConfig train;
    analysis::ClusterConfig cluster;
    analysis::UmapConfig umap;
    analysis::MapConfig map;
    report::ReportConfig report;
};

}  // namespace smeta::drivers
