#include "smeta/io/sealed_file.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/h5.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

TEST(SealedFile, says_whether_any_byte_changed) {
    const test::TemporaryFolder folder;
    const std::string path = (folder / "f").string();
    for (const std::string& content : {std::string(), std::string("x"), std::string(100, '\0')}) {
        write_atomically(path, content);
        EXPECT_EQ(check_seal(path), Seal::Missing);
        seal_file(path);
        EXPECT_EQ(check_seal(path), Seal::Intact);
        const std::string whole = read_text_file(path);
        EXPECT_EQ(whole.size(), content.size() + 45);
        for (std::size_t at = 0; at < whole.size(); ++at) {
            std::string broken = whole;
            broken[at] = static_cast<char>(broken[at] ^ 2);
            write_atomically(path, broken);
            EXPECT_NE(check_seal(path), Seal::Intact) << at;
            write_atomically(path, whole.substr(0, at));
            EXPECT_NE(check_seal(path), Seal::Intact) << at;
        }
        write_atomically(path, whole + "x");
        EXPECT_NE(check_seal(path), Seal::Intact);
    }
    EXPECT_THROW(check_seal((folder / "none").string()), core::IoError);
    EXPECT_THROW(seal_file((folder / "none").string()), core::IoError);
}

TEST(SealedFile, bytes_are_sealed_as_files_are) {
    const test::TemporaryFolder folder;
    const std::string path = (folder / "f").string();
    for (const std::string content : {"", "content"}) {
        write_atomically(path, content);
        seal_file(path);
        EXPECT_EQ(read_text_file(path), sealed(content));
        EXPECT_EQ(unsealed(sealed(content)), content);
        EXPECT_FALSE(unsealed(sealed(content) + "x"));
        EXPECT_FALSE(unsealed(sealed(content).substr(1)));
        EXPECT_FALSE(unsealed(content));
    }
}

TEST(SealedFile, hdf5_reads_a_sealed_file) {
    const test::TemporaryFolder folder;
    const std::string path = (folder / "f.h5").string();
    {
        H5File file = H5File::create(path);
        file.root().write<double>("values", std::vector<double>{1, 2, 3});
        file.close();
    }
    seal_file(path);
    EXPECT_EQ(H5File::open(path).root().dataset("values").read<double>(),
              (std::vector<double>{1, 2, 3}));
}

}  // namespace
}  // namespace smeta::io
