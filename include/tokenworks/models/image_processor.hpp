// From pixels to what an image encoder reads, as preprocessor_config.json says: resized, cut out of the middle, made
// floats, centred and scaled. The results are those of the PIL backend of transformers 5.24.
//
//   const auto processor = models::image_processor::open("clip-vit-base-patch32");
//   processor(pixels, image);
//
// Needs nlohmann-json (through io/json_tree.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/core/view.hpp>
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/models/image_resize.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::models {

/// The steps, in the order in which they are taken; what is not there is left out.
struct image_processing {
    struct extent {
        std::size_t height = 0;
        std::size_t width = 0;
    };
    std::optional<extent> resize{};             ///< to exactly that
    std::optional<std::size_t> shortest_edge{}; ///< or so that the shorter side is that long
    resampling filter = resampling::bilinear;
    std::optional<extent> crop{};            ///< the middle; where it is larger than the image, zeros stand around that
    double scale = 1;                        ///< of the bytes
    std::array<float, 3> mean{};             ///< is taken away
    std::array<float, 3> deviation{1, 1, 1}; ///< is what is left divided by
};

/// Immutable.
class image_processor {
public:
    explicit image_processor(image_processing steps) : steps_{steps} {}

    /// @param json  of a preprocessor_config.json   @param file  what errors call it
    /// @throws format_error naming the key, limit_error; unsupported_error for a filter, or other steps
    [[nodiscard]] static image_processor parse(std::span<const std::byte> json, const std::string& file,
                                               const limits& bounds = {});
    /// @param folder  that has a preprocessor_config.json
    /// @throws as parse; io_error
    [[nodiscard]] static image_processor open(const std::string& folder, const limits& bounds = {});

    [[nodiscard]] const image_processing& steps() const noexcept { return steps_; }
    /// The extents that an image of these has afterwards.
    [[nodiscard]] image_processing::extent result_of(image_processing::extent image) const;

    /// @param pixels  [H,W,3]   @param out  [3,H',W'] of result_of() its extents
    /// @throws shape_error; argument_error for an image of no pixels, or of a side above 65536; limit_error where it is
    ///         resized to over 2^26 pixels
    void operator()(rgb_view pixels, view<float, dyn, dyn, dyn> out, const execution& how = {}) const;

private:
    [[nodiscard]] image_processing::extent resized_extent(image_processing::extent image) const;

    image_processing steps_;
};

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Reads the keys of a preprocessor_config.json.
class image_processing_reader {
public:
    image_processing_reader(io::json_value root, const std::string& file) : root_{root}, file_{file} {}

    [[nodiscard]] image_processing read() const {
        image_processing steps;
        if(flag("do_pad", false)) {
            tokenworks::detail::raise<unsupported_error>({file_, ": do_pad is set"});
        }
        const bool is_clip = type_name().starts_with("CLIP");
        if(flag("do_resize", true)) {
            read_size(steps, is_clip);
            steps.filter = filter(is_clip ? resampling::bicubic : resampling::bilinear);
        }
        if(flag("do_center_crop", is_clip)) {
            const std::optional<io::json_value> crop = find("crop_size");
            steps.crop = crop ? square_or_sides(*crop, "crop_size") : image_processing::extent{224, 224};
        }
        if(flag("do_rescale", true)) {
            steps.scale = number("rescale_factor").value_or(1.0 / 255);
        }
        if(flag("do_normalize", true)) {
            const std::array<float, 3> mean =
                is_clip ? std::array{0.48145466F, 0.4578275F, 0.40821073F} : std::array{0.5F, 0.5F, 0.5F};
            const std::array<float, 3> deviation =
                is_clip ? std::array{0.26862954F, 0.26130258F, 0.27577711F} : std::array{0.5F, 0.5F, 0.5F};
            steps.mean = channels("image_mean", mean);
            steps.deviation = channels("image_std", deviation);
            if(std::ranges::any_of(steps.deviation, [](float value) { return !(value > 0); })) {
                refuse("image_std", "has a number that is not above 0");
            }
        }
        return steps;
    }

private:
    [[noreturn]] void refuse(const char* key, const char* what) const { root_.refuse({key}, {what}); }
    [[nodiscard]] std::optional<io::json_value> find(std::string_view key) const { return root_.find(key, {"JSON"}); }

    [[nodiscard]] std::string type_name() const {
        for(const char* const key: {"image_processor_type", "feature_extractor_type"}) {
            if(const auto found = find(key)) {
                return std::string{found->string({key})};
            }
        }
        return {};
    }
    [[nodiscard]] bool flag(const char* key, bool otherwise) const {
        const auto found = find(key);
        return found ? found->boolean({key}) : otherwise;
    }
    [[nodiscard]] std::optional<double> number(const char* key) const {
        const auto found = find(key);
        const double value = found ? found->number({key}) : 0;
        if(!std::isfinite(value)) {
            refuse(key, "is not a finite number");
        }
        return found ? std::optional{value} : std::nullopt;
    }

    [[nodiscard]] static std::size_t side(io::json_value value, const char* key) {
        const std::uint64_t pixels = value.whole({key}, 65536);
        if(pixels == 0) {
            value.refuse({key}, {"is 0"});
        }
        return static_cast<std::size_t>(pixels);
    }
    [[nodiscard]] static image_processing::extent square_or_sides(io::json_value value, const char* key) {
        if(!value.is_object()) {
            return {side(value, key), side(value, key)};
        }
        const auto height = value.find("height", {key});
        const auto width = value.find("width", {key});
        if(!height || !width) {
            value.refuse({key}, {"has no height and width"});
        }
        return {side(*height, key), side(*width, key)};
    }

    void read_size(image_processing& steps, bool is_clip) const {
        const std::optional<io::json_value> size = find("size");
        const std::optional<io::json_value> edge =
            size && size->is_object() ? size->find("shortest_edge", {"size"}) : std::nullopt;
        if(edge) {
            if(size->find("longest_edge", {"size"})) {
                tokenworks::detail::raise<unsupported_error>({file_, ": size.longest_edge"});
            }
            steps.shortest_edge = side(*edge, "size.shortest_edge");
        } else if(is_clip && !(size && size->is_object())) { // a number is a square, but here
            steps.shortest_edge = size ? side(*size, "size") : 224;
        } else {
            steps.resize = size ? square_or_sides(*size, "size") : image_processing::extent{224, 224};
        }
    }

    [[nodiscard]] resampling filter(resampling otherwise) const {
        const auto found = find("resample");
        const std::uint64_t which = found ? found->whole({"resample"}) : static_cast<std::uint64_t>(otherwise);
        if(which < 1 || which > 3) {
            tokenworks::detail::raise<unsupported_error>({file_, ": resample ", which, "; known are 1, 2 and 3"});
        }
        return static_cast<resampling>(which);
    }

    [[nodiscard]] std::array<float, 3> channels(const char* key, const std::array<float, 3>& otherwise) const {
        const auto found = find(key);
        if(!found) {
            return otherwise;
        }
        std::array<float, 3> values{};
        const auto take = [&](std::size_t at, io::json_value value) {
            values[at] = static_cast<float>(value.number({key}));
            if(!std::isfinite(values[at])) {
                refuse(key, "has a number that is not finite");
            }
        };
        if(!found->is_array()) {
            for(std::size_t i = 0; i < 3; ++i) {
                take(i, *found);
            }
            return values;
        }
        if(found->size() != 3) {
            refuse(key, "has not 3 numbers");
        }
        std::size_t at = 0;
        found->elements({key}, [&](io::json_value value) { take(at++, value); });
        return values;
    }

    io::json_value root_;
    const std::string& file_;
};

} // namespace detail

