#include "smeta/io/text_table.hpp"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <zlib.h>

#include "smeta/core/error.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

using Rows = std::vector<std::vector<std::string>>;

void write_text(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

void write_gzip(const std::string& path, const std::string& text) {
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
}

Rows all_rows(const std::string& path) {
    TextTable table(path);
    Rows rows;
    std::vector<std::string_view> fields;
    while (table.next(fields)) rows.emplace_back(fields.begin(), fields.end());
    return rows;
}

TEST(TextTable, DecidesTheDelimiterAndKeepsEmptyFields) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.txt";
    write_text(path, "a,b\tc\n1\t\n\t\n");
    EXPECT_EQ(all_rows(path), (Rows{{"a,b", "c"}, {"1", ""}, {"", ""}}));
    write_text(path, "a,b,c\n1,,3\n");
    EXPECT_EQ(all_rows(path), (Rows{{"a", "b", "c"}, {"1", "", "3"}}));
    write_text(path, "a  b c \n1 2   3\n");
    EXPECT_EQ(all_rows(path), (Rows{{"a", "b", "c"}, {"1", "2", "3"}}));
}

TEST(TextTable, ReadsByteOrderMarkCarriageReturnsAndNoFinalLineFeed) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.csv";
    write_text(path, "\xEF\xBB\xBFx,y\r\n\r\n1,2");
    EXPECT_EQ(all_rows(path), (Rows{{"x", "y"}, {"1", "2"}}));
}

TEST(TextTable, OnlyUtf8IsText) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.csv";
    write_text(path, "x,\xC2\xB5m\n1,2\n");
    EXPECT_EQ(all_rows(path), (Rows{{"x", "\xC2\xB5m"}, {"1", "2"}}));
    for (const std::string& wrong :
         {std::string("x,\xB5m\n"), std::string("x,y\0\n", 5), std::string("x\xED\xA0\x80\n")}) {
        write_text(path, "a,b\n" + wrong);
        try {
            all_rows(path);
            FAIL() << "read";
        } catch (const core::FormatError& error) {
            EXPECT_EQ(error.problem().object, "line 2");
            EXPECT_EQ(error.problem().expected, "UTF-8 text");
        }
    }
}

TEST(TextTable, AQuoteThatStaysOpenTakesOnePass) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.csv";
    std::string text = "\"";
    for (int line = 0; line < 1'000'000; ++line) text += "1,2\n";
    write_text(path, text);
    EXPECT_THROW(all_rows(path),
                 core::FormatError);  // hours, if every line looked at all before it
    write_text(path, text + "\"\n3,4\n");
    EXPECT_EQ(all_rows(path).size(), 2);
}

TEST(TextTable, ReadsQuotedFields) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.csv";
    write_text(path, "\"a,b\",c\n\"say \"\"no\"\"\",\"two\nlines\"\nx,\"\"\n");
    EXPECT_EQ(all_rows(path), (Rows{{"a,b", "c"}, {"say \"no\"", "two\nlines"}, {"x", ""}}));
    write_text(path, "a,\"b\n1,2\n");
    EXPECT_THROW(all_rows(path), core::FormatError);
}

TEST(TextTable, ReadsQuotesBehindABackslash) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.csv";
    // As R's write.table has them; a backslash at the end of a field is one; doubled quotes stay.
    write_text(path, "\"4\\\"-x\",b\n\"5\\\"\",\"a\\\"b,\\\"c\"\n\"C:\\dir\\\",\"a\\\"\"b\"\n");
    EXPECT_EQ(all_rows(path), (Rows{{"4\"-x", "b"}, {"5\"", "a\"b,\"c"}, {"C:\\dir\\", "a\\\"b"}}));
}

TEST(TextTable, ReadsGzipByContentAcrossBuffersAndRefusesDamage) {
    const test::TemporaryFolder folder;
    std::string text = "name\tvalue\n";
    for (int i = 0; i < 100'000; ++i)
        text += "row" + std::to_string(i) + "\t" + std::to_string(i * 7) + "\n";
    const std::string path = folder / "a.tsv";
    write_gzip(path, text);
    const Rows rows = all_rows(path);
    ASSERT_EQ(rows.size(), 100'001);
    EXPECT_EQ(rows[77'001], (std::vector<std::string>{"row77000", "539000"}));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    EXPECT_THROW(all_rows(path), core::FormatError);
    EXPECT_THROW(all_rows(folder / "absent.tsv"), core::IoError);
}

TEST(TextTable, SmallTableNamesTheLineOfAWrongRow) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.tsv";
    write_text(path, "x\ty\nr1\t1\t2\nr2\t3\t4\n");
    const TextColumns table = read_text_columns(path);
    EXPECT_EQ(table.header, (std::vector<std::string>{"", "x", "y"}));
    EXPECT_EQ(table.rows[1][table.column("y")], "4");
    EXPECT_THROW(table.column("z"), core::FormatError);
    write_text(path, "x\ty\n1\t2\n3\n");
    try {
        read_text_columns(path);
        FAIL() << "a short row is refused";
    } catch (const core::FormatError& error) {
        EXPECT_EQ(error.problem().object, "line 3");
    }
}

TEST(ParseNumber, WholeTextOnly) {
    EXPECT_EQ(parse_number("12"), 12.0);
    EXPECT_EQ(parse_number("-1.5e3"), -1500.0);
    EXPECT_EQ(parse_number("1e-400"), 0.0);
    EXPECT_TRUE(std::isnan(*parse_number("")));
    EXPECT_TRUE(std::isnan(*parse_number("NA")));
    EXPECT_TRUE(std::isinf(*parse_number("1e400")));
    EXPECT_FALSE(parse_number("12a"));
    EXPECT_FALSE(parse_number("x"));
    EXPECT_EQ(parse_integer("42"), 42);
    EXPECT_FALSE(parse_integer("4.0"));
}

}  // namespace
}  // namespace smeta::io
