// What the tests of requests share.
#pragma once

#include <string>

#include <tokenworks/core/error.hpp>

namespace serve_test {

/// The field that a format_error names; a word where none came.
template <class Call>
std::string field_refused(const Call& call) {
    try {
        call();
    } catch(const tokenworks::format_error& wrong) {
        return wrong.field();
    }
    return "(accepted)";
}

} // namespace serve_test
