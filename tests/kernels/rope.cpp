#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tokenworks/core/thread_team.hpp>
#include <tokenworks/kernels/rope.hpp>

#include "reference/rope.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace tokenworks;
using kernels::rope_pairing;

namespace {

constexpr std::size_t heads = 3;
const std::vector<std::int32_t> positions{0, 1, 17, 4095, 100000};

struct turned {
    std::vector<float> whole;  ///< rope of positions
    std::vector<float> cached; ///< rope_angles, then rope in place
};

turned turn(const std::vector<float>& x, std::size_t width, const kernels::rope_table& table, const execution& how) {
    const std::size_t count = positions.size();
    turned out{std::vector<float>(x.size()), x};
    kernels::rope(view<const float, dyn, dyn, dyn>{x.data(), count, heads, width}, positions, table,
                  view<float, dyn, dyn, dyn>{out.whole.data(), count, heads, width}, how);
    std::vector<float> cosines(count * table.width() / 2);
    std::vector<float> sines(cosines.size());
    const view<float, dyn, dyn> c{cosines.data(), count, table.width() / 2};
    const view<float, dyn, dyn> s{sines.data(), count, table.width() / 2};
    kernels::rope_angles(positions, table, c, s, how);
    const view<float, dyn, dyn, dyn> in_place{out.cached.data(), count, heads, width};
    kernels::rope(in_place, c, s, table.pairing(), in_place, how);
    return out;
}

} // namespace

TEST_CASE("rope turns pairs as complex numbers, at any width, whole or partial") {
    for(const rope_pairing pairing: {rope_pairing::halves, rope_pairing::interleaved}) {
        for(const std::size_t width: {2U, 30U, 32U, 34U, 64U, 80U, 128U, 300U}) {
            for(const std::size_t rotary: {width, width / 4 * 2}) {
                const auto x = support::random_floats(positions.size() * heads * width, 1);
                const kernels::rope_table table{{.width = rotary, .pairing = pairing}};
                support::for_each_isa([&](execution how) {
                    CAPTURE(name(how.set), width, rotary, pairing == rope_pairing::interleaved);
                    const turned out = turn(x, width, table, how);
                    CHECK(support::same_bits(out.whole, out.cached));
                    double worst = 0;
                    for(std::size_t i = 0; i < positions.size() * heads; ++i) {
                        const auto expected = reference::rope({x.data() + i * width, width}, positions[i / heads],
                                                              reference::plain_frequencies(rotary, 10000),
                                                              pairing == rope_pairing::interleaved);
                        worst = std::max(worst, support::nmse(expected, {out.whole.data() + i * width, width}));
                    }
                    CHECK(worst < 1e-13); // also at position 100000
                });
            }
        }
    }
}

TEST_CASE("rope keeps the norm of a head, and position 0 keeps the head") {
    const auto x = support::random_floats(positions.size() * heads * 64, 2);
    const kernels::rope_table table{{.width = 64}};
    const turned out = turn(x, 64, table, {});
    for(std::size_t i = 0; i < positions.size() * heads; ++i) {
        double before = 0;
        double after = 0;
        for(std::size_t d = 0; d < 64; ++d) {
            before += std::pow(static_cast<double>(x[i * 64 + d]), 2);
            after += std::pow(static_cast<double>(out.whole[i * 64 + d]), 2);
        }
        CHECK(after == Approx(before).epsilon(1e-6));
    }
    CHECK(support::same_bits({x.data(), heads * 64}, {out.whole.data(), heads * 64}));
}

TEST_CASE("rope: a product of turned heads depends on the distance alone") {
    const auto q = support::random_floats(64, 3);
    const auto k = support::random_floats(64, 4);
    const kernels::rope_table table{{.width = 64, .pairing = rope_pairing::interleaved}};
    const auto product = [&](std::int32_t q_at, std::int32_t k_at) {
        std::vector<float> a(64);
        std::vector<float> b(64);
        const std::vector<std::int32_t> first{q_at};
        const std::vector<std::int32_t> second{k_at};
        kernels::rope(view<const float, 1, 1, 64>{q.data()}, first, table, view<float, 1, 1, 64>{a.data()});
        kernels::rope(view<const float, 1, 1, 64>{k.data()}, second, table, view<float, 1, 1, 64>{b.data()});
        double sum = 0;
        for(std::size_t i = 0; i < 64; ++i) {
            sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
        }
        return sum;
    };
    CHECK(product(50, 20) == Approx(product(100030, 100000)).epsilon(1e-5));
}

