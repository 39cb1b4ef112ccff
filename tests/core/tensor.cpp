#include <tokenworks/core/tensor.hpp>

#include <array>
#include <cstdint>
#include <memory_resource>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace tw = tokenworks;
using tw::dyn;

namespace {

/// Counts, and can be unequal to another of its kind.
class counting_resource: public std::pmr::memory_resource {
public:
    int live = 0;
    int total = 0;

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const memory = std::pmr::new_delete_resource()->allocate(bytes, alignment);
        ++live;
        ++total;
        return memory;
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
        --live;
        std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

using pmr_tensor = tw::tensor<float, tw::extents<dyn, 3>, std::pmr::polymorphic_allocator<float>>;

float sum(tw::view<const float, dyn, dyn> v) {
    float total = 0;
    for(auto row: v.rows()) {
        for(float x: row.as_span()) {
            total += x;
        }
    }
    return total;
}

std::uintptr_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

} // namespace

TEST_CASE("tensor: starts with zeros, aligned") {
    tw::tensor_of<float, dyn, 64> a{3};
    CHECK(a.size() == 192);
    CHECK(address(a.data()) % 64 == 0);
    for(float x: a.as_span()) {
        CHECK(x == 0);
    }
    tw::tensor_of<double, 2, 3> b;
    CHECK(address(b.data()) % 64 == 0);
    for(double x: b.as_span()) {
        CHECK(x == 0);
    }
    CHECK(tw::tensor_of<float, dyn, 64>{}.empty());
    CHECK(tw::tensor_of<int>{}() == 0);
    CHECK(tw::tensor_of<int, 0>{}.empty());
    CHECK(tw::tensor_of<float, dyn, dyn>{2, 3}.extents() == tw::extents<2, 3>{});
    CHECK(tw::tensor_of<float, dyn, 3>{2, 3}.extent(0) == 2);
}

TEST_CASE("tensor: from values in row-major order, whose number must fit") {
    const std::vector<float> values{1, 2, 3, 4, 5, 6};
    const tw::tensor_of<float, 2, 3> a{tw::extents<2, 3>{}, values};
    CHECK(a(1, 0) == 4);
    CHECK(a.at(1, 2) == 6);
    CHECK_THROWS_AS(a.at(2, 0), tw::argument_error);
    REQUIRE_THROWS_WITH((tw::tensor_of<float, dyn, 2>{tw::extents<dyn, 2>{4}, values}),
                        ContainsSubstring("6 elements do not fit [4,2]"));
}

TEST_CASE("tensor: small static shapes live in the object, others on the heap") {
    STATIC_REQUIRE(tw::tensor_of<float, 64, 64>::is_inline);
    STATIC_REQUIRE_FALSE(tw::tensor_of<float, 64, 65>::is_inline);
    STATIC_REQUIRE_FALSE(tw::tensor_of<float, dyn>::is_inline);
    STATIC_REQUIRE(tw::tensor<float, tw::extents<256, 256>, tw::in_place>::is_inline);
    STATIC_REQUIRE_FALSE(tw::tensor<float, tw::extents<2>, std::pmr::polymorphic_allocator<float>>::is_inline);
    STATIC_REQUIRE(sizeof(tw::tensor_of<float, 16>) == 64);
    STATIC_REQUIRE(sizeof(tw::tensor_of<float, dyn, 8>) == 2 * sizeof(void*));
    tw::tensor_of<float, 16> a;
    CHECK(address(a.data()) == address(&a));
    tw::tensor_of<float, 100, 100> b; // static, on the heap
    CHECK(b(99, 99) == 0);
}

TEST_CASE("tensor: converts to views, mutable or not as it is itself") {
    tw::tensor_of<float, dyn, 4> a{2};
    a(1, 3) = 2;
    STATIC_REQUIRE(std::is_same_v<decltype(a.view()), tw::view<float, dyn, 4>>);
    STATIC_REQUIRE(std::is_same_v<decltype(a.cview()), tw::view<const float, dyn, 4>>);
    STATIC_REQUIRE(std::is_same_v<decltype(std::as_const(a).view()), tw::view<const float, dyn, 4>>);
    STATIC_REQUIRE(std::is_convertible_v<tw::tensor_of<float, 2, 4>&, tw::view<float, dyn, 4>>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<const tw::tensor_of<float, 2, 4>&, tw::view<float, dyn, 4>>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<tw::tensor_of<float, 2, 4>, tw::view<const float, 2, 4>>); // dangles
    CHECK(sum(a) == 2);
    const tw::tensor_of<float, 2, 4> fixed;
    CHECK(sum(fixed) == 0);
    const tw::view<float, dyn, 4> v = a;
    v(0, 0) = 5;
    CHECK(a(0, 0) == 5);
    a.row(0)(1) = 6;
    CHECK(std::as_const(a).row(0)(1) == 6);
    CHECK(a.view().slice<1>(0, 2)(0, 1) == 6);
}

TEST_CASE("tensor: copies are named, moves take the block") {
    using heap = tw::tensor_of<float, dyn>;
    using fixed = tw::tensor_of<float, 4>;
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<heap>);
    STATIC_REQUIRE_FALSE(std::is_copy_assignable_v<fixed>);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<heap>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<heap>);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<fixed>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<fixed>);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<pmr_tensor>);
    STATIC_REQUIRE_FALSE(std::is_nothrow_move_assignable_v<pmr_tensor>);

    heap a{4};
    a(2) = 3;
    heap b = a.clone();
    b(2) = 4;
    CHECK(a(2) == 3);
    const float* const data = a.data();
    heap c = std::move(a);
    CHECK(c.data() == data);
    CHECK(a.empty()); // NOLINT(bugprone-use-after-move)
    b = std::move(c);
    CHECK(b.data() == data);
    CHECK(b(2) == 3);
    a = heap{7};
    CHECK(a.size() == 7);
    std::swap(a, b);
    CHECK(a(2) == 3);

    fixed d;
    d(1) = 2;
    fixed e = std::move(d);
    CHECK(e(1) == 2);
    e = fixed{};
    CHECK(e(1) == 0);
}

