// A reference to a callable: two pointers, no allocation. The callable must outlive the reference.
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
public:
    template <class Callable>
        requires(!std::same_as<std::remove_cvref_t<Callable>, function_ref> &&
                 std::is_invocable_r_v<Result, Callable&, Args...>)
    function_ref(Callable&& callable)
    noexcept // implicit, as a function parameter wants it
        : object_{const_cast<void*>(static_cast<const void*>(std::addressof(callable)))},
          call_{[](void* object, Args... args) -> Result {
              return (*static_cast<std::add_pointer_t<Callable>>(object))(std::forward<Args>(args)...);
          }} {}

    Result operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

private:
    void* object_;
    Result (*call_)(void*, Args...);
};

} // namespace tokenworks::inline TOKENWORKS_ABI
