// What one run of a chat template may take, and the few things that every part of the interpreter needs: making values
// that count against the limits, failing with the line, the arguments of calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

/// A template is a program of a stranger. Each limit is a least amount, and more for each byte of the template and of
/// the values that it is given.
struct limits {
    std::size_t steps = 4'000'000; ///< nodes walked, items visited; a text counts one for 64 bytes
    std::size_t steps_per_byte = 256;
    std::size_t memory = std::size_t{16} << 20; ///< bytes that values hold at one time
    std::size_t memory_per_byte = 64;
    std::size_t output = std::size_t{1} << 20; ///< bytes
    std::size_t output_per_byte = 16;
    std::size_t depth = 600; ///< nodes within nodes, macros that call macros counted
};

class machine {
public:
    static constexpr std::size_t longest_range = 100'000; ///< jinja2.sandbox.MAX_RANGE

    /// @param input  bytes of the template and of the values
    machine(std::string name, const limits& bounds, std::size_t input)
        : name_{std::move(name)},
          steps_left_{bounds.steps + bounds.steps_per_byte * input},
          most_output_{bounds.output + bounds.output_per_byte * input},
          most_depth_{bounds.depth} {
        meter_.most = bounds.memory + bounds.memory_per_byte * input;
    }
    machine(const machine&) = delete;
    machine& operator=(const machine&) = delete;

    /// Of the template: where an error is.
    std::uint32_t line = 1;

    [[noreturn]] void fail(tokenworks::detail::message_parts what) const;
    [[noreturn]] void fail(const char* what) const;
    [[noreturn]] void over_limit(tokenworks::detail::message_parts what) const;

    void step(std::size_t count = 1) {
        if(count > steps_left_) {
            over_limit({"the template takes too many steps"});
        }
        steps_left_ -= count;
    }
    /// Room for so many more bytes, which are about to be made; counts the work of copying them too.
    void need(std::size_t bytes) {
        check(bytes);
        step(bytes / 64);
    }
    /// The same for a text under way that has grown to so many bytes: no work is counted.
    void check(std::size_t bytes) const {
        if(bytes > meter_.most || meter_.live > meter_.most - bytes) {
            over_limit({"the template takes more than ", meter_.most, " bytes of memory"});
        }
    }
    /// The same, of `count` things of `bytes` bytes.
    void need(std::size_t count, std::size_t bytes) {
        if(bytes != 0 && count > meter_.most / bytes) {
            over_limit({"the template takes more than ", meter_.most, " bytes of memory"});
        }
        need(count * bytes);
    }
    void check_output(std::size_t bytes) const {
        if(bytes > most_output_) {
            over_limit({"the template writes more than ", most_output_, " bytes"});
        }
    }
    /// Counts a level of nesting for as long as it lives.
    class level {
    public:
        explicit level(machine& m) : machine_{m} {
            if(++machine_.depth_ > machine_.most_depth_) {
                machine_.over_limit({"the template nests deeper than the limit of ", machine_.most_depth_});
            }
        }
        ~level() { --machine_.depth_; }
        level(const level&) = delete;
        level& operator=(const level&) = delete;

    private:
        machine& machine_;
    };

    [[nodiscard]] value make(text content, bool markup = false);
    [[nodiscard]] value make(std::string_view bytes, bool trusted) { return make(text{bytes, trusted}); }
    [[nodiscard]] value make_list(value::list_type items, bool tainted, flavour how = flavour::list);
    [[nodiscard]] value make_dict(std::vector<value::entry> unique_entries, bool tainted);
    /// With what an error says of it.
    [[nodiscard]] value undefined(tokenworks::detail::message_parts hint);
    /// Fails if the value is undefined, with its hint.
    void refuse_undefined(const value& v) const;
    /// Fails for a value of a type that is not what is needed.
    [[noreturn]] void refuse(std::string_view needed, const value& v) const;
    [[nodiscard]] meter& used() noexcept { return meter_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
    std::string name_;
    meter meter_;
    std::size_t steps_left_;
    std::size_t most_output_;
    std::size_t most_depth_;
    std::size_t depth_ = 0;
};

/// Numbers and truths that the template makes itself.
[[nodiscard]] inline value made_of(std::int64_t number, bool tainted = false) {
    return value{number}.with_taint(tainted);
}
[[nodiscard]] inline value made_of(double number, bool tainted) { return value{number}.with_taint(tainted); }
[[nodiscard]] inline value truth_value(bool holds) { return value{holds}.with_taint(false); }

/// As Python calls the type.
[[nodiscard]] std::string_view type_name(const value& v);

/// What a call is given.
struct arguments {
    value::list_type plain;
    std::vector<std::pair<std::string, value>> named;

