// error: an arena holds trivial types of common alignment only
#include <string>

#include <tokenworks/core/arena.hpp>

namespace tw = tokenworks;

int main() {
    tw::arena scratch;
    const auto part = scratch.take<float>(4);
#if defined(TOKENWORKS_EXPECT_ERROR)
    static_cast<void>(scratch.take<std::string>(4));
#endif
    return part.size() == 4 ? 0 : 1;
}
