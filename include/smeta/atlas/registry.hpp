#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace smeta::atlas {

/// Names of all features of the atlas, by modality ("st": genes, "sm": metabolites, others).
/// Derived from raw/ and joint/; a name's position means nothing and is stored nowhere. It may hold
/// names of samples that were removed.
class Registry {
  public:
    const std::set<std::string>& names(const std::string& modality) const;
    const std::map<std::string, std::set<std::string>>& modalities() const { return modalities_; }
    /// True when any name was new.
    bool add(const std::string& modality, const std::vector<std::string>& names);
    bool add(const Registry& other);
    /// Every name of `other` is here.
    bool covers(const Registry& other) const;
    bool operator==(const Registry&) const = default;

    /// An absent file is an empty registry; FormatError when damaged. Local.
    static Registry read(const std::filesystem::path& file);
    /// Atomic replacement. Local.
    void write(const std::filesystem::path& file) const;

  private:
    std::map<std::string, std::set<std::string>> modalities_;
};

}  // namespace smeta::atlas
