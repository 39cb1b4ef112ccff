#include <tokenworks/models/tensor_names.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/quant/convert.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using files::refusal;
using numbers = std::vector<float>;

namespace {

/// 0, 1, 2, …
void add_counting(memory_weights& to, const std::string& name, std::vector<std::size_t> extents) {
    std::size_t count = 1;
    for(const std::size_t extent: extents) {
        count *= extent;
    }
    numbers values(count);
    std::iota(values.begin(), values.end(), 0.0F);
    to.add(name, std::move(extents), values);
}

numbers values_of(const std::optional<weight>& w) {
    REQUIRE(w);
    std::size_t count = 1;
    for(const std::size_t extent: w->extents) {
        count *= extent;
    }
    numbers out(count);
    tw::quant::decode(w->type, w->bytes, out);
    return out;
}

} // namespace

TEST_CASE("tensor_names: layers and experts by number, suffixes with the name or without", "[models]") {
    memory_weights stored;
    for(const char* const name: {"h.12.a.weight", "h.12.a.bias", "h.3.e.40.w", "plain.weight", "h.1.sinks"}) {
        stored.add(name, {1}, {1});
    }
    const named_weights names{stored,
                              {{"blk.#.q", "h.#.a"},
                               {"blk.#.up.@.weight", "h.#.e.@.w"},
                               {"x", "plain"},
                               {"blk.#.none", ""},
                               {"blk.#.s.weight", "h.#.sinks"}},
                              false};
    CHECK(names.find("blk.12.q.weight")->name == "h.12.a.weight");
    CHECK(names.find("blk.12.q.bias")->name == "h.12.a.bias");
    CHECK(names.find("blk.3.up.40.weight")->name == "h.3.e.40.w");
    CHECK(names.find("x.weight")->name == "plain.weight");
    CHECK(names.find("blk.1.s.weight")->name == "h.1.sinks");
    CHECK_FALSE(names.find("blk.1.s.bias"));
    CHECK_FALSE(names.find("blk.13.q.weight"));
    CHECK_FALSE(names.find("blk.12.none.weight"));
    CHECK_FALSE(names.find("plain.weight")); // a name of the file, not of the blocks
    CHECK(names.name_of("blk.7.q.bias") == "h.7.a.bias");
    CHECK(names.name_of("unknown.weight") == "unknown.weight");
    CHECK(names.label() == "<memory>");
    const named_weights others{stored, {{"x", "plain"}}, true};
    CHECK(others.find("h.12.a.bias")->name == "h.12.a.bias");
    CHECK_THAT(refusal<tw::format_error>([&] { (void)require(names, "blk.8.q.weight", std::vector<std::size_t>{2}); }),
               ContainsSubstring("tensor h.8.a.weight: missing; expected extents [2]"));
}

TEST_CASE("tensor_names: where a file has what is asked for", "[models]") {
    const tensor_names names{{"blk.#.q", "h.#.qkv", {.rows = {6, 0, 2}}},
                             {"blk.#.up.@", "h.#.up_exps", {.is_one_of_many = true}},
                             {"blk.#.none", ""}};
    const stored_tensor fused = stored_tensor_of(names, "blk.4.q.weight", false);
    CHECK(fused.name == "h.4.qkv.weight");
    CHECK(fused.row == &names[0]);
    const stored_tensor expert = stored_tensor_of(names, "blk.4.up.17.weight", false);
    CHECK(expert.name == "h.4.up_exps.weight");
    CHECK(expert.expert == 17);
    CHECK(stored_tensor_of(names, "blk.4.none.weight", true).name.empty());
    CHECK(stored_tensor_of(names, "other", false).name.empty());
    CHECK(stored_tensor_of(names, "other", true).name == "other");
}

TEST_CASE("tensor_names: rows of heads whose halves become neighbours", "[models]") {
    memory_weights stored;
    add_counting(stored, "q", {12, 2}); // two heads of six rows, four of which turn
    add_counting(stored, "fused", {12, 1});
    const named_weights names{stored,
                              {{"all", "q", {.turned = {6, 4}}},
                               {"part", "fused", {.rows = {12, 4, 4}, .turned = {4, 4}}},
                               {"odd", "q", {.turned = {5, 4}}}},
                              false};
    CHECK(values_of(names.find("all")) ==
          numbers{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 14, 15, 18, 19, 20, 21, 22, 23});
    CHECK(values_of(names.find("part")) == numbers{4, 6, 5, 7});
    CHECK(names.describe("all")->extents == std::vector<std::size_t>{12, 2});
    CHECK_THAT(refusal<tw::format_error>([&] { (void)names.find("odd"); }),
               ContainsSubstring("expected a multiple of 5 rows"));
}

