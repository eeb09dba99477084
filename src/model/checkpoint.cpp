#include "smeta/model/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <sstream>

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/archive/impl/basic_binary_iarchive.ipp>
#include <boost/archive/impl/basic_binary_iprimitive.ipp>
#include <boost/iostreams/device/array.hpp>
#include <boost/iostreams/stream.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>
#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/sealed_file.hpp"

namespace smeta::model::detail {

/// Reads as binary_iarchive does, but takes no memory for more elements than the content has bytes.
class BoundedArchive
    : public boost::archive::binary_iarchive_impl<BoundedArchive, char, std::char_traits<char>> {
    using Base = boost::archive::binary_iarchive_impl<BoundedArchive, char, std::char_traits<char>>;
    friend class boost::archive::detail::interface_iarchive<BoundedArchive>;
    friend class boost::archive::basic_binary_iarchive<BoundedArchive>;
    friend class boost::archive::load_access;

  public:
    BoundedArchive(std::istream& stream, std::size_t bytes) : Base(stream, 0), bytes_(bytes) {
        init(0);
    }

  private:
    template <class T>
    void load_override(T& value) {
        Base::load_override(value);
    }
    void load_override(boost::serialization::collection_size_type& size) {
        Base::load_override(size);
        require(size);
    }
    void load_override(std::string& text) {
        std::size_t size = 0;
        this->load(size);
        require(size);
        text.resize(size);
        if (size > 0) this->load_binary(text.data(), size);
    }
    void require(std::size_t size) const {
        if (size > bytes_)
            throw boost::archive::archive_exception(
                boost::archive::archive_exception::input_stream_error, "a size beyond the content");
    }
    std::size_t bytes_;
};

}  // namespace smeta::model::detail

// As binary_iarchive: vectors of numbers in one piece.
BOOST_SERIALIZATION_USE_ARRAY_OPTIMIZATION(smeta::model::detail::BoundedArchive)

