// A reference to a callable, or a pointer to a function: two words, no allocation. An object must outlive the
// reference.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI {

template <class Signature>
class function_ref;

template <class Result, class... Args>
class function_ref<Result(Args...)> {
    union target {
        void* object;
        Result (*function)(Args...);
    };

public:
    /// To an object with operator(), such as a lambda.
    template <class Callable>
        requires(!std::same_as<std::remove_cvref_t<Callable>, function_ref> &&
                 !std::convertible_to<Callable, Result (*)(Args...)> &&
                 std::is_invocable_r_v<Result, Callable&, Args...>)
    function_ref(Callable&& callable)
    noexcept // NOLINT(*-explicit-*): a parameter type
        : target_{.object = const_cast<void*>(static_cast<const void*>(std::addressof(callable)))},
          call_{[](target to, Args... args) -> Result {
              return (*static_cast<std::add_pointer_t<Callable>>(to.object))(std::forward<Args>(args)...);
          }} {}

    /// To a function, or a lambda without captures.
    function_ref(Result (*function)(Args...)) noexcept // NOLINT(*-explicit-*)
        : target_{.function = function}, call_{[](target to, Args... args) -> Result {
              return to.function(std::forward<Args>(args)...);
          }} {}
    template <std::convertible_to<Result (*)(Args...)> Callable>
        requires(!std::same_as<std::remove_cvref_t<Callable>, Result (*)(Args...)>)
    function_ref(Callable&& callable)
    noexcept // NOLINT(*-explicit-*)
        : function_ref{static_cast<Result (*)(Args...)>(callable)} {}

    Result operator()(Args... args) const { return call_(target_, std::forward<Args>(args)...); }

private:
    target target_;
    Result (*call_)(target, Args...);
};

} // namespace tokenworks::inline TOKENWORKS_ABI
