#include "smeta/io/h5.hpp"

#include <filesystem>
#include <fstream>
#include <numeric>

#include <gtest/gtest.h>

#define OMPI_SKIP_MPICXX 1
#include <hdf5.h>

#include "support/support.hpp"

namespace {

using namespace smeta;
using io::H5File;
using io::H5Storage;
using io::H5Type;

std::string read_bytes(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

template <class T>
std::vector<T> ramp(std::int64_t size) {
    std::vector<T> values(size);
    std::iota(values.begin(), values.end(), T{0});
    return values;
}

template <class T>
class H5Numbers : public testing::Test {};
using AllNumbers =
    testing::Types<float, double, std::int8_t, std::int16_t, std::int32_t, std::int64_t,
                   std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(H5Numbers, AllNumbers);

TYPED_TEST(H5Numbers, RoundTripWithItsOwnType) {
    const test::TemporaryFolder folder;
    const auto values = ramp<TypeParam>(120);
    {
        auto file = H5File::create(folder / "n.h5");
        const std::vector<std::int64_t> shape{12, 10};
        file.root().write<TypeParam>("plain", values);
        file.root().write<TypeParam>("packed", shape, values, H5Storage::chunked({5, 10}));
        file.close();
    }
    const auto root = H5File::open(folder / "n.h5").root();
    EXPECT_EQ(root.dataset("plain").type(), io::h5_type<TypeParam>());
    EXPECT_EQ(root.dataset("plain").template read<TypeParam>(), values);
    const auto packed = root.dataset("packed");
    EXPECT_EQ(packed.shape(), (std::vector<std::int64_t>{12, 10}));
    EXPECT_EQ(packed.chunk(), (std::vector<std::int64_t>{5, 10}));
    EXPECT_EQ(packed.template read_rows<TypeParam>(3, 7),
              (std::vector<TypeParam>(values.begin() + 30, values.begin() + 70)));
    std::vector<TypeParam> box(4);
    const std::vector<std::int64_t> offset{4, 6};
    const std::vector<std::int64_t> count{2, 2};
    packed.template read_box<TypeParam>(offset, count, box);
    EXPECT_EQ(box, (std::vector<TypeParam>{46, 47, 56, 57}));
    EXPECT_EQ(packed.template read<double>(), ramp<double>(120));
}

TEST(H5, AttributesOfEveryKind) {
    const test::TemporaryFolder folder;
    {
        auto file = H5File::create(folder / "a.h5");
        auto root = file.root();
        root.set_attribute("text", "Überlänge µm");
        root.set_attribute("text", "again µm");
        root.set_attribute("integer", std::int64_t{1} << 40);
        root.set_attribute("number", 0.25);
        root.set_attribute("bool", true);
        root.set_attribute("shape", std::span<const std::int64_t>(std::vector<std::int64_t>{3, 4}));
        root.set_attribute("names",
                           std::span<const std::string>(std::vector<std::string>{"a", ""}));
        root.set_attribute("none", std::span<const std::string>());
    }
    const auto root = H5File::open(folder / "a.h5").root();
    EXPECT_EQ(root.text_attribute("text"), "again µm");
    EXPECT_EQ(root.integer_attribute("integer"), std::int64_t{1} << 40);
    EXPECT_EQ(root.number_attribute("number"), 0.25);
    EXPECT_EQ(root.number_attribute("integer"), 1099511627776.0);
    EXPECT_EQ(root.integer_attribute("bool"), 1);
    EXPECT_EQ(root.integers_attribute("shape"), (std::vector<std::int64_t>{3, 4}));
    EXPECT_EQ(root.texts_attribute("names"), (std::vector<std::string>{"a", ""}));
    EXPECT_EQ(root.texts_attribute("text"), (std::vector<std::string>{"again µm"}));
    EXPECT_EQ(root.texts_attribute("none"), std::vector<std::string>());
    EXPECT_EQ(root.text_attribute("absent"), std::nullopt);
    EXPECT_TRUE(root.has_attribute("number"));
    EXPECT_THROW((void)root.text_attribute("number"), core::FormatError);
    EXPECT_THROW((void)root.integer_attribute("text"), core::FormatError);
    EXPECT_EQ(root.attribute_names().size(), 7U);
}

TEST(H5, TextAndBooleans) {
    const test::TemporaryFolder folder;
    const std::vector<std::string> texts{"spot_1", "", "µ", std::string(5000, 'x')};
    const std::vector<std::uint8_t> bools{1, 0, 1};
    {
        auto file = H5File::create(folder / "t.h5");
        auto group = file.root().create_group("g");
        group.write_texts("texts", texts);
        group.write_texts("none", {});
        group.write_text("one", "alone");
        group.write_bools("bools", bools, H5Storage::chunked({2}));
        group.write_bool_scalar("yes", true);
    }
    const auto group = H5File::open(folder / "t.h5").root().group("g");
    EXPECT_EQ(group.dataset("texts").read_texts(), texts);
    EXPECT_EQ(group.dataset("texts").read_texts(1, 3), (std::vector<std::string>{"", "µ"}));
    EXPECT_TRUE(group.dataset("none").read_texts().empty());
    EXPECT_EQ(group.dataset("one").read_text(), "alone");
    EXPECT_EQ(group.dataset("bools").type(), H5Type::Bool);
    EXPECT_EQ(group.dataset("bools").read<std::uint8_t>(), bools);
    EXPECT_EQ(group.dataset("bools").read<double>(), (std::vector<double>{1, 0, 1}));
    EXPECT_EQ(group.dataset("yes").read_scalar<std::int64_t>(), 1);
    EXPECT_EQ(group.links(), (std::vector<std::string>{"bools", "none", "one", "texts", "yes"}));
    EXPECT_THROW((void)group.dataset("texts").read<float>(), core::FormatError);
    EXPECT_THROW((void)group.dataset("bools").read_texts(), core::FormatError);
    EXPECT_THROW((void)group.group("texts"), core::FormatError);
    EXPECT_THROW((void)group.dataset("absent"), core::FormatError);
    EXPECT_THROW((void)group.dataset("texts/below"), core::FormatError);
}

TEST(H5, EqualContentGivesEqualBytes) {
    const test::TemporaryFolder folder;
    for (const char* name : {"one.h5", "two.h5"}) {
        auto file = H5File::create(folder / name, {.userblock = 512});
        auto group = file.root().create_group("g");
        group.set_attribute("encoding-type", "array");
        group.write<float>("x", ramp<float>(10000), H5Storage::chunked({1000}));
        group.write_texts("names", std::vector<std::string>{"a", "b"});
        file.root().create_group("empty");
    }
    EXPECT_EQ(read_bytes(folder / "one.h5"), read_bytes(folder / "two.h5"));
    EXPECT_EQ(read_bytes(folder / "one.h5").substr(0, 4), std::string(4, '\0'));
}

TEST(H5, ResizedDatasetGrows) {
    const test::TemporaryFolder folder;
    auto file = H5File::create(folder / "r.h5");
    {
        auto dataset =
            file.root().write<std::int64_t>("x", ramp<std::int64_t>(4), H5Storage::chunked({4}));
        dataset.resize(6);
        const std::vector<std::int64_t> more{40, 50};
        dataset.write_rows<std::int64_t>(4, 6, more);
        EXPECT_EQ(dataset.read<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2, 3, 40, 50}));
    }
    file.close();
}