TEST_CASE("rope multiplies by the table's magnitude") {
    kernels::rope_config config{.width = 8};
    config.scaling.kind = kernels::rope_scaling_kind::yarn;
    config.scaling.factor = 4;
    config.scaling.original_context = 64;
    const kernels::rope_table table{config};
    const std::vector<std::int32_t> start{0};
    const std::vector<float> x{1, 2, 3, 4, 5, 6, 7, 8};
    std::vector<float> out(8);
    kernels::rope(view<const float, 1, 1, 8>{x.data()}, start, table, view<float, 1, 1, 8>{out.data()});
    CHECK(static_cast<double>(out[4]) == Approx(5 * (0.1 * std::log(4.0) + 1)));
}

TEST_CASE("rope gives the same bits on threads and for slices of rows and heads") {
    constexpr std::size_t tokens = 70;
    const auto x = support::random_floats(tokens * 9 * 64, 5);
    std::vector<std::int32_t> at(tokens);
    for(std::size_t i = 0; i < tokens; ++i) {
        at[i] = static_cast<std::int32_t>(i + 1000);
    }
    const kernels::rope_table table{{.width = 64}};
    const view<const float, dyn, 9, 64> from{x.data(), tokens};
    std::vector<float> one(x.size());
    kernels::rope(from, at, table, view<float, dyn, 9, 64>{one.data(), tokens});
    for(const unsigned threads: {2U, 3U}) {
        thread_team team{threads};
        std::vector<float> out(x.size());
        kernels::rope(from, at, table, view<float, dyn, 9, 64>{out.data(), tokens}, {best_isa(), &team});
        CHECK(support::same_bits(one, out));
    }
    std::vector<float> part(2 * 3 * 64);
    kernels::rope(from.slice(10, 2).slice<1>(3, 3), view<const std::int32_t, dyn>{at}.slice(10, 2), table,
                  view<float, dyn, 3, 64>{part.data(), 2});
    CHECK(support::same_bits({part.data() + 192, 192}, {one.data() + (11 * 9 + 3) * 64, 192}));
}

TEST_CASE("rope names extents that disagree") {
    std::vector<float> x(2 * 3 * 8);
    const view<float, dyn, dyn, dyn> heads_of{x.data(), 2, 3, 8};
    const std::vector<std::int32_t> three{0, 1, 2};
    const std::vector<std::int32_t> two{0, 1};
    const kernels::rope_table table{{.width = 8}};
    const kernels::rope_table wide{{.width = 10}};
    CHECK_THROWS_WITH(kernels::rope(heads_of, three, table, heads_of),
                      ContainsSubstring("rope: x has T=2, positions have T=3"));
    CHECK_THROWS_WITH(kernels::rope(heads_of, two, wide, heads_of),
                      ContainsSubstring("rope: x has D=8, the table has W=10"));
    std::vector<float> angles(15);
    const view<float, dyn, dyn> a{angles.data(), 3, 4};
    const view<float, dyn, dyn> b{angles.data(), 2, 5};
    CHECK_THROWS_WITH(kernels::rope(heads_of, a, a, rope_pairing::halves, heads_of),
                      ContainsSubstring("rope: x has T=2, cosines have T=3"));
    CHECK_THROWS_WITH(kernels::rope(heads_of, b, b, rope_pairing::halves, heads_of),
                      ContainsSubstring("rope: x has D=8, cosines have W=10"));
    CHECK_THROWS_WITH(kernels::rope_angles(two, table, a, a),
                      ContainsSubstring("positions have T=2, cosines have T=3"));
    CHECK_THROWS_WITH(kernels::rope_angles(three, wide, a, a),
                      ContainsSubstring("the table has W/2=5, cosines have W/2=4"));
}