TEST_CASE("tensor_names: later rows replace earlier ones", "[models]") {
    tensor_names names{{"a", "1"}, {"b", "2"}};
    set_names(names, {{"b", "3"}, {"c", "4"}});
    REQUIRE(names.size() == 3);
    CHECK(names[1].stored == "3");
    CHECK(names[2].stored == "4");
}

TEST_CASE("tensor_names: rows of a fused tensor, side by side or in groups", "[models]") {
    memory_weights stored;
    add_counting(stored, "f.weight", {6, 2});
    const auto rows = [&](row_pattern pattern) {
        return named_weights{stored, {{"x", "f", {.rows = pattern}}}, false}.find("x.weight");
    };
    CHECK(values_of(rows({6, 2, 3})) == numbers{4, 5, 6, 7, 8, 9});
    CHECK_FALSE(rows({6, 2, 3})->memory); // looked at where it is
    CHECK(values_of(rows({3, 1, 1})) == numbers{2, 3, 8, 9});
    CHECK(values_of(rows({2, 1, 1})) == numbers{2, 3, 6, 7, 10, 11});
    CHECK(rows({2, 1, 1})->extents == std::vector<std::size_t>{3, 2});
    CHECK_THAT(refusal<tw::format_error>([&] {
                   (void)rows({4, 0, 2});
               }),
               ContainsSubstring("tensor f.weight: extents [6,2], expected a multiple of 4 rows"));
    CHECK_THAT(refusal<tw::format_error>([&] { (void)rows({3, 2, 2}); }), ContainsSubstring("multiple of 3 rows"));
    // A bias has rows of one.
    memory_weights bias;
    add_counting(bias, "f.bias", {4});
    CHECK(values_of(named_weights{bias, {{"x", "f", {.rows = {2, 1, 1}}}}, false}.find("x.bias")) == numbers{1, 3});
    // Quantised rows are whole blocks.
    std::vector<std::byte> blocks(4 * 34);
    for(std::size_t i = 0; i < blocks.size(); ++i) {
        blocks[i] = static_cast<std::byte>(i);
    }
    memory_weights quantized;
    quantized.add("f.weight", tw::dtype::q8_0, {4, 32}, blocks);
    const auto half = named_weights{quantized, {{"x", "f", {.rows = {2, 1, 1}}}}, false}.find("x.weight");
    REQUIRE(half);
    CHECK(half->bytes.size() == 2 * 34);
    CHECK(half->bytes[0] == blocks[34]);
    CHECK(half->bytes[34] == blocks[3 * 34]);
}

TEST_CASE("tensor_names: transposed tensors of every element size, across squares", "[models]") {
    constexpr std::size_t k = 70;
    constexpr std::size_t n = 130;
    for(const tw::dtype type: {tw::dtype::f8_e4m3, tw::dtype::f16, tw::dtype::f32, tw::dtype::f64}) {
        std::vector<std::byte> bytes(k * n * tw::info(type).block_bytes);
        for(std::size_t i = 0; i < bytes.size(); ++i) {
            bytes[i] = static_cast<std::byte>(i * 37 % 251);
        }
        memory_weights stored;
        stored.add("t.weight", type, {k, n}, bytes);
        const auto found = named_weights{stored, {{"x", "t", {.is_transposed = true}}}, false}.find("x.weight");
        REQUIRE(found);
        CHECK(found->extents == std::vector<std::size_t>{n, k});
        const std::size_t size = tw::info(type).block_bytes;
        bool right = true;
        for(std::size_t r = 0; r < n; ++r) {
            for(std::size_t c = 0; c < k; ++c) {
                for(std::size_t b = 0; b < size; ++b) {
                    right = right && found->bytes[(r * k + c) * size + b] == bytes[(c * n + r) * size + b];
                }
            }
        }
        CHECK(right);
    }
    memory_weights vector;
    add_counting(vector, "t.bias", {3});
    CHECK(values_of(named_weights{vector, {{"x", "t", {.is_transposed = true}}}, false}.find("x.bias")) ==
          numbers{0, 1, 2});
    std::vector<std::byte> blocks(2 * 34);
    memory_weights quantized;
    quantized.add("t.weight", tw::dtype::q8_0, {2, 32}, blocks);
    const named_weights turned{quantized, {{"x", "t", {.is_transposed = true}}}, false};
    CHECK_THAT(refusal<tw::format_error>([&] { (void)turned.find("x.weight"); }),
               ContainsSubstring("blocks of q8_0 cannot be"));
}

