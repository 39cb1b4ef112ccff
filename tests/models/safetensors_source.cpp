#include <tokenworks/models/safetensors_source.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/core/float8.hpp>
#include <tokenworks/io/safetensors_writer.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;
using files::refusal;
using tokenworks::models::safetensors_weights;

namespace {

constexpr std::size_t rows = 150, columns = 260;

/// A matrix in 8-bit floats beside a scale, and the file that holds both.
struct scaled {
    std::vector<std::byte> values;
    std::vector<float> scale;
    std::vector<std::byte> bytes;
    io::safetensors_file file;

    scaled(const std::string& suffix, std::vector<std::uint64_t> shape)
        : values(rows * columns),
          scale{make_scale(shape)},
          bytes{make_bytes(suffix, shape)},
          file{io::safetensors_file::from_memory(bytes, "test.safetensors")} {}

    [[nodiscard]] float value(std::size_t n, std::size_t k) const {
        return float{tw::f8_e4m3::from_bits(std::to_integer<std::uint8_t>(values[n * columns + k]))};
    }

private:
    static std::vector<float> make_scale(const std::vector<std::uint64_t>& shape) {
        std::size_t count = 1;
        for(const std::uint64_t extent: shape) {
            count *= static_cast<std::size_t>(extent);
        }
        return support::random_floats(count, 5);
    }
    std::vector<std::byte> make_bytes(const std::string& suffix, const std::vector<std::uint64_t>& shape) {
        for(std::size_t i = 0; i < values.size(); ++i) {
            values[i] = static_cast<std::byte>(i * 31 % 120); // no NaN
        }
        io::safetensors_writer out;
        out.add_tensor("w.weight", tw::dtype::f8_e4m3, {rows, columns}, std::span<const std::byte>{values});
        out.add_tensor("w.weight" + suffix, tw::dtype::f32, shape, std::as_bytes(std::span{scale}));
        return out.to_bytes();
    }
};

template <class Factor>
void check(const scaled& s, Factor factor) {
    const auto found = safetensors_weights{s.file}.find("w.weight");
    REQUIRE(found);
    CHECK(found->type == tw::dtype::f32);
    CHECK(found->extents == std::vector<std::size_t>{rows, columns});
    const auto described = safetensors_weights{s.file}.describe("w.weight");
    REQUIRE(described);
    CHECK(described->type == found->type);
    CHECK(described->extents == found->extents);
    CHECK(described->bytes.empty());
    std::vector<float> values(rows * columns);
    tw::quant::decode(found->type, found->bytes, values);
    bool right = true;
    for(std::size_t n = 0; n < rows; ++n) {
        for(std::size_t k = 0; k < columns; ++k) {
            right = right && values[n * columns + k] == s.value(n, k) * factor(n, k);
        }
    }
    CHECK(right);
}

} // namespace

TEST_CASE("safetensors_source: 8-bit floats with a scale of all, of rows, or of squares", "[models]") {
    const scaled squares{"_scale_inv", {2, 3}};
    check(squares, [&](std::size_t n, std::size_t k) { return squares.scale[n / 128 * 3 + k / 128]; });
    const scaled by_row{"_scale", {rows, 1}};
    check(by_row, [&](std::size_t n, std::size_t) { return by_row.scale[n]; });
    const scaled all{"_scale", {}};
    check(all, [&](std::size_t, std::size_t) { return all.scale[0]; });
    const scaled alone{"_other", {7}};
    const auto found = safetensors_weights{alone.file}.find("w.weight");
    REQUIRE(found);
    CHECK(found->type == tw::dtype::f8_e4m3);
    CHECK(safetensors_weights{alone.file}.describe("w.weight")->type == tw::dtype::f8_e4m3);
    CHECK_FALSE(safetensors_weights{alone.file}.describe("v.weight"));
    CHECK(found->bytes.data() == alone.file.tensor("w.weight").data.data());
    const scaled wrong{"_scale_inv", {3, 2}};
    CHECK_THAT(refusal<tw::format_error>([&] { (void)safetensors_weights{wrong.file}.find("w.weight"); }),
               ContainsSubstring("w.weight_scale_inv") && ContainsSubstring("is no scale of [150,260]"));
}

TEST_CASE("safetensors_source: names with and without what stands in front", "[models]") {
    const std::vector<std::byte> data(4);
    io::safetensors_writer out;
    for(const char* const name: {"h.0.w", "language_model.model.x", "model.language_model.y", "scalar"}) {
        out.add_tensor(name, tw::dtype::f32, {1}, std::span<const std::byte>{data});
    }
    const std::vector<std::byte> bytes = out.to_bytes();
    const auto file = io::safetensors_file::from_memory(bytes, "test.safetensors");
    const safetensors_weights weights{file};
    CHECK(weights.find("transformer.h.0.w")->name == "h.0.w");
    CHECK(weights.find("h.0.w")->name == "h.0.w");
    CHECK(weights.find("model.x")->name == "language_model.model.x");
    CHECK(weights.find("model.y")->name == "model.language_model.y");
    CHECK(weights.find("scalar"));
    CHECK_FALSE(weights.find("model.z"));
    CHECK(weights.label() == "test.safetensors");
    weights.release(*weights.find("h.0.w")); // memory that is not mapped stays
    weights.release({});
}
