// A unit that compiles what it uses, in a program whose other units do not.
#undef TOKENWORKS_SEPARATE
#include "product.hpp"

static_assert(TOKENWORKS_DEFINITIONS);

std::array<float, 2> product_of_the_header_only_unit();
std::array<float, 2> product_of_the_header_only_unit() { return product(); }