TEST_CASE("tensor_names: one expert of many, and all parts together", "[models]") {
    memory_weights stored;
    add_counting(stored, "e", {3, 2, 4});
    const named_weights one{stored, {{"blk.#.x.@.weight", "e", {.is_one_of_many = true}}}, false};
    CHECK(values_of(one.find("blk.0.x.2.weight")) == numbers{16, 17, 18, 19, 20, 21, 22, 23});
    CHECK(one.find("blk.0.x.2.weight")->extents == std::vector<std::size_t>{2, 4});
    for(const char* const name: {"blk.0.x.3.weight", "blk.0.x.99999999999999999999.weight"}) {
        INFO(name);
        if(std::string{name}.size() < 20) {
            CHECK_THAT(refusal<tw::format_error>([&] { (void)one.find(name); }),
                       ContainsSubstring("tensor e: extents [3,2,4] have no part 3"));
        } else {
            CHECK(one.find(name)); // names no expert that there can be: the first
        }
    }
    const named_weights all{stored,
                            {{"blk.#.x.@.weight",
                              "e",
                              {.rows = {2, 1, 1}, .is_one_of_many = true, .is_transposed = true, .plus_one = true}}},
                            false};
    // Of expert 1, [[8,9,10,11],[12,13,14,15]]: transposed, every second row, one more.
    CHECK(values_of(all.find("blk.0.x.1.weight")) == numbers{10, 14, 12, 16});
}

TEST_CASE("tensor_names: heads one by one, transposed and put below each other", "[models]") {
    memory_weights stored;
    add_counting(stored, "h.weight", {2, 2, 3});
    const named_weights flat{stored, {{"x", "h", {.is_flat = true}}}, false};
    CHECK(flat.find("x.weight")->extents == std::vector<std::size_t>{4, 3});
    CHECK(values_of(flat.find("x.weight")) == values_of(stored.find("h.weight")));
    const named_weights turned{stored, {{"x", "h", {.is_transposed = true, .is_flat = true}}}, false};
    CHECK(turned.find("x.weight")->extents == std::vector<std::size_t>{6, 2});
    CHECK(values_of(turned.find("x.weight")) == numbers{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11});
    // Blocks are decoded for it.
    std::vector<std::byte> blocks(2 * 3 * 34);
    for(std::size_t i = 0; i < blocks.size(); ++i) {
        blocks[i] = static_cast<std::byte>(i % 34 == 1 ? 0x3c : i % 34 == 0 ? 0 : i); // scales of 1
    }
    memory_weights quantized;
    quantized.add("h.weight", tw::dtype::q8_0, {2, 3, 32}, blocks);
    const auto found =
        named_weights{quantized, {{"x", "h", {.is_transposed = true, .is_flat = true}}}, false}.find("x.weight");
    REQUIRE(found);
    CHECK(found->type == tw::dtype::f32);
    CHECK(found->extents == std::vector<std::size_t>{64, 3});
    const numbers before = values_of(quantized.find("h.weight"));
    CHECK(values_of(found)[(32 + 5) * 3 + 2] == before[(3 + 2) * 32 + 5]);
}

