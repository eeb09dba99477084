#include "smeta/atlas/common_features.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>

#include "gene_id.hpp"

namespace smeta::atlas {

namespace {

constexpr const char* kFile = "var";

/// A name with what the samples that have it say of it.
struct Named {
    std::string name;
    std::vector<std::size_t> samples;  ///< ascending
    std::string gene_id;
    std::string polarity;
    std::string identity;  ///< formula and adduct
    double mz = 0;         ///< mean over the samples; 0: none
};

/// Text of a column that may not be there.
std::vector<std::string> texts(const io::Frame& var, const std::string& column) {
    if (var.find(column) == nullptr) return std::vector<std::string>(var.index.size());
    return var.as_text(column, kFile);
}

std::vector<double> masses(const io::Frame& var) {
    const auto* column = var.find("mz");
    const bool is_text =
        column != nullptr && (std::holds_alternative<std::vector<std::string>>(*column) ||
                              std::holds_alternative<io::Categorical>(*column));
    if (column == nullptr || is_text) return std::vector<double>(var.index.size());
    return var.as_number("mz", kFile);
}

std::vector<Named> names_of(const std::vector<const io::Frame*>& vars) {
    std::map<std::string, Named> names;
    for (std::size_t sample = 0; sample < vars.size(); ++sample) {
        const io::Frame& var = *vars[sample];
        const auto ids = detail::gene_ids(var);
        const auto polarity = texts(var, "polarity");
        const auto formula = texts(var, "formula");
        const auto adduct = texts(var, "adduct");
        const auto mz = masses(var);
        for (std::size_t f = 0; f < var.index.size(); ++f) {
            Named& named = names[var.index[f]];
            named.name = var.index[f];
            named.samples.push_back(sample);
            if (named.gene_id.empty()) named.gene_id = ids[f];
            if (named.polarity.empty()) named.polarity = polarity[f];
            if (named.identity.empty()) named.identity = formula[f] + adduct[f];
            if (mz[f] > 0)
                named.mz += (mz[f] - named.mz) / static_cast<double>(named.samples.size());
        }
    }
    std::vector<Named> result;
    for (auto& [name, named] : names) result.push_back(std::move(named));
    return result;
}

/// Names of one feature.
class Group {
  public:
    explicit Group(const Named& first) { add(first); }

    /// No sample has two columns of one feature.
    bool takes(const Named& named) const {
        const bool agrees =
            identity_.empty() || named.identity.empty() || identity_ == named.identity;
        return agrees && std::none_of(named.samples.begin(), named.samples.end(), [&](auto sample) {
                   return std::binary_search(samples_.begin(), samples_.end(), sample);
               });
    }
    void add(const Named& named) {
        const auto middle = static_cast<std::ptrdiff_t>(samples_.size());
        samples_.insert(samples_.end(), named.samples.begin(), named.samples.end());
        std::inplace_merge(samples_.begin(), samples_.begin() + middle, samples_.end());
        if (identity_.empty()) identity_ = named.identity;
        members_.push_back(&named);
    }
    double first_mz() const { return members_.front()->mz; }
    const std::string& polarity() const { return members_.front()->polarity; }

    void name_members(std::map<std::string, std::string>& common) const {
        const Named& best = **std::min_element(members_.begin(), members_.end(),
                                               [](const Named* a, const Named* b) {
                                                   return std::tuple(b->samples.size(), a->name) <
                                                          std::tuple(a->samples.size(), b->name);
                                               });
        for (const Named* member : members_)
            if (member != &best) common[member->name] = best.name;
    }

  private:
    std::vector<const Named*> members_;
    std::vector<std::size_t> samples_;
    std::string identity_;
};

/// Those with the same gene id: the most frequent names come first.
void group_genes(std::vector<const Named*> genes, std::map<std::string, std::string>& common) {
    std::sort(genes.begin(), genes.end(), [](const Named* a, const Named* b) {
        return std::tuple(a->gene_id, b->samples.size(), a->name) <
               std::tuple(b->gene_id, a->samples.size(), b->name);
    });
    std::vector<Group> groups;
    const auto close = [&] {
        for (const Group& group : groups) group.name_members(common);
        groups.clear();
    };
    const Named* last = nullptr;
    for (const Named* gene : genes) {
        if (last != nullptr && last->gene_id != gene->gene_id) close();
        last = gene;
        const auto group = std::find_if(groups.begin(), groups.end(),
                                        [&](const Group& g) { return g.takes(*gene); });
        if (group == groups.end())
            groups.emplace_back(*gene);
        else
            group->add(*gene);
    }
    close();
}

void group_masses(std::vector<const Named*> masses, double ppm,
                  std::map<std::string, std::string>& common) {
    std::sort(masses.begin(), masses.end(), [](const Named* a, const Named* b) {
        return std::tie(a->polarity, a->mz, a->name) < std::tie(b->polarity, b->mz, b->name);
    });
    std::vector<Group> groups;  // those within reach of the next
    for (const Named* mass : masses) {
        const auto is_past = [&](const Group& group) {
            return group.polarity() != mass->polarity ||
                   mass->mz > group.first_mz() * (1 + 2e-6 * ppm);
        };
        for (const Group& group : groups)
            if (is_past(group)) group.name_members(common);
        std::erase_if(groups, is_past);
        const auto group = std::find_if(groups.begin(), groups.end(),
                                        [&](const Group& g) { return g.takes(*mass); });
        if (group == groups.end())
            groups.emplace_back(*mass);
        else
            group->add(*mass);
    }
    for (const Group& group : groups) group.name_members(common);
}

}  // namespace

std::map<std::string, std::string> common_features(const std::vector<const io::Frame*>& vars,
                                                   double mz_ppm) {
    const auto names = names_of(vars);
    std::vector<const Named*> genes;
    std::vector<const Named*> masses;
    for (const Named& named : names) {
        if (!named.gene_id.empty())
            genes.push_back(&named);
        else if (named.mz > 0)
            masses.push_back(&named);
    }
    std::map<std::string, std::string> common;
    group_genes(std::move(genes), common);
    group_masses(std::move(masses), mz_ppm, common);
    return common;
}

std::map<std::string, std::string, std::less<>> common_names(const ModalityFeatures& features) {
    std::map<std::string, std::string, std::less<>> common;
    if (features.var.find(kOtherNames) == nullptr) return common;
    const auto others = features.var.as_text(std::string(kOtherNames), kFile);
    for (std::size_t f = 0; f < others.size(); ++f)
        for (std::string_view left = others[f]; !left.empty();) {
            const std::string_view name = left.substr(0, left.find('\n'));
            common.emplace(name, features.names()[f]);
            left.remove_prefix(std::min(left.size(), name.size() + 1));
        }
    return common;
}

std::vector<std::int32_t> features_in(const std::vector<std::string>& columns,
                                      const ModalityFeatures& features) {
    auto found = positions_in(columns, features.names());
    const auto common = common_names(features);
    if (common.empty()) return found;
    std::unordered_map<std::string_view, std::int32_t> position;
    for (std::size_t f = 0; f < features.names().size(); ++f)
        position.emplace(features.names()[f], static_cast<std::int32_t>(f));
    for (std::size_t c = 0; c < columns.size(); ++c)
        if (const auto at = common.find(columns[c]); found[c] < 0 && at != common.end())
            found[c] = position.at(at->second);
    return found;
}

}  // namespace smeta::atlas