TEST(H5, OperatingSystemErrorsAreIoErrors) {
    const test::TemporaryFolder folder;
    EXPECT_THROW(H5File::open(folder / "absent.h5"), core::IoError);
    EXPECT_THROW(H5File::open(folder.path()), core::IoError);
    EXPECT_THROW(H5File::create(folder / "no/such/folder.h5"), core::IoError);
    auto file = H5File::create(folder / "twice.h5");
    file.root().create_group("g");
    EXPECT_THROW(file.root().create_group("g"), core::IoError);
}

TEST(H5, OtherAndTruncatedFilesAreFormatErrors) {
    const test::TemporaryFolder folder;
    std::ofstream(folder / "text.h5") << "spot\tx\ty\n";
    std::ofstream(folder / "empty.h5");
    EXPECT_THROW(H5File::open(folder / "text.h5"), core::FormatError);
    EXPECT_THROW(H5File::open(folder / "empty.h5"), core::FormatError);
    {
        auto file = H5File::create(folder / "cut.h5");
        file.root().write<double>("x", ramp<double>(5000));
    }
    std::filesystem::resize_file(folder / "cut.h5", 3000);
    try {
        H5File::open(folder / "cut.h5");
        FAIL() << "a truncated file was opened";
    } catch (const core::FormatError& error) {
        EXPECT_NE(std::string(error.what()).find("truncated"), std::string::npos) << error.what();
        EXPECT_EQ(error.problem().file, folder / "cut.h5");
    }
}

