#include <tokenworks/core/layout.hpp>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::dyn;

TEST_CASE("layout_right: offsets count 0, 1, 2, ... in row-major order") {
    using shape = tw::extents<2, dyn, 4>;
    const tw::layout_right::mapping<shape> map{shape{3}};
    std::size_t expected = 0;
    for(std::size_t i = 0; i < 2; ++i) {
        for(std::size_t j = 0; j < 3; ++j) {
            for(std::size_t k = 0; k < 4; ++k) {
                CHECK(map(i, j, k) == expected++);
            }
        }
    }
    CHECK(map.strides() == std::array<std::size_t, 3>{12, 4, 1});
    CHECK(map.stride(0) == 12);
    CHECK(map.stride(2) == 1);
}

TEST_CASE("layout_right: static offsets are constants, and a static map stores nothing") {
    using map = tw::layout_right::mapping<tw::extents<4, 8>>;
    STATIC_REQUIRE(map{}(3, 7) == 31);
    STATIC_REQUIRE(std::is_empty_v<map>);
    STATIC_REQUIRE(tw::layout_right::mapping<tw::extents<>>{}() == 0);
}

TEST_CASE("layout_stride: one stride an axis, repeats included") {
    using shape = tw::dims<2>;
    const tw::layout_stride::mapping<shape> map{shape{3, 5}, {0, 2}};
    CHECK(map(0, 4) == 8);
    CHECK(map(2, 4) == 8);
    CHECK_FALSE(map.is_contiguous());
    CHECK(tw::layout_stride::mapping<shape>{tw::layout_right::mapping<shape>{shape{3, 5}}}(2, 4) == 14);
}

TEST_CASE("layout_stride: contiguous means as in layout_right; axes of one element do not count") {
    using shape = tw::dims<3>;
    using map = tw::layout_stride::mapping<shape>;
    CHECK(map{shape{2, 3, 4}, {12, 4, 1}}.is_contiguous());
    CHECK(map{shape{2, 1, 4}, {4, 99, 1}}.is_contiguous());
    CHECK(map{shape{1, 3, 4}, {0, 4, 1}}.is_contiguous());
    CHECK_FALSE(map{shape{2, 3, 4}, {13, 4, 1}}.is_contiguous());
    CHECK_FALSE(map{shape{2, 3, 4}, {1, 2, 6}}.is_contiguous());
    CHECK(map{shape{0, 3, 4}, {1, 1, 7}}.is_contiguous());
    CHECK(map{shape{2, 3, 0}, {5, 1, 7}}.is_contiguous());
}