TEST_CASE("tensor_names: MXFP4 as gpt-oss stores it", "[models]") {
    // Two experts, three rows, two blocks a row: codes in pairs of neighbours.
    std::vector<std::byte> codes(2 * 3 * 2 * 16);
    std::vector<std::byte> scales(2 * 3 * 2);
    for(std::size_t i = 0; i < codes.size(); ++i) {
        codes[i] = static_cast<std::byte>(i * 29 % 256);
    }
    for(std::size_t i = 0; i < scales.size(); ++i) {
        scales[i] = static_cast<std::byte>(120 + i);
    }
    memory_weights stored;
    stored.add("w_blocks", tw::dtype::u8, {2, 3, 2, 16}, codes);
    stored.add("w_scales", tw::dtype::u8, {2, 3, 2}, scales);
    const named_weights names{
        stored, {{"blk.#.x.@.weight", "w_blocks", {.is_one_of_many = true, .is_mxfp4 = true}}}, false};
    const auto found = names.find("blk.0.x.1.weight");
    REQUIRE(found);
    CHECK(found->type == tw::dtype::mxfp4);
    CHECK(found->extents == std::vector<std::size_t>{3, 64});
    const numbers values = values_of(found);
    constexpr float e2m1[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.0F, -0.5F, -1, -1.5F, -2, -3, -4, -6};
    bool right = true;
    for(std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t at = 3 * 64 + i; // in both experts
        const auto byte = std::to_integer<unsigned>(codes[at / 2]);
        const float code = e2m1[at % 2 == 0 ? byte & 15U : byte >> 4];
        right = right && values[i] == std::ldexp(code, std::to_integer<int>(scales[at / 32]) - 127);
    }
    CHECK(right);
    memory_weights lonely;
    lonely.add("w_blocks", tw::dtype::u8, {2, 3, 2, 16}, codes);
    const named_weights without{
        lonely, {{"blk.#.x.@.weight", "w_blocks", {.is_one_of_many = true, .is_mxfp4 = true}}}, false};
    CHECK_THAT(refusal<tw::format_error>([&] { (void)without.find("blk.0.x.1.weight"); }),
               ContainsSubstring("tensor w_blocks") && ContainsSubstring("are no blocks of MXFP4"));
}

TEST_CASE("tensor_names: filters of pixels get their channels innermost", "[models]") {
    memory_weights stored;
    add_counting(stored, "conv.weight", {2, 3, 2, 1}); // [N,C,H,W]
    add_counting(stored, "point.weight", {2, 3, 1, 1});
    const named_weights named{stored,
                              {{"c.weight", "conv.weight", {.is_pixel_filter = true}},
                               {"p.weight", "point.weight", {.is_pixel_filter = true}}},
                              false};
    CHECK(named.describe("c.weight")->extents == std::vector<std::size_t>{2, 6});
    CHECK(values_of(named.find("c.weight")) == numbers{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11});
    CHECK(values_of(named.find("p.weight")) == numbers{0, 1, 2, 3, 4, 5});
}

TEST_CASE("tensor_names: rows of another tensor, or of zeros, behind the stored ones", "[models]") {
    memory_weights stored;
    add_counting(stored, "codes.weight", {2, 2});
    add_counting(stored, "classes.weight", {1, 2});
    add_counting(stored, "wide.weight", {1, 3});
    const named_weights named{stored,
                              {{"table.weight", "codes.weight", {.then = "classes.weight"}},
                               {"head.weight", "codes.weight", {.rows_in_all = 3}},
                               {"few.weight", "codes.weight", {.rows_in_all = 1}},
                               {"other.weight", "codes.weight", {.then = "wide.weight"}},
                               {"gone.weight", "codes.weight", {.then = "none.weight"}}},
                              false};
    CHECK(values_of(named.find("table.weight")) == numbers{0, 1, 2, 3, 0, 1});
    CHECK(named.describe("table.weight")->extents == std::vector<std::size_t>{3, 2});
    CHECK(values_of(named.find("head.weight")) == numbers{0, 1, 2, 3, 0, 0});
    CHECK_THAT(refusal<tw::format_error>([&] { static_cast<void>(named.find("few.weight")); }),
               ContainsSubstring("expected up to 1 rows"));
    CHECK_THAT(refusal<tw::format_error>([&] { static_cast<void>(named.find("other.weight")); }),
               ContainsSubstring("wide.weight has [1,3]"));
    CHECK_THAT(refusal<tw::format_error>([&] { static_cast<void>(named.find("gone.weight")); }),
               ContainsSubstring("none.weight"));
}
