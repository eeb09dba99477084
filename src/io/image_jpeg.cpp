#include <cerrno>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <memory>

#include <jpeglib.h>

#include "smeta/core/error.hpp"

#include "image_file_impl.hpp"

namespace smeta::io::detail {

namespace {

constexpr int kMostScans = 200;  // of a progressive image: each passes over all of it
constexpr long kMostMemory = 2L << 30;

struct JpegErrors {
    jpeg_error_mgr base;
    std::jmp_buf escape;
    char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void escape(j_common_ptr info) {
    auto* errors = reinterpret_cast<JpegErrors*>(info->err);
    errors->base.format_message(info, errors->message);
    std::longjmp(errors->escape, 1);
}

/// libjpeg warns of damaged data and goes on with grey pixels.
void escape_warnings(j_common_ptr info, int level) {
    if (level < 0) escape(info);
}

void limit_scans(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
    auto* errors = reinterpret_cast<JpegErrors*>(info->err);
    std::snprintf(errors->message, sizeof errors->message, "more than %d scans", kMostScans);
    std::longjmp(errors->escape, 1);
}

/// Frees what the library holds, also when the reader's constructor throws.
struct Decompressor : jpeg_decompress_struct {
    Decompressor() : jpeg_decompress_struct{} {}
    ~Decompressor() { jpeg_destroy_decompress(this); }
    Decompressor(const Decompressor&) = delete;
    Decompressor& operator=(const Decompressor&) = delete;
};

class JpegReader {
  public:
    explicit JpegReader(const std::string& path) : path_(path), file_(open(path)) {
        info_.err = jpeg_std_error(&errors_.base);
        errors_.base.error_exit = escape;
        errors_.base.emit_message = escape_warnings;
        progress_.progress_monitor = limit_scans;
        guarded([&] {
            jpeg_create_decompress(&info_);
            info_.progress = &progress_;
            info_.mem->max_memory_to_use = kMostMemory;
            jpeg_stdio_src(&info_, file_.get());
            jpeg_read_header(&info_, TRUE);
        });
        if (info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK)
            throw core::FormatError({path_, "", "an RGB or grey image", "a CMYK JPEG",
                                     "convert it to RGB, for example with ImageMagick"});
        info_.out_color_space = grey() ? JCS_GRAYSCALE : JCS_RGB;
    }

    ImageRequest request(std::int64_t longest_side) const {
        return {path_, info_.image_height, info_.image_width, grey() ? 1 : 3, longest_side};
    }
    void read(BoxMeans& means) {
        std::vector<std::uint8_t> row(std::size_t{info_.image_width} * (grey() ? 1 : 3));
        JSAMPROW line = row.data();
        guarded([&] { jpeg_start_decompress(&info_); });
        for (std::int64_t y = 0; y < std::int64_t{info_.image_height}; ++y) {
            guarded([&] { jpeg_read_scanlines(&info_, &line, 1); });
            means.add({0, y, info_.image_width, 1}, row.data());
        }
        guarded([&] { jpeg_finish_decompress(&info_); });
    }

  private:
    struct CloseFile {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    using File = std::unique_ptr<std::FILE, CloseFile>;

    static File open(const std::string& path) {
        File file(std::fopen(path.c_str(), "rb"));
        if (!file) throw core::IoError::from_errno("open", path, errno);
        return file;
    }
    bool grey() const { return info_.jpeg_color_space == JCS_GRAYSCALE; }

    /// libjpeg leaves by longjmp: `call` must have no object with a destructor.
    template <class Call>
    void guarded(Call&& call) {
        if (setjmp(errors_.escape) != 0)
            throw core::FormatError(
                {path_, "", "a whole JPEG image", errors_.message, "is the file damaged?"});
        call();
    }

    std::string path_;
    File file_;
    Decompressor info_;
    jpeg_progress_mgr progress_{};
    JpegErrors errors_{};
};

}  // namespace

ReducedImage read_jpeg(const std::string& path, std::int64_t longest_side) {
    JpegReader reader(path);
    BoxMeans means(reader.request(longest_side));
    reader.read(means);
    return means.finish();
}

}  // namespace smeta::io::detail