TOKENWORKS_FUNCTION image_processor image_processor::parse(std::span<const std::byte> json, const std::string& file,
                                                           const limits& bounds) {
    if(json.size() > bounds.config_bytes) {
        tokenworks::detail::raise<limit_error>(
            {file, ": JSON of ", json.size(), " bytes is over the limit of ", bounds.config_bytes});
    }
    const io::json_tree tree{json, file, bounds.json_depth};
    return image_processor{detail::image_processing_reader{tree.root(), file}.read()};
}

TOKENWORKS_FUNCTION image_processor image_processor::open(const std::string& folder, const limits& bounds) {
    const std::string file = (std::filesystem::path{folder} / "preprocessor_config.json").string();
    const io::file_bytes bytes = io::file_bytes::open(file, {.mode = io::open_mode::read, .limits = bounds});
    return parse(bytes.bytes(), file, bounds);
}

TOKENWORKS_FUNCTION image_processing::extent image_processor::resized_extent(image_processing::extent image) const {
    if(steps_.resize) {
        return *steps_.resize;
    }
    if(!steps_.shortest_edge || image.height == 0 || image.width == 0) {
        return image;
    }
    const std::size_t edge = *steps_.shortest_edge;
    return image.width <= image.height ? image_processing::extent{edge * image.height / image.width, edge}
                                       : image_processing::extent{edge, edge * image.width / image.height};
}

