#include <tokenworks/nn/kv_cache.hpp>

#include <cmath>
#include <cstddef>
#include <fstream>
#include <limits>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

#include "nn/blocks.hpp"
#include "support/catch.hpp"
#include "support/memory.hpp"
#include "support/sanitizers.hpp"
#include "support/weights.hpp"

namespace tw = tokenworks;
namespace nn = tokenworks::nn;
using blocks::matrix;

static_assert(std::is_nothrow_move_constructible_v<nn::kv_cache> && !std::is_copy_constructible_v<nn::kv_cache>);

namespace {

constexpr std::size_t layers = 2;
constexpr std::size_t groups = 3;

float as_float(float x) { return x; }
float as_float(tw::f16 x) { return float{x}; }

/// What the cache holds of token s, group g, as floats.
template <class View>
std::vector<float> held(const View& all, std::size_t s, std::size_t g) {
    using element = std::remove_const_t<typename View::value_type>;
    std::vector<float> out;
    for(std::size_t i = 0; i < all.extent(2); ++i) {
        if constexpr(tw::kernels::key_blocks<element>::values_each != 1) {
            float values[32];
            tw::quant::decode(all(s, g, i), values);
            out.insert(out.end(), values, values + 32);
        } else {
            out.push_back(as_float(all(s, g, i)));
        }
    }
    return out;
}

/// The same of keys, which lie side by side.
template <class T>
std::vector<float> held(const tw::kernels::key_blocks<const T>& all, std::size_t s, std::size_t g) {
    std::vector<float> out;
    for(std::size_t d = 0; d < all.width(); ++d) {
        if constexpr(std::is_same_v<T, tw::quant::q8_0>) {
            const auto& block = all.data()[g * all.group_stride() + (s / 64 * all.width() + d) / 32];
            out.push_back(float{block.scales[s % 64]} * static_cast<float>(block.codes[d % 32][s % 64]));
        } else if constexpr(std::is_same_v<T, tw::quant::q4_0>) {
            const auto& block = all.data()[g * all.group_stride() + (s / 64 * all.width() + d) / 32];
            const int pair = block.codes[d % 32][s % 32];
            out.push_back(float{block.scales[s % 64]} * static_cast<float>((s % 64 < 32 ? pair % 16 : pair / 16) - 8));
        } else {
            out.push_back(as_float(all.data()[g * all.group_stride() + (s / 64 * all.width() + d) * 64 + s % 64]));
        }
    }
    return out;
}

/// A row as its storage type gives it back.
std::vector<float> stored(tw::dtype type, std::span<const float> row) {
    std::vector<std::byte> bytes(row.size() / tw::info(type).block_size * tw::info(type).block_bytes);
    tw::quant::encode(type, row, bytes);
    return support::decoded(type, bytes);
}

} // namespace

TEST_CASE("kv_cache: what is stored comes back, rounded to the storage type", "[nn]") {
    tw::thread_team three{3};
    for(const tw::dtype type: nn::kv_cache::types) {
        for(const tw::isa set: tw::all_isas) {
            if(!tw::is_supported(set)) {
                continue;
            }
            INFO(tw::info(type).name << " on " << tw::name(set));
            constexpr std::size_t key_width = 64;
            constexpr std::size_t value_width = 32;
            nn::kv_cache cache{layers, groups, key_width, value_width, 50, type};
            const matrix keys{43, groups * key_width, 1};
            const matrix values{43, groups * value_width, 2};
            const matrix zeros{43, groups * key_width};
            // In two parts, the second on threads; other layers must not disturb each other.
            cache.store(0, keys.rows().slice(0, 3), values.rows().slice(0, 3), {set, nullptr});
            cache.store(1, zeros.rows().slice(0, 3), values.rows().slice(0, 3), {set, nullptr});
            cache.advance(3);
            cache.store(0, keys.rows().slice(3, 40), values.rows().slice(3, 40), {set, &three});
            cache.store(1, zeros.rows().slice(3, 40), values.rows().slice(3, 40), {set, &three});
            cache.advance(40);
            CHECK(cache.size() == 43);
            cache.read(0, 43, [&](const auto& k, const auto& v) {
                CHECK(k.groups() == groups);
                CHECK(k.capacity() == 64);
                CHECK(v.extent(0) == 43);
                CHECK(v.extent(1) == groups);
                bool all = true;
                for(std::size_t s = 0; s < 43; ++s) {
                    for(std::size_t g = 0; g < groups; ++g) {
                        const auto key = std::span{keys.values}.subspan((s * groups + g) * key_width, key_width);
                        const auto value =
                            std::span{values.values}.subspan((s * groups + g) * value_width, value_width);
                        all = all && held(k, s, g) == stored(type, key) && held(v, s, g) == stored(type, value);
                    }
                }
                CHECK(all);
            });
            cache.read(1, 43, [&](const auto& k, const auto&) {
                CHECK(held(k, 42, 2) == std::vector<float>(key_width, 0.0F));
            });
        }
    }
}

