#include "smeta/atlas/common_features.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <unordered_map>

#include "smeta/io/mz_reference.hpp"

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
    std::string formula;
    std::string adduct;
    double mz = 0;  ///< mean over the samples; 0: none
};

/// Text of a column that may not be there.
std::vector<std::string> texts(const io::Frame& var, const std::string& column) {
    if (var.find(column) == nullptr) return std::vector<std::string>(var.index.size());
    return var.as_text(column, kFile);
}

/// Zeros for a column that may not be there or holds text.
std::vector<double> numbers(const io::Frame& var, const std::string& name) {
    const auto* column = var.find(name);
    const bool is_text =
        column != nullptr && (std::holds_alternative<std::vector<std::string>>(*column) ||
                              std::holds_alternative<io::Categorical>(*column));
    if (column == nullptr || is_text) return std::vector<double>(var.index.size());
    return var.as_number(name, kFile);
}

/// "+H" of "+H", "M+H", "[M+H]+" and "[M+H]1+".
std::string plain_adduct(std::string_view text) {
    if (text.starts_with('[')) text = text.substr(1, text.find(']') - 1);
    if (text.starts_with('M')) text.remove_prefix(1);
    return std::string(text);
}

std::vector<Named> names_of(const std::vector<const io::Frame*>& vars) {
    std::map<std::string, Named> names;
    for (std::size_t sample = 0; sample < vars.size(); ++sample) {
        const io::Frame& var = *vars[sample];
        const auto ids = detail::gene_ids(var);
        const auto polarity = texts(var, "polarity");
        const auto formula = texts(var, "formula");
        const auto adduct = texts(var, "adduct");
        const auto mz = numbers(var, "mz");
        for (std::size_t f = 0; f < var.index.size(); ++f) {
            Named& named = names[var.index[f]];
            named.name = var.index[f];
            named.samples.push_back(sample);
            if (named.gene_id.empty()) named.gene_id = ids[f];
            if (named.polarity.empty()) named.polarity = polarity[f];
            if (named.formula.empty()) named.formula = formula[f];
            if (named.adduct.empty()) named.adduct = plain_adduct(adduct[f]);
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
        const auto agree = [](const std::string& a, const std::string& b) {
            return a.empty() || b.empty() || a == b;
        };
        if (!agree(formula_, named.formula) || !agree(adduct_, named.adduct)) return false;
        return std::none_of(named.samples.begin(), named.samples.end(), [&](auto sample) {
            return std::binary_search(samples_.begin(), samples_.end(), sample);
        });
    }
    void add(const Named& named) {
        const auto middle = static_cast<std::ptrdiff_t>(samples_.size());
        samples_.insert(samples_.end(), named.samples.begin(), named.samples.end());
        std::inplace_merge(samples_.begin(), samples_.begin() + middle, samples_.end());
        if (formula_.empty()) formula_ = named.formula;
        if (adduct_.empty()) adduct_ = named.adduct;
        members_.push_back(&named);
    }
    double first_mz() const { return members_.front()->mz; }

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
    std::string formula_;
    std::string adduct_;
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

/// By polarity, the union of the intervals of all samples.
std::map<std::string, io::MzBins> consensus_bins(const std::vector<const io::Frame*>& vars,
                                                 const MassTolerance& mass) {
    std::map<std::string, io::MzCollector> collectors;
    for (const io::Frame* var : vars) {
        const auto ids = detail::gene_ids(*var);
        const auto polarity = texts(*var, "polarity");
        const auto mz = numbers(*var, "mz");
        const auto half_width = numbers(*var, "half_width");
        std::map<std::string, io::MzBins> bins;
        for (std::size_t f = 0; f < mz.size(); ++f) {
            if (!(mz[f] > 0) || !ids[f].empty()) continue;
            bins[polarity[f]].center.push_back(mz[f]);
            bins[polarity[f]].half_width.push_back(half_width[f] > 0 ? half_width[f]
                                                                     : mz[f] * mass.ppm / 1e6);
        }
        for (const auto& [name, of_sample] : bins)
            collectors.try_emplace(name, mass.ppm, mass.max_bin_ppm).first->second.add(of_sample);
    }
    std::map<std::string, io::MzBins> consensus;
    for (auto& [name, collector] : collectors) consensus[name] = collector.finish();
    return consensus;
}

/// Those of one consensus bin that no sample, formula or adduct tells apart are one.
bool are_one(const std::vector<const Named*>& masses) {
    Group group(*masses.front());
    return std::all_of(masses.begin() + 1, masses.end(), [&](const Named* mass) {
        const bool takes = group.takes(*mass);
        if (takes) group.add(*mass);
        return takes;
    });
}

/// Those of one consensus bin that cannot all be one: ascending, no further than the tolerance.
void group_near(const std::vector<const Named*>& masses, double ppm,
                std::map<std::string, std::string>& common) {
    std::vector<Group> groups;  // those within reach of the next
    for (const Named* mass : masses) {
        const auto is_past = [&](const Group& group) {
            return mass->mz > group.first_mz() * (1 + 2e-6 * ppm);
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

void group_masses(const std::vector<const Named*>& masses,
                  const std::map<std::string, io::MzBins>& consensus, double ppm,
                  std::map<std::string, std::string>& common) {
    // By polarity and bin; those that no bin holds (by rounding) stay alone.
    std::map<std::pair<std::string, std::int32_t>, std::vector<const Named*>> members;
    for (const Named* mass : masses) {
        const auto bins = consensus.find(mass->polarity);
        const std::int32_t bin = bins == consensus.end() ? -1 : bins->second.find(mass->mz);
        if (bin >= 0) members[{mass->polarity, bin}].push_back(mass);
    }
    for (auto& [bin, of_bin] : members) {
        std::sort(of_bin.begin(), of_bin.end(), [](const Named* a, const Named* b) {
            return std::tie(a->mz, a->name) < std::tie(b->mz, b->name);
        });
        if (!are_one(of_bin)) {
            group_near(of_bin, ppm, common);
            continue;
        }
        Group group(*of_bin.front());
        for (std::size_t i = 1; i < of_bin.size(); ++i) group.add(*of_bin[i]);
        group.name_members(common);
    }
}

}  // namespace

std::map<std::string, std::string> common_features(const std::vector<const io::Frame*>& vars,
                                                   const MassTolerance& mass) {
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
    group_masses(masses, consensus_bins(vars, mass), mass.ppm, common);
    return common;
}

namespace {

/// Features by each of their names, of several with one name in ascending order.
class FeatureNames {
  public:
    explicit FeatureNames(const ModalityFeatures& features)
        : names_(features.names()), species_(texts(features.var, std::string(kSpecies))) {
        const auto others = texts(features.var, std::string(kOtherNames));
        for (std::size_t f = 0; f < names_.size(); ++f) {
            const auto feature = static_cast<std::int32_t>(f);
            features_[names_[f]].push_back(feature);
            for (std::string_view left = others[f]; !left.empty();) {
                const std::string_view name = left.substr(0, left.find('\n'));
                features_[std::string(name)].push_back(feature);
                left.remove_prefix(std::min(left.size(), name.size() + 1));
            }
        }
    }

    /// The feature of that species, else one so called whose species is not another one, else one
    /// that is so called elsewhere; -1: none.
    std::int32_t find(const std::string& name, const std::string& species) const {
        const auto found = features_.find(name);
        if (found == features_.end()) return -1;
        std::int32_t best = -1;
        int best_rank = kNone;
        for (const std::int32_t feature : found->second)
            if (const int rank = rank_of(feature, name, species); rank < best_rank) {
                best = feature;
                best_rank = rank;
            }
        return best;
    }

  private:
    static constexpr int kNone = 3;
    int rank_of(std::int32_t feature, const std::string& name, const std::string& species) const {
        const std::string& own = species_[feature];
        if (!species.empty() && own == species) return 0;
        if (!species.empty() && !own.empty()) return kNone;
        return names_[feature] == name ? 1 : 2;
    }

    const std::vector<std::string>& names_;
    std::vector<std::string> species_;
    std::unordered_map<std::string, std::vector<std::int32_t>> features_;
};

}  // namespace

void separate_species(const std::vector<io::Frame*>& vars) {
    std::map<std::string, std::set<std::string>> species_of;
    for (const io::Frame* var : vars) {
        const auto species = texts(*var, std::string(kSpecies));
        for (std::size_t f = 0; f < species.size(); ++f)
            if (!species[f].empty()) species_of[var->index[f]].insert(species[f]);
    }
    for (io::Frame* var : vars) {
        const auto species = texts(*var, std::string(kSpecies));
        for (std::size_t f = 0; f < species.size(); ++f)
            if (!species[f].empty() && species_of.at(var->index[f]).size() > 1)
                var->index[f] += "_" + species[f];
    }
}

std::vector<std::int32_t> features_in(const io::Frame& var, const ModalityFeatures& features) {
    const bool plain = features.var.find(kOtherNames) == nullptr &&
                       (var.find(kSpecies) == nullptr || features.var.find(kSpecies) == nullptr);
    if (plain) return positions_in(var.index, features.names());
    const FeatureNames names(features);
    const auto species = texts(var, std::string(kSpecies));
    std::vector<std::int32_t> found;
    for (std::size_t c = 0; c < species.size(); ++c)
        found.push_back(names.find(var.index[c], species[c]));
    return found;
}

std::vector<std::string> names_in(const io::Frame& var, const ModalityFeatures& features) {
    std::vector<std::string> names = var.index;
    const auto positions = features_in(var, features);
    for (std::size_t c = 0; c < names.size(); ++c)
        if (positions[c] >= 0) names[c] = features.names()[positions[c]];
    return names;
}

}  // namespace smeta::atlas
