#pragma once

#include <map>
#include <string>

#include "smeta/io/annotated.hpp"

#include "joint_impl.hpp"

namespace smeta::align::detail {

/// A raw file of which X stays on disk: the tables, and readers of the rows that are asked for.
struct SectionSource {
    io::MuData tables;
    std::map<std::string, RowReader> readers;  ///< by modality; they keep the file open
};

/// IoError or FormatError; a modality without X is a FormatError. Local.
SectionSource open_section(const std::string& path);

}  // namespace smeta::align::detail