TEST_CASE("kv_cache: heads stored one at a time are those of the whole", "[nn]") {
    constexpr std::size_t width = 32;
    for(const tw::dtype type: nn::kv_cache::types) {
        INFO(tw::info(type).name);
        nn::kv_cache whole{layers, groups, width, width, 20, type};
        nn::kv_cache parts{layers, groups, width, width, 20, type};
        const matrix keys{9, groups * width, 1};
        const matrix values{9, groups * width, 2};
        whole.store(1, keys.rows(), values.rows(), {});
        for(const auto& part: {std::pair<std::size_t, std::size_t>{0, 4}, {4, 5}}) {
            const std::size_t first = part.first;
            const std::size_t count = part.second;
            for(std::size_t g = 0; g < groups; ++g) {
                const auto head = [&](const matrix& of) {
                    return nn::kv_cache::heads_view{of.values.data() + first * of.width + g * width,
                                                    tw::extents<tw::dyn, tw::dyn, tw::dyn>{count, 1, width},
                                                    {of.width, width, 1}};
                };
                parts.store_keys(1, first, g, head(keys), {});
                parts.store_values(1, first, g, head(values), {});
            }
        }
        whole.advance(9);
        parts.advance(9);
        whole.read(1, 9, [&](const auto& k, const auto& v) {
            parts.read(1, 9, [&](const auto& l, const auto& w) {
                if constexpr(std::is_same_v<decltype(k), decltype(l)> && std::is_same_v<decltype(v), decltype(w)>) {
                    bool same = true;
                    for(std::size_t s = 0; s < 9; ++s) {
                        for(std::size_t g = 0; g < groups; ++g) {
                            same = same && held(k, s, g) == held(l, s, g) && held(v, s, g) == held(w, s, g);
                        }
                    }
                    CHECK(same);
                } else {
                    FAIL("two caches of one type");
                }
            });
        });
        const nn::kv_cache::heads_view one{
            keys.values.data(), tw::extents<tw::dyn, tw::dyn, tw::dyn>{1, 1, width}, {width, width, 1}};
        CHECK_THROWS_AS(parts.store_keys(0, 0, groups, one, {}), tw::shape_error);
        CHECK_THROWS_AS(parts.store_values(0, 0, groups, one, {}), tw::shape_error);
        CHECK_THROWS_AS(parts.store_keys(0, 11, 0, one, {}), tw::capacity_error);
        CHECK_THROWS_AS(parts.store_values(0, 11, 0, one, {}), tw::capacity_error);
    }
}

TEST_CASE("kv_cache: widths around the vector width", "[nn]") {
    for(const std::size_t width: {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{17}, std::size_t{80}}) {
        support::for_each_isa([&](const tw::execution& how) {
            nn::kv_cache cache{1, 2, width, width, 3};
            const matrix keys{1, 2 * width, 1};
            cache.store(0, keys.rows(), keys.rows(), how);
            cache.read(0, 1, [&](const auto& k, const auto&) {
                CHECK(held(k, 0, 1) == stored(tw::dtype::f16, std::span{keys.values}.subspan(width)));
            });
        });
    }
}

TEST_CASE("kv_cache: what a token stores does not depend on the tokens around it", "[nn]") {
    const matrix keys{20, groups * 32, 1};
    for(const tw::dtype type: {tw::dtype::f16, tw::dtype::q8_0}) {
        nn::kv_cache whole{1, groups, 32, 32, 20, type};
        whole.store(0, keys.rows(), keys.rows(), {});
        nn::kv_cache one_by_one{1, groups, 32, 32, 30, type};
        for(std::size_t t = 0; t < 20; ++t) {
            one_by_one.store(0, keys.rows().slice(t, 1), keys.rows().slice(t, 1), {});
            one_by_one.advance(1);
        }
        whole.read(0, 20, [&](const auto& a, const auto&) {
            one_by_one.read(0, 20, [&](const auto& b, const auto&) {
                CHECK(held(a, 19, 2) == held(b, 19, 2));
                CHECK(held(a, 7, 0) == held(b, 7, 0));
            });
        });
    }
}

