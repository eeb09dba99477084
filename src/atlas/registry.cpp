#include "smeta/atlas/registry.hpp"

#include <algorithm>

#include "smeta/io/atomic_file.hpp"
#include "smeta/io/h5.hpp"
#include "smeta/io/sealed_file.hpp"

#include "layout.hpp"

namespace smeta::atlas {

namespace {
constexpr std::string_view kEncoding = "smeta-registry";
}

const std::set<std::string>& Registry::names(const std::string& modality) const {
    static const std::set<std::string> none;
    const auto found = modalities_.find(modality);
    return found == modalities_.end() ? none : found->second;
}

bool Registry::add(const std::string& modality, const std::vector<std::string>& names) {
    const bool added = modalities_.try_emplace(modality).second;
    std::set<std::string>& known = modalities_[modality];
    const std::size_t before = known.size();
    known.insert(names.begin(), names.end());
    return added || known.size() != before;
}

bool Registry::add(const Registry& other) {
    bool changed = false;
    for (const auto& [modality, names] : other.modalities_)
        changed |= add(modality, {names.begin(), names.end()});
    return changed;
}

bool Registry::covers(const Registry& other) const {
    return std::all_of(other.modalities_.begin(), other.modalities_.end(), [&](const auto& entry) {
        const auto found = modalities_.find(entry.first);
        return found != modalities_.end() &&
               std::includes(found->second.begin(), found->second.end(), entry.second.begin(),
                             entry.second.end());
    });
}

Registry Registry::read(const std::filesystem::path& file) {
    Registry registry;
    if (!std::filesystem::exists(file)) return registry;
    const io::H5File opened = io::H5File::open(file.string());
    const io::H5Group root = opened.root();
    if (root.text_attribute("encoding-type") != kEncoding)
        throw root.error("attribute encoding-type smeta-registry", "another or none",
                         "run `smeta atlas verify --repair`: the file is derived from the others");
    for (const std::string& modality : root.links())
        registry.add(modality, root.dataset(modality).read_texts());
    return registry;
}

void Registry::write(const std::filesystem::path& file) const {
    io::replace_file(file.string(), [&](const std::string& temporary) {
        io::H5File created = io::H5File::create(temporary);
        {
            io::H5Group root = created.root();
            root.set_attribute("encoding-type", kEncoding);
            root.set_attribute("encoding-version", "0.1.0");
            for (const auto& [modality, names] : modalities_)
                root.write_texts(modality, std::vector<std::string>(names.begin(), names.end()));
        }
        created.close();
        io::seal_file(temporary);
        detail::finish_file(temporary, detail::kRegistryFile, 0);
    });
}

}  // namespace smeta::atlas