    /// Takes the first one of this name out; false if there is none.
    [[nodiscard]] bool take(std::string_view name, value& found);
};

class bound;

/// A filter, test, method or function. Its parameters are a list of names, "old new count"; a "*" at the end takes what
/// else comes.
struct builtin {
    std::string_view name;
    std::string_view parameters;
    std::size_t required;
    value (*run)(machine& m, const value& self, const bound& given);
};

/// The arguments in the order of the parameters.
class bound {
public:
    bound(const machine& m, const builtin& callee, arguments given);

    [[nodiscard]] bool has(std::size_t i) const noexcept { return (present_ >> i & 1) != 0; }
    /// None for one that is not given.
    [[nodiscard]] const value& operator[](std::size_t i) const noexcept { return given_[i]; }
    [[nodiscard]] const arguments& rest() const noexcept { return rest_; }

    /// @throws template_error where an argument is of another type
    [[nodiscard]] std::int64_t integer(const machine& m, std::size_t i, std::int64_t otherwise) const;
    [[nodiscard]] const string_object& string(const machine& m, std::size_t i) const;

private:
    static constexpr std::size_t most = 4; // parameters

    value given_[most];
    unsigned present_ = 0; // a bit for each
    arguments rest_;
};

/// What has attributes of its own: namespaces, loops, macros.
class open_object: public object {
public:
    /// False for a name that it does not have.
    virtual bool attribute(machine& m, std::string_view name, value& found) = 0;
};

/// A method of a value, not called yet.
class method_object: public object {
public:
    method_object(value owner, const builtin& callee) : self{std::move(owner)}, what{callee} {}
    const value self;
    const builtin& what;
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION void machine::fail(tokenworks::detail::message_parts what) const {
    tokenworks::detail::raise<template_error>(name_, line, tokenworks::detail::message(what));
}

TOKENWORKS_FUNCTION void machine::fail(const char* what) const { fail({what, ""}); }

TOKENWORKS_FUNCTION void machine::over_limit(tokenworks::detail::message_parts what) const {
    tokenworks::detail::raise<limit_error>({name_, name_.empty() ? "" : ": ", "tokenizer.chat_template: line ", line,
                                            ": ", tokenworks::detail::message(what)});
}

TOKENWORKS_FUNCTION value machine::make(text content, bool markup) {
    const std::size_t bytes = content.heap_bytes() + sizeof(string_object);
    need(bytes);
    auto* const made = new string_object{std::move(content), markup};
    made->charge(meter_, bytes);
    return value::adopt(kind::string, made);
}

TOKENWORKS_FUNCTION value machine::make_list(value::list_type items, bool tainted, flavour how) {
    const std::size_t bytes = items.size() * sizeof(value) + sizeof(list_object);
    need(bytes);
    value made = value::list(std::move(items), how, tainted);
    made.shared()->charge(meter_, bytes);
    return made;
}

TOKENWORKS_FUNCTION value machine::make_dict(std::vector<value::entry> unique_entries, bool tainted) {
    const std::size_t bytes = unique_entries.size() * sizeof(value::entry) + sizeof(dict_object);
    need(bytes);
    value made = value::dict_of(std::move(unique_entries), tainted);
    made.shared()->charge(meter_, bytes);
    return made;
}

TOKENWORKS_FUNCTION value machine::undefined(tokenworks::detail::message_parts hint) {
    auto* const made = new undefined_object{tokenworks::detail::message(hint)};
    value result = value::adopt(kind::undefined, made);
    made->charge(meter_, sizeof(undefined_object) + made->hint.size());
    return result;
}

TOKENWORKS_FUNCTION void machine::refuse_undefined(const value& v) const {
    if(v.is(kind::undefined)) {
        fail({v.shared() != nullptr ? std::string_view{static_cast<const undefined_object*>(v.shared())->hint}
                                    : std::string_view{"a value is undefined"}});
    }
}

TOKENWORKS_FUNCTION void machine::refuse(std::string_view needed, const value& v) const {
    refuse_undefined(v);
    fail({needed, ", not a value of type ", type_name(v)});
}

TOKENWORKS_FUNCTION std::string_view type_name(const value& v) {
    switch(v.what()) {
    case kind::undefined:
        return "Undefined";
    case kind::none:
        return "NoneType";
    case kind::boolean:
        return "bool";
    case kind::integer:
        return "int";
    case kind::real:
        return "float";
    case kind::string:
        return v.string().markup ? "Markup" : "str";
    case kind::dict:
        return "dict";
    case kind::space:
        return "Namespace";
    case kind::macro:
        return "Macro";
    case kind::method:
    case kind::builtin:
        return "builtin_function_or_method";
    case kind::loop:
        return "LoopContext";
    case kind::list:
        break;
    }
    constexpr std::string_view names[] = {"list",        "tuple",      "range",    "dict_keys",
                                          "dict_values", "dict_items", "generator"};
    return names[static_cast<std::size_t>(v.how())];
}

TOKENWORKS_FUNCTION bool arguments::take(std::string_view name, value& found) {
    for(std::size_t i = 0; i < named.size(); ++i) {
        if(named[i].first == name) {
            found = std::move(named[i].second);
            named.erase(named.begin() + static_cast<std::ptrdiff_t>(i));
            return true;
        }
    }
    return false;
}

TOKENWORKS_FUNCTION bound::bound(const machine& m, const builtin& callee, arguments given) {
    std::size_t used = 0;
    std::size_t count = 0;
    bool takes_rest = false;
    for(std::string_view left = callee.parameters; !left.empty();) {
        const std::size_t end = left.find(' ');
        const std::string_view name = left.substr(0, end);
        left.remove_prefix(end == left.npos ? left.size() : end + 1);
        if(name == "*") {
            takes_rest = true;
            break;
        }
        value& found = given_[count];
        bool is_given = used < given.plain.size();
        if(is_given) {
            found = given.plain[used++];
        }
        if(given.take(name, found)) {
            if(is_given) {
                m.fail({callee.name, "() got two values for argument ", name});
            }
            is_given = true;
        }
        if(!is_given && count < callee.required) {
            m.fail({callee.name, "() needs the argument ", name});
        }
        present_ |= is_given ? 1U << count : 0U;
        ++count;
    }
    given.plain.erase(given.plain.begin(), given.plain.begin() + static_cast<std::ptrdiff_t>(used));
    if(!takes_rest && !given.named.empty()) {
        m.fail({callee.name, "() takes no argument ", tokenworks::detail::escaped(given.named[0].first)});
    }
    if(!takes_rest && !given.plain.empty()) {
        m.fail({callee.name, "() takes at most ", count, " arguments"});
    }
    rest_ = std::move(given);
}

TOKENWORKS_FUNCTION std::int64_t bound::integer(const machine& m, std::size_t i, std::int64_t otherwise) const {
    if(!has(i)) {
        return otherwise;
    }
    if(!given_[i].is(kind::integer) && !given_[i].is(kind::boolean)) {
        m.refuse("a number is needed", given_[i]);
    }
    return given_[i].integer();
}

TOKENWORKS_FUNCTION const string_object& bound::string(const machine& m, std::size_t i) const {
    if(!given_[i].is(kind::string)) {
        m.refuse("a string is needed", given_[i]);
    }
    return given_[i].string();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