TEST_CASE("kv_cache: a copy holds what the other holds, and only what is not there already is copied", "[nn]") {
    constexpr std::size_t width = 32;
    const matrix keys{150, groups * width, 1};
    const matrix values{150, groups * width, 2};
    const matrix others{150, groups * width, 3};
    tw::thread_team three{3};
    const auto all_of = [](const nn::kv_cache& cache, std::size_t layer) {
        std::vector<std::vector<float>> all;
        cache.read(layer, cache.size(), [&](const auto& k, const auto& v) {
            for(std::size_t s = 0; s < cache.size(); ++s) {
                for(std::size_t g = 0; g < groups; ++g) {
                    all.push_back(held(k, s, g));
                    all.push_back(held(v, s, g));
                }
            }
        });
        return all;
    };
    for(const tw::dtype type: nn::kv_cache::types) {
        for(const auto& [same, count]:
            {std::pair<std::size_t, std::size_t>{0, 150}, {0, 10}, {70, 150}, {64, 65}, {63, 64}, {64, 64}, {5, 5}}) {
            INFO(tw::info(type).name << " " << same << " of " << count);
            nn::kv_cache from{layers, groups, width, width, 160, type};
            nn::kv_cache to{layers, groups, width, width, 200, type};
            for(std::size_t layer = 0; layer < layers; ++layer) {
                const auto part = [&](const matrix& of, std::size_t first, std::size_t n) {
                    return of.rows().slice(first, n);
                };
                const matrix& mine = layer == 0 ? keys : values;
                from.store(layer, part(mine, 0, count), part(values, 0, count), {});
                to.store(layer, part(mine, 0, same), part(values, 0, same), {});
            }
            from.advance(count);
            to.advance(same);
            for(std::size_t layer = 0; layer < layers; ++layer) { // went another way
                to.store(layer, others.rows().slice(0, 9), others.rows().slice(0, 9), {});
            }
            to.advance(9);
            to.copy_from(from, same, {.threads = &three});
            REQUIRE(to.size() == count);
            for(std::size_t layer = 0; layer < layers; ++layer) {
                CHECK(all_of(to, layer) == all_of(from, layer));
            }
        }
    }
    nn::kv_cache a{layers, groups, width, width, 10};
    nn::kv_cache b{layers, groups, width, width, 20};
    b.store(0, keys.rows().slice(0, 11), keys.rows().slice(0, 11), {});
    b.advance(11);
    CHECK_THROWS_AS(a.copy_from(b, 0, {}), tw::capacity_error);
    CHECK_THROWS_AS(a.copy_from(b, 1, {}), tw::argument_error);
    CHECK_THROWS_AS(b.copy_from(a, 1, {}), tw::argument_error);
    CHECK_THROWS_AS(a.copy_from(nn::kv_cache(layers, groups, width, 64, 10), 0, {}), tw::shape_error);
    CHECK_THROWS_AS(a.copy_from(nn::kv_cache(layers, groups, width, width, 10, tw::dtype::f32), 0, {}),
                    tw::shape_error);
    CHECK(a.size() == 0);
    b.copy_from(b, 11, {});
    CHECK(b.size() == 11);
}

TEST_CASE("kv_cache: capacity", "[nn]") {
    nn::kv_cache cache{1, 1, 4, 4, 5, tw::dtype::f32};
    CHECK(cache.capacity() == 5);
    CHECK(cache.type() == tw::dtype::f32);
    CHECK(cache.bytes() == (64 + 5) * 4 * sizeof(float)); // keys come in steps of 64
    CHECK(nn::kv_cache::bytes_of(1, 1, 4, 4, 5, tw::dtype::f32) == cache.bytes());
    CHECK(nn::kv_cache::bytes_of(3, 2, 32, 64, 70, tw::dtype::q8_0) ==
          nn::kv_cache{3, 2, 32, 64, 70, tw::dtype::q8_0}.bytes());
    const matrix x{6, 4, 1};
    CHECK_THROWS_WITH(cache.store(0, x.rows(), x.rows(), {}),
                      ContainsSubstring("0 tokens and 6 more do not fit a context of 5"));
    cache.store(0, x.rows().slice(0, 4), x.rows().slice(0, 4), {});
    cache.advance(4);
    CHECK_THROWS_WITH(cache.require_room(2), ContainsSubstring("4 tokens and 2 more do not fit a context of 5"));
    CHECK_THROWS_AS(cache.require_room(std::numeric_limits<std::size_t>::max()), tw::capacity_error);
    CHECK_THROWS_AS(cache.advance(2), tw::capacity_error);
    CHECK_NOTHROW(cache.require_room(1));
    CHECK(cache.size() == 4);

    CHECK_THROWS_WITH(cache.truncate(5), ContainsSubstring("cannot keep 5 of 4 tokens"));
    CHECK_THROWS_AS(cache.truncate(5), tw::argument_error);
    cache.truncate(4);
    cache.truncate(1);
    CHECK(cache.size() == 1);
    cache.read(0, 1, [&](const auto& k, const auto&) {
        if constexpr(std::is_same_v<std::remove_const_t<typename std::remove_cvref_t<decltype(k)>::value_type>,
                                    float>) {
            CHECK(held(k, 0, 0)[3] == x.values[3]);
        }
    });
    cache.truncate(0);
    CHECK(cache.size() == 0);

    nn::kv_cache moved = std::move(cache);
    CHECK(moved.capacity() == 5);
    nn::kv_cache empty{0, 1, 4, 4, 0};
    CHECK(empty.bytes() == 0);
    CHECK_THROWS_AS(empty.require_room(1), tw::capacity_error);
}

