#include "section.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

namespace {

using namespace smeta;
using namespace smeta::simulate;

struct Made {
    explicit Made(StudyOptions wanted = {})
        : options(wanted), specs(plan_samples(options)), catalogue(make_catalogue(options)) {
        for (const auto& spec : specs)
            sections.push_back(std::make_unique<SectionModel>(options, spec, catalogue));
    }
    StudyOptions options;
    std::vector<SampleSpec> specs;
    Catalogue catalogue;
    std::vector<std::unique_ptr<SectionModel>> sections;
};

std::vector<double> centred(std::vector<double> values) {
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / values.size();
    for (auto& value : values) value -= mean;
    return values;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
    const auto x = centred(a), y = centred(b);
    const auto dot = [](const auto& p, const auto& q) {
        return std::inner_product(p.begin(), p.end(), q.begin(), 0.0);
    };
    return dot(x, y) / std::sqrt(dot(x, x) * dot(y, y));
}

TEST(Section, HasTheSpotsAskedForWithinTheArray) {
    for (const std::int64_t spots : {1, 2, 50, 4000, 5000, 13000, 20000}) {
        StudyOptions options;
        options.spots = spots;
        options.samples = 1;
        const auto specs = plan_samples(options);
        const Anatomy anatomy(options, specs[0]);
        const auto inside = std::count_if(anatomy.array().begin(), anatomy.array().end(),
                                          [](const ArraySpot& s) { return s.in_tissue; });
        EXPECT_EQ(inside, spots);
        for (const auto& spot : anatomy.array()) EXPECT_EQ(spot.row % 2, spot.col % 2);
    }
}

TEST(Section, DepthAndDensityAreThoseOfRealSections) {
    const Made made;
    for (const auto& section : made.sections) {
        const auto counts = section->counts();
        core::check_csr(counts);
        auto depth = core::row_sums(counts);
        std::sort(depth.begin(), depth.end());
        EXPECT_GT(depth[depth.size() / 2], 2000);
        EXPECT_LT(depth[depth.size() / 2], 12000);
        const double density = static_cast<double>(counts.nnz()) / counts.rows / counts.cols;
        EXPECT_GT(density, 0.15);
        EXPECT_LT(density, 0.40);
        // About four pixels a spot.
        EXPECT_NEAR(static_cast<double>(section->pixels().size()) / counts.rows, 4, 0.5);
        for (const auto& pixel : section->pixels()) {
            EXPECT_GE(std::min(pixel.x, pixel.y), 1);
            EXPECT_LE(std::max(pixel.x, pixel.y), section->anatomy().grid_size());
        }
    }
}

TEST(Section, RowsDoNotDependOnThreadsOrOtherSamples) {
    StudyOptions options;
    options.spots = 200;
    core::set_threads(1);
    const Made one(options);
    const auto counts = one.sections[1]->counts();
    const auto pixel = one.sections[1]->intensities(3);
    core::set_threads(3);
    const auto again = one.sections[1]->counts();
    options.samples = 2;
    const Made fewer(options);
    core::set_threads(1);
    EXPECT_EQ(counts, again);
    EXPECT_EQ(counts, fewer.sections[1]->counts());
    EXPECT_EQ(pixel, fewer.sections[1]->intensities(3));
    options.seed = 2;
    EXPECT_NE(counts, Made(options).sections[1]->counts());
}

TEST(Section, DomainsShowInGenesAndMetabolitesAndVaryTogether) {
    StudyOptions options;
    options.layout = Layout::Same;
    options.samples = 1;
    const Made made(options);
    const auto& section = *made.sections[0];
    const auto counts = core::to_dense(section.counts());
    // For every domain: mean of its marker genes in a spot against mean of its marker metabolites
    // in the nearest pixel.
    for (int domain = 0; domain < options.domains; ++domain) {
        std::vector<double> share, genes, metabolites;
        for (std::size_t i = 0; i < section.spots().size(); ++i) {
            const Point p = Anatomy::position(section.spots()[i]);
            share.push_back(section.anatomy().domain_shares(p, Section::Transcriptome)[domain]);
            double sum = 0;
            for (std::size_t g = 0; g < made.catalogue.genes.size(); ++g)
                if (made.catalogue.genes[g].marker_of == domain) sum += counts(i, g);
            genes.push_back(sum / counts.row(i).sum());
            const auto nearest =
                std::min_element(section.pixels().begin(), section.pixels().end(),
                                 [p](const Pixel& a, const Pixel& b) {
                                     return std::hypot(a.position.x - p.x, a.position.y - p.y) <
                                            std::hypot(b.position.x - p.x, b.position.y - p.y);
                                 });
            const auto row = section.intensities(nearest - section.pixels().begin());
            double marked = 0, total = 0;
            for (std::size_t m = 0; m < row.size(); ++m) {
                total += row[m];
                if (made.catalogue.metabolites[m].marker_of == domain) marked += row[m];
            }
            metabolites.push_back(marked / total);
        }
        EXPECT_GT(correlation(share, genes), 0.5) << "domain " << domain;
        EXPECT_GT(correlation(share, metabolites), 0.3) << "domain " << domain;
        EXPECT_GT(correlation(genes, metabolites), 0.2) << "domain " << domain;
    }
}

TEST(Section, AdjacentSectionsAreDisplacedAndSameOnesAreNot) {
    StudyOptions options;
    for (const auto layout : {Layout::Same, Layout::Adjacent}) {
        options.layout = layout;
        const Made made(options);
        const auto& anatomy = made.sections[0]->anatomy();
        double difference = 0;
        for (const auto& spot : made.sections[0]->spots()) {
            const Point p = Anatomy::position(spot);
            const auto a = anatomy.domain_shares(p, Section::Transcriptome);
            const auto b = anatomy.domain_shares(p, Section::Metabolome);
            for (std::size_t d = 0; d < a.size(); ++d) difference += std::abs(a[d] - b[d]);
        }
        if (layout == Layout::Same) {
            EXPECT_EQ(difference, 0);
        } else {
            EXPECT_GT(difference, 1);
        }
    }
}

TEST(Catalogue, MassesAreFurtherApartThanTheTolerance) {
    StudyOptions options;
    options.metabolites = 2000;
    const auto catalogue = make_catalogue(options);
    std::set<std::string> names;
    for (const auto& gene : catalogue.genes) EXPECT_TRUE(names.insert(gene.name).second);
    for (std::size_t m = 1; m < catalogue.metabolites.size(); ++m) {
        const auto& low = catalogue.metabolites[m - 1];
        const auto& high = catalogue.metabolites[m];
        if (low.polarity == high.polarity) {
            EXPECT_GT((high.mz / low.mz - 1) * 1e6, 30);
        }
    }
}

TEST(Plan, SamplesSizesAndErrors) {
    StudyOptions options;
    options.samples = 12;
    EXPECT_EQ(plan_samples(options)[2].name, "S03");
    EXPECT_EQ(plan_samples(options)[2].cohort, "C1");
    options.only = "S13";
    EXPECT_THROW(plan_samples(options), core::ConfigError);
    options.only.reset();
    options.sizes = {{"big", 300}, {"small", 3}};
    EXPECT_EQ(plan_samples(options)[1].spots, 3);
    EXPECT_EQ(parse_sizes("sample\tspots\n# of 2024\nbig\t300\nsmall 3\n", "f"), options.sizes);
    for (const char* wrong : {"", "a\n", "a b\n", "a 1 2\n", "a 0\n", "a 1\na 2\n", "a/b 1\n"})
        EXPECT_THROW(parse_sizes(wrong, "f"), core::FormatError) << wrong;
    options.genes = 0;
    EXPECT_THROW(plan_samples(options), core::ConfigError);
}

}  // namespace