TEST_CASE("tensor: uses the caller's allocator") {
    counting_resource one;
    counting_resource two;
    {
        pmr_tensor a{tw::extents<dyn, 3>{2}, &one};
        CHECK(one.live == 1);
        a(1, 2) = 5;
        pmr_tensor copy = a.clone();
        CHECK(one.live == 2);
        pmr_tensor elsewhere = a.clone(&two);
        CHECK(two.live == 1);
        CHECK(elsewhere(1, 2) == 5);

        pmr_tensor moved = std::move(a);
        CHECK(one.total == 2); // the block moved
        elsewhere = std::move(moved);
        CHECK(elsewhere.get_allocator().resource() == &two); // allocators stay, so the elements were copied
        CHECK(two.total == 2);
        CHECK(elsewhere(1, 2) == 5);
        copy = pmr_tensor{tw::extents<dyn, 3>{1}, &one};
        CHECK(copy.extent(0) == 1);

        std::pmr::vector<pmr_tensor> many{&one};
        many.emplace_back(tw::extents<dyn, 3>{4}); // uses-allocator construction
        CHECK(many.back().get_allocator().resource() == &one);
    }
    CHECK(one.live == 0);
    CHECK(two.live == 0);
}

TEST_CASE("tensor: a size that cannot be is refused before anything is allocated") {
    counting_resource resource;
    using bytes = tw::tensor<double, tw::extents<dyn>, std::pmr::polymorphic_allocator<double>>;
    CHECK_THROWS_AS((bytes{tw::extents<dyn>{std::uint64_t{1} << 61}, &resource}), tw::shape_error);
    CHECK_THROWS_AS((tw::tensor_of<float, dyn, dyn>{std::uint64_t{1} << 40, std::uint64_t{1} << 40}), tw::shape_error);
    CHECK_THROWS_AS((tw::tensor_of<float, dyn>{-1}), tw::shape_error);
    CHECK(resource.total == 0);
}

TEST_CASE("tensor: clone of a view keeps the shape and drops the layout") {
    const std::vector<float> values{1, 2, 3, 4, 5, 6};
    const tw::view<const float, dyn, 3> v{values, 2};
    const auto t = tw::clone(v.transpose());
    STATIC_REQUIRE(std::is_same_v<std::remove_const_t<decltype(t)>, tw::tensor_of<float, 3, dyn>>);
    CHECK(t(2, 1) == 6);
    CHECK(t(0, 1) == 4);
    CHECK(t.as_span()[1] == 4);
    CHECK(tw::clone(v.row(1).broadcast_to(tw::extents<2, 3>{}))(1, 2) == 6);
}

TEST_CASE("tensor: elements may be blocks, and uninitialised memory is asked for by name") {
    struct block {
        std::uint16_t scale;
        std::uint8_t codes[16];
    };
    tw::tensor_of<block, dyn, 2> t{3};
    CHECK(t(2, 1).codes[15] == 0);
    tw::tensor_of<block, dyn, 2> u{tw::uninitialized, tw::extents<dyn, 2>{3}};
    u(2, 1).scale = 1;
    CHECK(u(2, 1).scale == 1);
    tw::tensor<float, tw::extents<4>, tw::in_place> w{tw::uninitialized, {}};
    tw::fill(w.view(), 2.0F);
    CHECK(w(3) == 2);
}
