#include "frame_bytes.hpp"

#include <cstring>

#include "smeta/core/error.hpp"

namespace smeta::io::detail {

namespace {

class Writer {
  public:
    template <class T>
    requires std::is_trivially_copyable_v<T>
    void put(const T& value) {
        const auto bytes = std::as_bytes(std::span(&value, 1));
        out.insert(out.end(), bytes.begin(), bytes.end());
    }
    void put(const std::string& text) {
        put(text.size());
        const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
        out.insert(out.end(), bytes.begin(), bytes.end());
    }
    template <class T>
    void put(const std::vector<T>& values) {
        put(values.size());
        for (const T& value : values) put(value);
    }
    void put(const Categorical& values) {
        put(values.codes);
        put(values.categories);
        put(values.ordered);
    }
    std::vector<std::byte> out;
};

class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <class T>
    requires std::is_trivially_copyable_v<T>
    void get(T& value) { take(&value, sizeof(T)); }
    void get(std::string& text) {
        text.resize(size());
        take(text.data(), text.size());
    }
    template <class T>
    void get(std::vector<T>& values) {
        values.resize(size());
        for (T& value : values) get(value);
    }
    void get(Categorical& values) {
        get(values.codes);
        get(values.categories);
        get(values.ordered);
    }
    std::size_t size() {
        std::size_t count = 0;
        take(&count, sizeof(count));
        return count;
    }

  private:
    void take(void* to, std::size_t bytes) {
        core::check(bytes <= rest_.size(), "a message between ranks is complete");
        if (bytes > 0) std::memcpy(to, rest_.data(), bytes);
        rest_ = rest_.subspan(bytes);
    }
    std::span<const std::byte> rest_;
};

/// Reads alternative `kind` of the variant.
template <std::size_t I = 0>
ColumnValues get_column(Reader& reader, std::size_t kind) {
    if constexpr (I < std::variant_size_v<ColumnValues>) {
        if (kind != I) return get_column<I + 1>(reader, kind);
        std::variant_alternative_t<I, ColumnValues> values;
        reader.get(values);
        return values;
    } else {
        throw core::InvariantError("a column of an unknown kind in a message between ranks");
    }
}

template <class T>
void append(std::vector<T>& values, const std::vector<T>& part) {
    values.insert(values.end(), part.begin(), part.end());
}

void append(Categorical& values, const Categorical& part) {
    core::check(values.categories == part.categories && values.ordered == part.ordered,
                "parts of a categorical column have the same categories");
    append(values.codes, part.codes);
}

}  // namespace

std::vector<std::byte> to_bytes(const Frame& frame) {
    Writer writer;
    writer.put(frame.index);
    writer.put(frame.columns.size());
    for (const auto& [name, values] : frame.columns) {
        writer.put(name);
        writer.put(values.index());
        std::visit([&writer](const auto& held) { writer.put(held); }, values);
    }
    return std::move(writer.out);
}

Frame frame_from_bytes(std::span<const std::byte> bytes) {
    Reader reader(bytes);
    Frame frame;
    reader.get(frame.index);
    const std::size_t columns = reader.size();
    for (std::size_t c = 0; c < columns; ++c) {
        std::string name;
        reader.get(name);
        const std::size_t kind = reader.size();
        frame.columns.emplace_back(std::move(name), get_column(reader, kind));
    }
    return frame;
}

void append_rows(Frame& frame, const Frame& part) {
    core::check(frame.columns.size() == part.columns.size(),
                "parts of a frame have the same columns");
    append(frame.index, part.index);
    for (std::size_t c = 0; c < frame.columns.size(); ++c) {
        core::check(frame.columns[c].first == part.columns[c].first,
                    "parts of a frame have the same columns");
        std::visit(
            [&](auto& values) {
                const auto* more =
                    std::get_if<std::decay_t<decltype(values)>>(&part.columns[c].second);
                core::check(more != nullptr, "parts of a column have the same type");
                append(values, *more);
            },
            frame.columns[c].second);
    }
}

}  // namespace smeta::io::detail
