#include <functional>
#include <limits>

#include <gtest/gtest.h>

#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/h5.hpp"

#include "support/support.hpp"

// Files as other writers make them: what readers of Python accept in silence and must not pass
// here, and what differs from our own writer and must still be read.
namespace smeta::io {
namespace {

core::CountsCsr counts() {
    core::CountsCsr x;
    x.cols = 3;
    x.append_row(std::vector<std::int32_t>{0, 2}, std::vector<float>{1, 2});
    x.append_row(std::vector<std::int32_t>{1}, std::vector<float>{3});
    x.append_row(std::vector<std::int32_t>{0, 1}, std::vector<float>{4, 5});
    return x;
}

AnnData base() {
    AnnData data;
    data.obs.index = {"a", "b", "c"};
    data.obs.set("batch", Categorical{{0, 1, 0}, {"x", "y"}, false});
    data.obs.set("depth", std::vector<double>{1, 2, 3});
    data.var.index = {"g1", "g2", "g3"};
    data.x = counts();
    data.obsm["spatial"] = core::MatrixD::Ones(3, 2);
    return data;
}

using Mutation = std::function<void(H5Group& root)>;

std::string mutated(const test::TemporaryFolder& folder, const Mutation& mutate) {
    const std::string path = folder / "mutated.h5ad";
    write_h5ad(path, base());
    H5File file = H5File::open_writable(path);
    {
        H5Group root = file.root();
        mutate(root);
    }
    file.close();
    return path;
}

template <class T>
void replace(H5Group group, std::string_view name, std::vector<T> values) {
    if (group.has(name)) group.remove(name);
    group.write(name, std::span<const T>(values));
}

void replace_texts(H5Group group, std::string_view name, const std::vector<std::string>& texts) {
    if (group.has(name)) group.remove(name);
    group.write_texts(name, texts);
}

struct Refused {
    const char* name;
    Mutation mutate;
    const char* object;  ///< what the message must name
};

class RefusedFiles : public testing::TestWithParam<Refused> {};

TEST_P(RefusedFiles, NamesFileAndObject) {
    const test::TemporaryFolder folder;
    const std::string path = mutated(folder, GetParam().mutate);
    try {
        read_h5ad(path);
        FAIL() << "the file was read";
    } catch (const core::FormatError& error) {
        EXPECT_EQ(error.problem().file, path);
        EXPECT_NE(error.problem().object.find(GetParam().object), std::string::npos)
            << error.what();
        EXPECT_FALSE(error.problem().expected.empty());
        EXPECT_FALSE(error.problem().found.empty());
    }
}

const std::vector<Refused> kRefused{
    {"column_index_beyond_the_columns",
     [](H5Group& root) {
         replace<std::int32_t>(root.group("X"), "indices", {0, 3, 1, 0, 1});
     },
     "/X/indices"},
    {"negative_column_index",
     [](H5Group& root) {
         replace<std::int32_t>(root.group("X"), "indices", {0, -1, 1, 0, 1});
     },
     "/X/indices"},
    {"column_twice_in_a_row",
     [](H5Group& root) {
         replace<std::int32_t>(root.group("X"), "indices", {2, 2, 1, 0, 1});
     },
     "/X"},
    {"column_index_beyond_31_bits",
     [](H5Group& root) {
         replace<std::int64_t>(root.group("X"), "indices",
                               {0, (std::int64_t{1} << 32) + 1, 1, 0, 1});
     },
     "/X/indices"},
    {"floating_point_indices",
     [](H5Group& root) {
         replace<float>(root.group("X"), "indices", {0, 2, 1, 0, 1});
     },
     "/X/indices"},
    {"indptr_falls",
     [](H5Group& root) {
         replace<std::int64_t>(root.group("X"), "indptr", {0, 3, 2, 5});
     },
     "/X/indptr"},
    {"indptr_starts_above_0",
     [](H5Group& root) {
         replace<std::int64_t>(root.group("X"), "indptr", {1, 2, 3, 5});
     },
     "/X/indptr"},
    {"indptr_too_short",
     [](H5Group& root) {
         replace<std::int64_t>(root.group("X"), "indptr", {0, 2, 5});
     },
     "/X/indptr"},
    {"indptr_ends_beyond_the_entries",
     [](H5Group& root) {
         replace<std::int64_t>(root.group("X"), "indptr", {0, 2, 3, 6});
     },
     "/X"},
    {"indptr_ends_before_the_entries",
     [](H5Group& root) {
         replace<std::int64_t>(root.group("X"), "indptr", {0, 2, 3, 4});
     },
     "/X"},
    {"fewer_values_than_indices",
     [](H5Group& root) {
         replace<float>(root.group("X"), "data", {1, 2, 3, 4});
     },
     "/X/data"},
    {"values_that_are_text",
     [](H5Group& root) {
         replace_texts(root.group("X"), "data", {"1", "2", "3", "4", "5"});
     },
     "/X/data"},
    {"no_indptr", [](H5Group& root) { root.group("X").remove("indptr"); }, "/X/indptr"},
    {"shape_of_other_rows",
     [](H5Group& root) {
         const std::vector<std::int64_t> shape{4, 3};
         root.group("X").set_attribute("shape", std::span<const std::int64_t>(shape));
     },
     "/X"},
    {"shape_of_other_columns",
     [](H5Group& root) {
         const std::vector<std::int64_t> shape{3, 4};
         root.group("X").set_attribute("shape", std::span<const std::int64_t>(shape));
     },
     "/"},
    {"shape_with_three_sizes",
     [](H5Group& root) {
         const std::vector<std::int64_t> shape{3, 3, 1};
         root.group("X").set_attribute("shape", std::span<const std::int64_t>(shape));
     },
     "/X"},
    {"unknown_encoding_of_x",
     [](H5Group& root) { root.group("X").set_attribute("encoding-type", "bsr_matrix"); }, "/X"},
    {"unknown_encoding_of_a_column",
     [](H5Group& root) { root.group("obs/batch").set_attribute("encoding-type", "period"); },
     "/obs/batch"},
    {"duplicate_names",
     [](H5Group& root) {
         replace_texts(root.group("obs"), "_index", {"a", "b", "a"});
     },
     "/obs"},
    {"missing_index", [](H5Group& root) { root.group("obs").remove("_index"); }, "/obs"},
    {"missing_column", [](H5Group& root) { root.group("obs").remove("depth"); }, "/obs/depth"},
    {"column_named_as_a_path",
     [](H5Group& root) {
         const std::vector<std::string> order{"batch/codes"};
         root.group("obs").set_attribute("column-order", std::span<const std::string>(order));
     },
     "/obs"},
    {"column_without_a_name",
     [](H5Group& root) {
         const std::vector<std::string> order{""};
         root.group("obs").set_attribute("column-order", std::span<const std::string>(order));
     },
     "/obs"},
    {"column_twice",
     [](H5Group& root) {
         const std::vector<std::string> order{"depth", "depth"};
         root.group("obs").set_attribute("column-order", std::span<const std::string>(order));
     },
     "/obs"},
    {"index_named_as_a_path",
     [](H5Group& root) { root.group("obs").set_attribute("_index", "//"); }, "/obs"},
    {"short_column",
     [](H5Group& root) {
         replace<double>(root.group("obs"), "depth", {1, 2});
     },
     "/obs"},
    {"code_beyond_the_categories",
     [](H5Group& root) {
         replace<std::int8_t>(root.group("obs/batch"), "codes", {0, 2, 0});
     },
     "/obs/batch"},
    {"code_below_missing",
     [](H5Group& root) {
         replace<std::int8_t>(root.group("obs/batch"), "codes", {0, -2, 0});
     },
     "/obs/batch"},
    {"duplicate_categories",
     [](H5Group& root) {
         replace_texts(root.group("obs/batch"), "categories", {"x", "x"});
     },
     "/obs/batch"},
    {"obsm_of_other_rows",
     [](H5Group& root) {
         replace<double>(root.group("obsm"), "spatial", {1, 2});
     },
     "/obsm"},
    {"sparse_obsm_of_vast_width",
     [](H5Group& root) {
         H5Group obsm = root.group("obsm");
         write_matrix(obsm, "wide", counts());
         const std::vector<std::int64_t> shape{3, 1'000'000'000};
         root.group("obsm/wide").set_attribute("shape", std::span<const std::int64_t>(shape));
     },
     "/obsm"},
    {"csc_of_vast_height",
     [](H5Group& root) {
         root.group("X").set_attribute("encoding-type", "csc_matrix");
         const std::vector<std::int64_t> shape{2'147'483'647, 3};
         root.group("X").set_attribute("shape", std::span<const std::int64_t>(shape));
     },
     "/"},
    {"more_rows_than_numbers",
     [](H5Group& root) {
         H5Group obsm = root.group("obsm");
         write_matrix(obsm, "long", counts());
         const std::vector<std::int64_t> shape{std::numeric_limits<std::int64_t>::max(), 3};
         root.group("obsm/long").set_attribute("shape", std::span<const std::int64_t>(shape));
     },
     "/obsm"},
    {"coordinates_that_are_text",
     [](H5Group& root) {
         replace_texts(root.group("obsm"), "spatial", {"1", "2", "3"});
     },
     "/obsm/spatial"},
    {"damaged_layer",
     [](H5Group& root) {
         H5Group layers = root.group("layers");
         write_matrix(layers, "raw", counts());
         replace<std::int32_t>(layers.group("raw"), "indices", {0, 3, 1, 0, 1});
     },
     "/layers/raw/indices"},
    {"layer_of_other_rows",
     [](H5Group& root) {
         H5Group layers = root.group("layers");
         write_matrix(layers, "raw", core::MatrixF(core::MatrixF::Ones(2, 3)));
     },
     "/layers"},
    {"no_var", [](H5Group& root) { root.remove("var"); }, "/var"},
    {"no_obs", [](H5Group& root) { root.remove("obs"); }, "/obs"},
};

INSTANTIATE_TEST_SUITE_P(Mutation, RefusedFiles, testing::ValuesIn(kRefused),
                         [](const auto& test_info) { return std::string(test_info.param.name); });

struct Accepted {
    const char* name;
    Mutation mutate;
};

class AcceptedFiles : public testing::TestWithParam<Accepted> {};

TEST_P(AcceptedFiles, GiveTheSameData) {
    const test::TemporaryFolder folder;
    const AnnData read = read_h5ad(mutated(folder, GetParam().mutate));
    EXPECT_EQ(to_csr(*read.x), counts());
    EXPECT_EQ(read.obs.index, base().obs.index);
    EXPECT_EQ(read.obs.as_text("batch", ""), (std::vector<std::string>{"x", "y", "x"}));
    EXPECT_EQ(read.obs.as_number("depth", ""), (std::vector<double>{1, 2, 3}));
    EXPECT_EQ(read.var.index, base().var.index);
}

/// X in the given encoding from indptr and indices of any width.
template <class P, class I, class V>
void write_sparse(H5Group& root, std::string_view encoding, std::vector<P> indptr,
                  std::vector<I> indices, std::vector<V> values) {
    root.remove("X");
    H5Group x = root.create_group("X");
    if (!encoding.empty()) x.set_attribute("encoding-type", encoding);
    const std::vector<std::int64_t> shape{3, 3};
    x.set_attribute(encoding.empty() ? "h5sparse_shape" : "shape",
                    std::span<const std::int64_t>(shape));
    if (encoding.empty()) x.set_attribute("h5sparse_format", "csr");
    replace<P>(std::move(x), "indptr", std::move(indptr));
    replace<I>(root.group("X"), "indices", std::move(indices));
    replace<V>(root.group("X"), "data", std::move(values));
}

template <class P, class I, class V>
Mutation csr_of() {
    return [](H5Group& root) {
        write_sparse<P, I, V>(root, "csr_matrix", {0, 2, 3, 5}, {0, 2, 1, 0, 1}, {1, 2, 3, 4, 5});
    };
}

const std::vector<Accepted> kAccepted{
    {"int32_indptr_int64_indices", csr_of<std::int32_t, std::int64_t, double>()},
    {"uint64_indptr_uint32_indices", csr_of<std::uint64_t, std::uint32_t, std::int8_t>()},
    {"uint8_everything", csr_of<std::uint8_t, std::uint8_t, std::uint8_t>()},
    {"unsorted_columns",
     [](H5Group& root) {
         write_sparse<std::int64_t, std::int32_t, float>(root, "csr_matrix", {0, 2, 3, 5},
                                                         {2, 0, 1, 1, 0}, {2, 1, 3, 5, 4});
     }},
    {"csc",
     [](H5Group& root) {
         write_sparse<std::int32_t, std::int32_t, float>(root, "csc_matrix", {0, 2, 4, 5},
                                                         {0, 2, 1, 2, 0}, {1, 4, 3, 5, 2});
     }},
    {"h5sparse_without_encoding",
     [](H5Group& root) {
         write_sparse<std::int32_t, std::int32_t, float>(root, "", {0, 2, 3, 5}, {0, 2, 1, 0, 1},
                                                         {1, 2, 3, 4, 5});
     }},
    {"dense_doubles",
     [](H5Group& root) {
         root.remove("X");
         const std::vector<std::int64_t> shape{3, 3};
         root.write<double>("X", shape, std::vector<double>{1, 0, 2, 0, 3, 0, 4, 5, 0});
     }},
    {"no_optional_groups",
     [](H5Group& root) {
         for (const char* name : {"layers", "obsm", "obsp", "uns", "varm", "varp"})
             root.remove(name);
     }},
    {"legacy_categories_beside_the_codes",
     [](H5Group& root) {
         H5Group obs = root.group("obs");
         obs.remove("batch");
         obs.write("batch", std::vector<std::int8_t>{0, 1, 0});
         replace_texts(obs.create_group("__categories"), "batch", {"x", "y"});
     }},
    {"nullable_integers_and_text",
     [](H5Group& root) {
         H5Group obs = root.group("obs");
         obs.remove("depth");
         H5Group depth = obs.create_group("depth");
         depth.set_attribute("encoding-type", "nullable-integer");
         depth.write("values", std::vector<std::int64_t>{1, 2, 3});
         depth.write_bools("mask", std::vector<std::uint8_t>{0, 0, 0});
         obs.remove("_index");
         H5Group index = obs.create_group("_index");
         index.set_attribute("encoding-type", "nullable-string-array");
         index.write_texts("values", std::vector<std::string>{"a", "b", "c"});
         index.write_bools("mask", std::vector<std::uint8_t>{0, 0, 0});
     }},
    {"ordered_as_a_number",
     [](H5Group& root) { root.group("obs/batch").set_attribute("ordered", 0); }},
    {"unknown_kinds_in_uns",
     [](H5Group& root) {
         H5Group uns = root.group("uns");
         uns.create_group("ragged").set_attribute("encoding-type", "awkward-array");
     }},
    {"another_index_name",
     [](H5Group& root) {
         H5Group obs = root.group("obs");
         obs.remove("_index");
         replace_texts(root.group("obs"), "barcode", {"a", "b", "c"});
         obs.set_attribute("_index", "barcode");
     }},
};

INSTANTIATE_TEST_SUITE_P(Mutation, AcceptedFiles, testing::ValuesIn(kAccepted),
                         [](const auto& test_info) { return std::string(test_info.param.name); });

TEST(AnnDataKinds, OneWarningNamesWhatIsLeftOut) {
    const test::TemporaryFolder folder;
    const std::string path = mutated(folder, [](H5Group& root) {
        root.group("layers").create_group("ragged").set_attribute("encoding-type", "awkward-array");
        replace_texts(root.group("layers"), "words", std::vector<std::string>(9, "w"));
        H5Group obsm = root.group("obsm");
        const std::vector<std::int64_t> shape{3, 1, 2};
        obsm.write<double>("cube", shape, std::vector<double>(6, 1));
        replace_texts(root.group("obsm"), "names", {"a", "b", "c"});
        Frame frame;
        frame.index = {"a", "b", "c"};
        frame.set("n", std::vector<double>{1, 2, 3});
        write_frame(obsm, "numbers", frame);
        frame.set("t", std::vector<std::string>{"x", "y", "z"});
        write_frame(obsm, "table", frame);
        root.group("obsp").create_group("pairs").set_attribute("encoding-type", "coo_matrix");
        H5Group uns = root.group("uns");
        uns.create_group("ragged").set_attribute("encoding-type", "awkward-array");
    });
    std::vector<std::string> lines;
    core::set_log_sink([&](core::LogLevel, std::string_view text) { lines.emplace_back(text); });
    const AnnData read = read_h5ad(path);
    core::set_log_sink({});
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0], path +
                            ": left out, of kinds that smeta does not keep: /layers/ragged, "
                            "/layers/words, /obsm/cube, /obsm/names, /obsm/table, /obsp/pairs, "
                            "/uns/ragged");
    EXPECT_EQ(to_csr(*read.x), counts());
    EXPECT_TRUE(read.layers.empty());
    EXPECT_EQ(read.obsm.size(), 2U);
    EXPECT_EQ(read.obsm.at("numbers")(2, 0), 3);
}

TEST(AnnDataRows, RefuseWhatTheWholeReaderRefuses) {
    const test::TemporaryFolder folder;
    const std::string beyond = mutated(folder, [](H5Group& root) {
        replace<std::int64_t>(root.group("X"), "indices", {0, 3, 1, 0, 1});
    });
    EXPECT_THROW((void)AnnDataReader(beyond).x_rows(0, 3), core::FormatError);
    EXPECT_EQ(AnnDataReader(beyond).x_rows(1, 3).nnz(), 3);  // the wrong entry is in row 0
    const std::string falls = mutated(folder, [](H5Group& root) {
        replace<std::int64_t>(root.group("X"), "indptr", {0, 3, 2, 5});
    });
    EXPECT_THROW(AnnDataReader{falls}, core::FormatError);
    const std::string flat = mutated(folder, [](H5Group& root) {
        H5Group x = root.group("X");
        x.remove("data");
        const std::vector<std::int64_t> shape{1, 5};
        x.write<float>("data", shape, std::vector<float>{1, 2, 3, 4, 5});
    });
    EXPECT_THROW(AnnDataReader{flat}, core::FormatError);
    const std::string endless = mutated(folder, [](H5Group& root) {
        const std::vector<std::int64_t> shape{std::numeric_limits<std::int64_t>::max(), 3};
        root.group("X").set_attribute("shape", std::span<const std::int64_t>(shape));
    });
    EXPECT_THROW(AnnDataReader{endless}, core::FormatError);
    const std::string legacy = mutated(folder, kAccepted[5].mutate);
    EXPECT_EQ(AnnDataReader(legacy).x_rows(0, 3), counts());
}

}  // namespace
}  // namespace smeta::io