namespace smeta::model {

namespace {

static_assert(std::endian::native == std::endian::little, "the container is little-endian");

constexpr std::array<char, 8> kMagic = {'S', 'M', 'E', 'T', 'A', 'C', 'K', 'P'};
constexpr std::uint32_t kVersion = 2;
constexpr std::string_view kSuffix = ".ckpt";

struct Header {
    std::array<char, 8> magic = kMagic;
    std::uint32_t version = kVersion;
    std::uint32_t reserved = 0;
    std::uint64_t length = 0;
};
static_assert(sizeof(Header) == 24);

// "key = value" lines as a map.
std::map<std::string, std::string> parse_lines(const std::string& config) {
    std::map<std::string, std::string> values;
    std::istringstream lines(config);
    for (std::string line; std::getline(lines, line);) {
        const auto at = line.find(" = ");
        if (at != std::string::npos) values[line.substr(0, at)] = line.substr(at + 3);
    }
    return values;
}

std::string value_or_unset(const std::map<std::string, std::string>& values,
                           const std::string& key) {
    const auto at = values.find(key);
    return at == values.end() ? "(unset)" : at->second;
}

bool may_change(const std::string& key, const std::string& stored, const std::string& now) {
    if (key == "train.checkpoint_minutes" || key == "train.checkpoints_kept" ||
        key == "train.scratch")
        return true;
    return key == "train.epochs" && std::stoll(now) >= std::stoll(stored);
}

}  // namespace

std::string encode_checkpoint(const TrainState& state) {
    std::ostringstream payload;
    {
        boost::archive::binary_oarchive archive(payload);
        archive << state;
    }
    const std::string body = std::move(payload).str();
    Header header;
    header.length = body.size();
    std::string bytes(sizeof(Header), '\0');
    std::memcpy(bytes.data(), &header, sizeof(Header));
    return io::sealed(bytes + body);
}

TrainState decode_checkpoint(std::span<const char> bytes, const std::string& file) {
    const auto damaged = [&](std::string expected, std::string found) {
        return core::FormatError({.file = file,
                                  .object = "checkpoint",
                                  .expected = std::move(expected),
                                  .found = std::move(found),
                                  .hint = "the checkpoint before it is used where there is one"});
    };
    Header header;
    if (bytes.size() < sizeof(Header))
        throw damaged(fmt::format("a header of {} bytes", sizeof(Header)),
                      fmt::format("{} bytes", bytes.size()));
    std::memcpy(static_cast<void*>(&header), bytes.data(), sizeof(Header));
    if (header.magic != kMagic) throw damaged("the magic SMETACKP", "other bytes");
    if (header.version != kVersion)
        throw damaged(fmt::format("format version {}", kVersion),
                      fmt::format("version {}", header.version));
    const auto content = io::unsealed({bytes.data(), bytes.size()});
    if (!content) throw damaged("the checksum of its bytes at its end", "none or another");
    const auto payload = std::span(*content).subspan(sizeof(Header));
    if (payload.size() != header.length)
        throw damaged(fmt::format("{} bytes of content", header.length),
                      fmt::format("{}", payload.size()));
    TrainState state;
    try {
        boost::iostreams::stream<boost::iostreams::array_source> stream(payload.data(),
                                                                        payload.size());
        detail::BoundedArchive archive(stream, payload.size());
        archive >> state;
    } catch (const boost::archive::archive_exception& error) {
        throw damaged("an archive of this version of Boost.Serialization", error.what());
    }
    return state;
}

void check_identity(const RunIdentity& stored, const RunIdentity& now) {
    const auto before = parse_lines(stored.config);
    const auto after = parse_lines(now.config);
    auto keys = before;
    keys.insert(after.begin(), after.end());
    for (const auto& [key, ignored] : keys) {
        const std::string old_value = value_or_unset(before, key);
        const std::string new_value = value_or_unset(after, key);
        if (old_value != new_value && !may_change(key, old_value, new_value))
            throw core::ConfigError(fmt::format(
                "{} was {} when this run began and is {} now; a run goes on only as it began "
                "(train.epochs may grow): restore the value, or start anew with --fresh",
                key, old_value, new_value));
    }
    const auto refuse = [](std::string_view what) {
        throw core::ConfigError(fmt::format(
            "{} changed since this run's checkpoint was written; start anew with --fresh", what));
    };
    if (stored.inputs_hash != now.inputs_hash) refuse("the run's inputs (inputs.json)");
    if (stored.features_hash != now.features_hash) refuse("the run's features (features.h5)");
    if (stored.categories != now.categories) refuse("the set of batch categories");
    if (stored.lanes != now.lanes || stored.seed != now.seed) refuse("the seed or lanes");
}

CheckpointStore::CheckpointStore(std::filesystem::path folder, std::int64_t kept)
    : folder_(std::move(folder)), kept_(kept) {}

std::vector<std::string> CheckpointStore::names() const {
    std::vector<std::string> found;
    if (!std::filesystem::is_directory(folder_)) return found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
        if (const auto name = entry.path().filename().string(); name.ends_with(kSuffix))
            found.push_back(name);
    std::sort(found.begin(), found.end());
    return found;
}

void CheckpointStore::save(const TrainState& state) const {
    std::filesystem::create_directories(folder_);
    const auto path =
        folder_ / fmt::format("epoch-{:06}-step-{:08}{}", state.epoch, state.step, kSuffix);
    io::write_atomically(path.string(), encode_checkpoint(state));
    // Leftovers of writers that died: the run's lock says that nobody else is writing.
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
        if (io::is_temporary_name(entry.path().filename().string()))
            std::filesystem::remove(entry.path());
    auto all = names();
    // What sorts after the newest could not be read when the run was resumed.
    while (all.back() != path.filename()) {
        std::filesystem::remove(folder_ / all.back());
        all.pop_back();
    }
    while (static_cast<std::int64_t>(all.size()) > kept_) {
        std::filesystem::remove(folder_ / all.front());
        all.erase(all.begin());
    }
}

std::string CheckpointStore::load_newest() const {
    const auto all = names();
    for (auto name = all.rbegin(); name != all.rend(); ++name) {
        const auto path = folder_ / *name;
        try {
            std::string bytes = io::read_text_file(path.string());
            decode_checkpoint(bytes, path.string());
            return bytes;
        } catch (const core::Error& error) {
            core::log_warning("skipping a checkpoint: {}", error.what());
        }
    }
    if (!all.empty())
        throw core::FormatError({.file = folder_.string(),
                                 .object = "checkpoints",
                                 .expected = "one that can be read",
                                 .found = fmt::format("{} that cannot", all.size()),
                                 .hint = "go on with the smeta that wrote them, or give --fresh to "
                                         "start anew in a new folder"});
    return {};
}

}  // namespace smeta::model