// Files that only the C interface can make.
class H5Hostile : public testing::Test {
  protected:
    void SetUp() override {
        auto file = H5File::create(folder / "other.h5");
        file.root().write<double>("x", ramp<double>(5));
        file.close();
        raw = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    }
    test::TemporaryFolder folder;
    std::string path = folder / "hostile.h5";
    hid_t raw = -1;
};

TEST_F(H5Hostile, LinksThatLeaveTheFileOrPointAreRefused) {
    H5Lcreate_external("other.h5", "/x", raw, "external", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/external", raw, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/nowhere", raw, "dangling", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(raw);
    const auto root = H5File::open(path).root();
    for (const char* name : {"external", "soft", "dangling"}) {
        EXPECT_EQ(root.kind(name), io::H5Kind::Refused) << name;
        EXPECT_THROW((void)root.dataset(name), core::FormatError) << name;
        EXPECT_THROW((void)root.group(name), core::FormatError) << name;
    }
}

TEST_F(H5Hostile, GroupsWithSeveralLinksAreRefused) {
    for (const char* name : {"in_itself", "alone"})
        H5Gclose(H5Gcreate2(raw, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_hard(raw, "in_itself", raw, "in_itself/again", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(raw);
    const H5File file = H5File::open(path);
    EXPECT_EQ(file.root().kind("in_itself"), io::H5Kind::Refused);
    EXPECT_EQ(file.root().kind("alone"), io::H5Kind::Group);
    EXPECT_THROW((void)file.root().group("in_itself"), core::FormatError);
}

TEST_F(H5Hostile, VirtualAndExternalStorageAreRefused) {
    const hsize_t size = 5;
    const hid_t space = H5Screate_simple(1, &size, nullptr);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(creation, space, "other.h5", "/x", space);
    H5Dclose(H5Dcreate2(raw, "virtual", H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, "/etc/hostname", 0, 40);
    H5Dclose(
        H5Dcreate2(raw, "external", H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(raw);
    const auto root = H5File::open(path).root();
    EXPECT_THROW((void)root.dataset("virtual"), core::FormatError);
    EXPECT_THROW((void)root.dataset("external"), core::FormatError);
}

TEST_F(H5Hostile, ShapesWithoutValuesAreNotAllocated) {
    const hsize_t size = hsize_t{1} << 45;
    const hsize_t chunk = 1024;
    const hid_t space = H5Screate_simple(1, &size, nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 1, &chunk);
    H5Dclose(H5Dcreate2(raw, "huge", H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(raw);
    EXPECT_THROW((void)H5File::open(path).root().dataset("huge").read<double>(), core::FormatError);
}

TEST_F(H5Hostile, FixedLengthTextAndHalfFloatsAreRead) {
    const hsize_t size = 2;
    const hid_t space = H5Screate_simple(1, &size, nullptr);
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 4);
    const std::array<char, 8> names{'a', '\xC2', '\xB5', '\0', 'b', 'c', 'd', 'e'};
    hid_t dataset = H5Dcreate2(raw, "fixed", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(dataset, text, H5S_ALL, H5S_ALL, H5P_DEFAULT, names.data());
    H5Dclose(dataset);
    const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    const std::array<std::uint16_t, 2> halves{0x3C00, 0xC100};  // 1, -2.5
    dataset = H5Dcreate2(raw, "half", half, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(dataset, half, H5S_ALL, H5S_ALL, H5P_DEFAULT, halves.data());
    H5Dclose(dataset);
    const std::array<char, 8> latin{'\xB5', 'm', '\0', '\0', 'b', '\0', '\0', '\0'};
    dataset = H5Dcreate2(raw, "latin", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(dataset, text, H5S_ALL, H5S_ALL, H5P_DEFAULT, latin.data());
    H5Dclose(dataset);
    H5Tclose(half);
    H5Tclose(text);
    H5Sclose(space);
    H5Fclose(raw);
    const auto root = H5File::open(path).root();
    EXPECT_EQ(root.dataset("fixed").read_texts(), (std::vector<std::string>{"aµ", "bcde"}));
    EXPECT_EQ(root.dataset("half").type(), H5Type::Float16);
    EXPECT_EQ(root.dataset("half").read<float>(), (std::vector<float>{1.0F, -2.5F}));
    EXPECT_THROW((void)root.dataset("latin").read_texts(), core::FormatError);
}

}  // namespace
