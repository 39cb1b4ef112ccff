// What tests of the parts of chat templates share: a machine, and results as text.
#pragma once

#include <string>
#include <utility>

#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_print.hpp>
#include <tokenworks/codec/jinja_text.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/core/error.hpp>

namespace jinja_run {

namespace jinja = tokenworks::codec::jinja;

/// A text, untrusted parts in brackets.
inline std::string trust(const jinja::text& t) {
    std::string out;
    std::size_t from = 0;
    for(const jinja::text::run& run: t.runs()) {
        const std::string part{t.view().substr(from, run.end - from)};
        out += run.trusted ? part : "[" + part + "]";
        from = run.end;
    }
    return out;
}

/// A value as Python's repr() has it; a generator as what is left of it.
inline std::string shown(jinja::machine& m, const jinja::value& v) {
    jinja::text out;
    if(v.is(jinja::kind::list) && v.how() == jinja::flavour::generator) {
        append_repr(m, out, m.make_list(items_of(m, v), false));
        return "generator " + std::string{out.view()};
    }
    append_repr(m, out, v);
    return std::string{out.view()};
}

/// What an error says behind its place; "accepted" where there is none.
template <class Call>
std::string refusal(Call&& call) {
    try {
        call();
    } catch(const tokenworks::template_error& problem) {
        return problem.said();
    } catch(const tokenworks::error& problem) {
        const std::string all = problem.what();
        return all.substr(all.find("line 1: ") + 8);
    }
    return "accepted";
}

} // namespace jinja_run