TOKENWORKS_FUNCTION image_processing::extent image_processor::result_of(image_processing::extent image) const {
    return steps_.crop ? *steps_.crop : resized_extent(image);
}

TOKENWORKS_FUNCTION void image_processor::operator()(rgb_view pixels, view<float, dyn, dyn, dyn> out,
                                                     const execution& how) const {
    const image_processing::extent given{pixels.extent(0), pixels.extent(1)};
    const image_processing::extent result = result_of(given);
    if(pixels.extent(2) != 3 || out.extent(0) != 3 || out.extent(1) != result.height || out.extent(2) != result.width) {
        tokenworks::detail::raise<shape_error>({"image_processor: pixels are ", to_string(pixels.extents()),
                                                ", out is ", to_string(out.extents()), ", expected [3,", result.height,
                                                ",", result.width, "]"});
    }
    const image_processing::extent between = resized_extent(given);
    constexpr std::size_t most_pixels = std::size_t{1} << 26; // of sides that resized() takes
    if(std::max(between.height, between.width) <= 65536 && between.height * between.width > most_pixels) {
        tokenworks::detail::raise<limit_error>({"image_processor: an image of ", given.height, " x ", given.width,
                                                " pixels becomes one of ", between.height, " x ", between.width,
                                                "; the most is ", most_pixels, " pixels"});
    }
    const rgb_image image = resized(pixels, between.height, between.width, steps_.filter, how);
    // The middle: what is left over, or lacking, is divided with the smaller half before, and the larger one.
    const auto before = [](std::size_t whole, std::size_t part) {
        const auto difference = static_cast<std::ptrdiff_t>(whole) - static_cast<std::ptrdiff_t>(part);
        return difference >= 0 ? difference / 2 : -((-difference + 1) / 2);
    };
    const std::ptrdiff_t top = before(between.height, result.height);
    const std::ptrdiff_t left = before(between.width, result.width);
    for(std::size_t k = 0; k < 3; ++k) {
        for(std::size_t y = 0; y < result.height; ++y) {
            for(std::size_t x = 0; x < result.width; ++x) {
                // Outside of the image, below zero, an index wraps to a large one.
                const std::size_t row = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(y) + top);
                const std::size_t column = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(x) + left);
                const bool inside = row < image.height && column < image.width;
                const double byte = inside ? image.values[(row * image.width + column) * 3 + k] : 0;
                out(k, y, x) = (static_cast<float>(byte * steps_.scale) - steps_.mean[k]) / steps_.deviation[k];
            }
        }
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::models