TEST_CASE("kv_cache: types and sizes that it refuses", "[nn]") {
    CHECK_THROWS_WITH((nn::kv_cache{1, 1, 32, 32, 4, tw::dtype::q4_1}), ContainsSubstring("of type q4_1"));
    CHECK_THROWS_AS((nn::kv_cache{1, 1, 32, 32, 4, tw::dtype::f64}), tw::unsupported_error);
    CHECK_THROWS_WITH((nn::kv_cache{1, 1, 48, 32, 4, tw::dtype::q8_0}),
                      ContainsSubstring("heads of width 48 and 32 are no whole q8_0 blocks"));
    CHECK_THROWS_AS((nn::kv_cache{1, 1, 32, 16, 4, tw::dtype::q8_0}), tw::argument_error);

    constexpr std::size_t huge = std::numeric_limits<std::size_t>::max();
    for(const tw::dtype type: nn::kv_cache::types) {
        INFO(tw::info(type).name);
        CHECK_THROWS_WITH((nn::kv_cache{1, 4, 64, 64, huge / 4, type}), ContainsSubstring("is too large"));
        CHECK_THROWS_AS((nn::kv_cache{1, huge / 2, 64, 64, 4, type}), tw::argument_error);
        CHECK_THROWS_WITH((nn::kv_cache::bytes_of(huge, 4, 64, 64, 4, type)), ContainsSubstring("is too large"));
        // A row of 2^64 bytes must not pass for one of none.
        CHECK_THROWS_AS((nn::kv_cache{1, 1, (huge >> 2) + 1, 32, 4, type}), tw::argument_error);
        CHECK_THROWS_AS((nn::kv_cache{1, 1, 32, (huge >> 1) + 1, 4, type}), tw::argument_error);
        if(!support::is_sanitized) {
            CHECK_THROWS_AS((nn::kv_cache{1, 1, 64, 64, huge >> 12, type}), std::bad_alloc);
        }
    }
}

TEST_CASE("kv_cache: keys and values of another model's shape", "[nn]") {
    nn::kv_cache cache{2, 2, 8, 4, 10};
    const matrix keys{3, 16, 1};
    const matrix values{3, 8, 1};
    CHECK_NOTHROW(cache.store(1, keys.rows(), values.rows(), {}));
    CHECK_THROWS_WITH(cache.store(2, keys.rows(), values.rows(), {}),
                      ContainsSubstring("layer 2 with G=2, D=8 and 4 for a cache of 2 layers, G=2, D=8 and 4"));
    CHECK_THROWS_AS(cache.store(0, values.rows(), values.rows(), {}), tw::shape_error);
    CHECK_THROWS_AS(cache.store(0, keys.rows(), keys.rows(), {}), tw::shape_error);
    CHECK_THROWS_AS(cache.store(0, keys.rows().slice(0, 2), values.rows(), {}), tw::shape_error);
}

TEST_CASE("kv_cache: a large cache takes memory as tokens come", "[nn]") {
    constexpr std::size_t width = 128;
    nn::kv_cache cache{8, 4, width, width, 40'000}; // 655 MB reserved
    CHECK(cache.bytes() > std::size_t{600} << 20);
    const matrix row{1, 4 * width, 1};
    for(std::size_t layer = 0; layer < 8; ++layer) {
        cache.store(layer, row.rows(), row.rows(), {});
    }
    cache.advance(1);
    std::string setting; // where the system gives huge pages to all, it is the system's choice
    std::getline(std::ifstream{"/sys/kernel/mm/transparent_hugepage/enabled"}, setting);
    if(!support::is_sanitized && setting.find("[always]") == std::string::npos) {
        CHECK(support::peak_memory() < std::size_t{64} << 20); // on huge pages it would be 128 MB and more
    }
}
