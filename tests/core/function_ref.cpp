#include <tokenworks/core/function_ref.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;

static_assert(std::is_trivially_copyable_v<tw::function_ref<void()>>);
static_assert(sizeof(tw::function_ref<void()>) == 2 * sizeof(void*));
static_assert(std::is_nothrow_constructible_v<tw::function_ref<int(int)>, int (&)(int)>);
static_assert(!std::is_constructible_v<tw::function_ref<int(int)>, int>);
static_assert(!std::is_constructible_v<tw::function_ref<int(std::string)>, int (&)(int)>);
static_assert(!std::is_constructible_v<tw::function_ref<std::string(int)>, int (&)(int)>);

namespace {

int twice(int x) { return 2 * x; }

struct counter {
    int calls = 0;
    int operator()(int x) { return x + ++calls; }
};

int call(tw::function_ref<int(int)> f) { return f(20); }

} // namespace

TEST_CASE("function_ref: calls functions, lambdas and objects, without copying them", "[core]") {
    int outside = 1;
    CHECK(call([&](int x) { return x + ++outside; }) == 22);
    CHECK(outside == 2);
    CHECK(call(*&twice) == 40); // a function by reference, not its pointer

    counter own;
    const tw::function_ref<int(int)> ref{own};
    CHECK(ref(1) == 2);
    CHECK(ref(1) == 3);
    CHECK(own.calls == 2);
    const tw::function_ref<int(int)> copy = ref; // refers to the same object, not to the reference
    CHECK(copy(1) == 4);
    CHECK(own.calls == 3);

    const auto constant = [](int x) { return x - 1; };
    CHECK(call(constant) == 19);
}

TEST_CASE("function_ref: arguments and results of every kind pass through", "[core]") {
    auto take = [](std::unique_ptr<int> p) { return std::make_unique<int>(*p + 1); };
    const tw::function_ref<std::unique_ptr<int>(std::unique_ptr<int>)> moved{take};
    CHECK(*moved(std::make_unique<int>(4)) == 5);

    auto change = [](std::string& text) -> std::string& { return text += "!"; };
    std::string text = "a";
    const tw::function_ref<std::string&(std::string&)> by_reference{change};
    CHECK(&by_reference(text) == &text);
    CHECK(text == "a!");

    auto narrow = [](double x) { return static_cast<short>(x); };
    CHECK(tw::function_ref<long(int)>{narrow}(7) == 7L);
}

TEST_CASE("function_ref: allocates nothing", "[core]") {
    const std::string captured(100, 'x');
    std::size_t length = 0;
    CHECK(support::allocations_during([&] {
              length = 0;
              auto f = [&](int x) { return x + static_cast<int>(captured.size()); };
              length = static_cast<std::size_t>(call(f));
          }) == 0);
    CHECK(length == 120);
}
