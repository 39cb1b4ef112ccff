#include "picture.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <tokenworks/core/error.hpp>

#include "options.hpp"

// TOKENWORKS_CLI_PNG is set by CMake where it finds libpng.
#if defined(TOKENWORKS_CLI_PNG)
#include <tokenworks/io/png.hpp>
#endif
// TOKENWORKS_CLI_STB is set by CMake where it finds stb_image.
#if defined(TOKENWORKS_CLI_STB)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#if !defined(TOKENWORKS_CLI_PNG)
#define STBI_ONLY_PNG
#endif
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#pragma GCC diagnostic pop
#endif

namespace cli {

#if defined(TOKENWORKS_CLI_STB)

tw::models::rgb_image read_picture(const std::string& path) {
    constexpr std::uint64_t most_pixels = std::uint64_t{64} << 20;
    constexpr std::size_t most_bytes = std::size_t{1} << 28;
    const std::string bytes = read_text(path);
#if defined(TOKENWORKS_CLI_PNG)
    if(bytes.starts_with("\x89PNG")) {
        const tw::io::picture read = tw::io::from_png(std::as_bytes(std::span{bytes}), path, {.channels = 3});
        tw::models::rgb_image image{read.height, read.width};
        image.values = read.bytes;
        return image;
    }
#endif
    if(bytes.size() > most_bytes) {
        throw tw::limit_error(path + ": is over 256 MiB");
    }
    const auto* const data = reinterpret_cast<const stbi_uc*>(bytes.data());
    const auto size = static_cast<int>(bytes.size());
    int width = 0;
    int height = 0;
    int channels = 0;
    const auto refuse = [&] {
        const char* const why = stbi_failure_reason();
        throw tw::unsupported_error(path + ": no PNG or JPEG file that can be read: " + (why == nullptr ? "" : why));
    };
    if(stbi_info_from_memory(data, size, &width, &height, &channels) == 0) {
        refuse();
    }
    if(static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height) > most_pixels) {
        throw tw::limit_error(path + ": " + std::to_string(width) + " x " + std::to_string(height) +
                              " pixels, more than 64 million");
    }
    const std::unique_ptr<stbi_uc, void (*)(void*)> pixels{
        stbi_load_from_memory(data, size, &width, &height, &channels, 3), stbi_image_free};
    if(pixels == nullptr) {
        refuse();
    }
    tw::models::rgb_image image{static_cast<std::size_t>(height), static_cast<std::size_t>(width)};
    image.values.assign(pixels.get(), pixels.get() + image.height * image.width * 3);
    return image;
}

#else

tw::models::rgb_image read_picture(const std::string& path) {
    throw tw::unsupported_error(path + ": this program was built without stb_image (Debian: libstb-dev), which reads " +
                                "pictures");
}

#endif

#if defined(TOKENWORKS_CLI_PNG)

tw::io::picture read_png(const std::string& path, std::size_t channels) {
    return tw::io::read_png(path, {.channels = channels});
}
void write_png(const std::string& path, const tw::io::picture& what) { tw::io::write_png(path, what); }

#else

namespace {

[[noreturn]] void refuse_png(const std::string& path) {
    throw tw::unsupported_error(path + ": this program was built without libpng (Debian: libpng-dev)");
}

} // namespace

tw::io::picture read_png(const std::string& path, std::size_t) { refuse_png(path); }
void write_png(const std::string& path, const tw::io::picture&) { refuse_png(path); }

#endif

} // namespace cli
