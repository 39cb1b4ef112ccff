// A program of somebody else's: two translation units that include everything.
#include <tokenworks/tokenworks.hpp>

#include <string_view>

std::string_view version_seen_by_the_other_unit();

#if defined(EXPECT_SEPARATE)
#if TOKENWORKS_DEFINITIONS
#error "tokenworks::compiled does not define TOKENWORKS_SEPARATE"
#endif
bool loads_report_a_missing_file();
bool products_agree();
#else
static bool loads_report_a_missing_file() { return true; }
static bool products_agree() { return true; }
#endif

int main() {
    if(!loads_report_a_missing_file() || !products_agree()) {
        return 1;
    }
    try {
        throw tokenworks::shape_error{"k has S=7, v has S=8"};
    } catch(const tokenworks::error& error) {
        const bool same = version_seen_by_the_other_unit() == TOKENWORKS_VERSION_STRING;
        return same && std::string_view{error.what()} == "k has S=7, v has S=8" ? 0 : 1;
    }
}
