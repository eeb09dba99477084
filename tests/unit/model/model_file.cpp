#include "smeta/model/model_file.hpp"

#include <functional>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/h5.hpp"

#include "support/support.hpp"

namespace smeta::model {
namespace {

NetworkOptions network() {
    NetworkOptions options;
    ModalityBlock sm;
    sm.name = "sm";
    sm.features = 3;
    ModalityBlock st;
    st.name = "st";
    st.features = 4;
    st.likelihood = Likelihood::Zinb;
    st.mean_head = MeanHead::SoftmaxLibrary;
    options.blocks = {sm, st};
    options.hidden = {6, 5};
    options.latent = 2;
    options.batch_categories = {2};
    return options;
}

class ModelFile : public testing::Test {
  protected:
    ModelFile() {
        write_model(path_, Cvae<float>(network()),
                    {{"sample"}, {{"S1", "S2"}}, 12.5, {{1, 2, 3}, {}}});
    }
    void change(const std::function<void(io::H5Group&)>& mutate) {
        io::H5File file = io::H5File::open_writable(path_.string());
        {
            io::H5Group root = file.root();
            mutate(root);
        }
        file.close();
    }
    test::TemporaryFolder folder_;
    std::filesystem::path path_ = folder_ / "model.h5";
};

TEST_F(ModelFile, IsReadAsItWasWritten) {
    const LoadedModel read = read_model(path_);
    EXPECT_EQ(read.cvae.options().hidden, network().hidden);
    EXPECT_EQ(read.context.categories, (std::vector<std::vector<std::string>>{{"S1", "S2"}}));
    EXPECT_EQ(read.context.mean_inputs, (std::vector<std::vector<float>>{{1, 2, 3}, {}}));
    EXPECT_EQ(read.context.sm_target, 12.5);
}

/// A small file never makes a large network: memory is taken only for what it can hold.
TEST_F(ModelFile, WidthsBeyondTheFileAreRefused) {
    for (const char* name : {"latent", "embedding_size"})
        for (const std::int64_t value :
             {std::int64_t{-1}, std::int64_t{1} << 30, (std::int64_t{1} << 32) + 2}) {
            change([&](io::H5Group& root) { root.set_attribute(name, value); });
            EXPECT_THROW(read_model(path_), core::Error) << name << " " << value;
            change([&](io::H5Group& root) {
                root.set_attribute("latent", 2);
                root.set_attribute("embedding_size", 8);
            });
        }
    EXPECT_NO_THROW(read_model(path_));
    change([](io::H5Group& root) {
        const std::vector<std::int64_t> hidden{3000, 3000};
        root.set_attribute("hidden", std::span<const std::int64_t>(hidden));
    });
    EXPECT_THROW(read_model(path_), core::FormatError);
}

TEST_F(ModelFile, MeansOfOtherLengthAreRefused) {
    change([](io::H5Group& root) {
        io::H5Group means = root.group("mean_inputs");
        means.remove("0");
        means.write<float>("0", std::vector<float>{1, 2});
    });
    EXPECT_THROW(read_model(path_), core::FormatError);
}

}  // namespace
}  // namespace smeta::model
