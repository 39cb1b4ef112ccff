#include <tokenworks/kernels/paged_rows.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include <tokenworks/core/dtype_of.hpp>
#include <tokenworks/kernels/attention.hpp>
#include <tokenworks/quant/convert.hpp>

#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace tw = tokenworks;
namespace kernels = tokenworks::kernels;

namespace {

constexpr std::size_t groups = 2;
constexpr std::size_t heads = 6;
constexpr std::size_t width = 64;

/// The same keys and values in one piece and in pages that lie in reverse order.
template <class T>
struct both {
    using storage = typename kernels::key_blocks<T>::storage_type;

    explicit both(std::size_t tokens) : count{tokens}, pages_needed{(tokens + 63) / 64} {
        const std::vector<float> k = support::random_floats(count * groups * width, 3);
        const std::vector<float> v = support::random_floats(count * groups * width, 4);
        const tw::view<const float, tw::dyn, tw::dyn, tw::dyn> all{k.data(), count, groups, width};
        keys.resize(kernels::key_blocks<T>::storage_size(groups, count, width));
        kernels::store_keys(all, 0, kernels::key_blocks<T>{keys.data(), groups, count, width});
        row_bytes = width / tw::info(tw::dtype_of<T>).block_size * tw::info(tw::dtype_of<T>).block_bytes;
        values.resize(groups * count * row_bytes);
        key_bytes = kernels::key_blocks<T>::storage_size(groups, 64, width) * sizeof(storage);
        memory.resize(pages_needed * page_bytes());
        for(std::size_t p = 0; p < pages_needed; ++p) {
            pages.push_back(memory.data() + (pages_needed - 1 - p) * page_bytes() + begin);
        }
        for(std::size_t s = 0; s < count; ++s) {
            for(std::size_t g = 0; g < groups; ++g) {
                std::byte* const one = values.data() + (g * count + s) * row_bytes;
                const std::span<const float> row{v.data() + (s * groups + g) * width, width};
                tw::quant::encode(tw::dtype_of<T>, row, {one, row_bytes});
                std::memcpy(page(s) + key_bytes + (g * 64 + s % 64) * row_bytes, one, row_bytes);
            }
            const tw::view<const float, tw::dyn, tw::dyn, tw::dyn> key{k.data() + s * groups * width, 1, groups, width};
            kernels::store_keys(key, s % 64,
                                kernels::key_blocks<T>{reinterpret_cast<storage*>(page(s)), groups, 64, width});
        }
    }

    [[nodiscard]] std::size_t page_bytes() const { return begin + key_bytes + groups * 64 * row_bytes; }
    [[nodiscard]] std::byte* page(std::size_t s) const { return const_cast<std::byte*>(pages[s / 64]); }

    [[nodiscard]] std::vector<float> attend(bool paged, std::size_t queries, const tw::execution& how) const {
        const std::vector<float> q = support::random_floats(queries * heads * width, 5);
        std::vector<float> out(queries * heads * width, -1.0F);
        const tw::view<const float, tw::dyn, tw::dyn, tw::dyn> from{q.data(), queries, heads, width};
        const tw::view<float, tw::dyn, tw::dyn, tw::dyn> to{out.data(), queries, heads, width};
        const kernels::attention_options options{.causal = true, .start = count - queries, .window = count / 2};
        if(paged) {
            kernels::attention(from, kernels::paged_keys<T>{{pages, 0, groups, width, count}},
                               kernels::paged_values<T>{{pages, key_bytes, groups, width, count}}, options, to, how);
        } else {
            const std::size_t elements = width / tw::info(tw::dtype_of<T>).block_size;
            const kernels::key_blocks<const T> k{keys.data(), groups, count, width};
            const tw::strided_view<const T, tw::dyn, tw::dyn, tw::dyn> v{
                reinterpret_cast<const T*>(values.data()),
                tw::extents<tw::dyn, tw::dyn, tw::dyn>{count, groups, elements},
                {elements, count * elements, 1}};
            kernels::attention(from, k, v, options, to, how);
        }
        return out;
    }

    static constexpr std::size_t begin = 128; // pages begin anywhere
    std::size_t count;
    std::size_t pages_needed;
    std::size_t row_bytes = 0;
    std::size_t key_bytes = 0;
    std::vector<storage> keys;
    std::vector<std::byte> values;
    std::vector<std::byte> memory;
    std::vector<const std::byte*> pages;
};

} // namespace

TEMPLATE_TEST_CASE("attention over pages has the bits of attention over one piece", "[kernels]", float, tw::f16,
                   tw::bf16, tw::quant::q8_0, tw::quant::q4_0) {
    tw::thread_team team{3};
    for(const tw::isa set: {tw::isa::portable, tw::best_isa()}) {
        for(const std::size_t count: {1U, 63U, 64U, 65U, 200U, 1100U}) {
            const both<TestType> one{count};
            for(const std::size_t queries:
                {std::size_t{1}, std::min<std::size_t>(count, 5), std::min<std::size_t>(count, 40)}) {
                for(tw::team* threads: {static_cast<tw::team*>(nullptr), static_cast<tw::team*>(&team)}) {
                    const tw::execution how{set, threads};
                    CHECK(one.attend(true, queries, how) == one.attend(false, queries, how));
                }
            }
        }
    }
}

TEST_CASE("attention over too few pages is refused", "[kernels]") {
    both<tw::f16> one{70};
    one.pages.pop_back();
    CHECK_THROWS_AS(one.attend(true, 1, {}), tw::shape_error);
}
