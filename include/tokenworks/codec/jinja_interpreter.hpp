// Runs a parsed chat template.
//
// Scopes are looked through by name while the template runs; Jinja resolves names when it compiles, with the same
// result. Loops, macros and blocks have scopes of their own, `if` has none. What a template does is bounded by machine:
// steps, memory, output, and how deep nodes nest while they run, macros that call themselves included.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_arithmetic.hpp>
#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_filters.hpp>
#include <tokenworks/codec/jinja_functions.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_methods.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_print.hpp>
#include <tokenworks/codec/jinja_scope.hpp>
#include <tokenworks/codec/jinja_tests.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

using variables = std::vector<std::pair<std::string, value>>;

/// What a template makes of these variables.
/// @param source_bytes  of the template, for the limits
/// @param now           for strftime_now: seconds since 1970 on the caller's clock; else the system's, in UTC
/// @param name          the file, for messages
/// @throws template_error, limit_error
[[nodiscard]] text run(const program& code, std::size_t source_bytes, const variables& given,
                       std::optional<std::int64_t> now, const std::string& name, const limits& bounds = {});

#if TOKENWORKS_DEFINITIONS

namespace detail {

class interpreter final: public loop_host {
public:
    interpreter(const program& code, machine& m, std::int64_t now)
        : code_{code},
          m_{m},
          loop_name_{code.find("loop")},
          caller_name_{code.find("caller")},
          kwargs_name_{code.find("kwargs")},
          varargs_name_{code.find("varargs")},
          functions_{m, now} {}
    interpreter(const interpreter&) = delete;
    interpreter& operator=(const interpreter&) = delete;

    [[nodiscard]] text run(const variables& given);
    /// Whether a loop's test lets an item through.
    [[nodiscard]] TOKENWORKS_FUNCTION bool passes(const node& loop, const value& item, scope* around) override;

private:
    enum class flow : std::uint8_t { on, stop, next };

    // Statements
    flow exec(std::uint32_t index);
    flow exec_sequence(const node& n);
    flow exec_branch(const node& n);
    flow exec_loop(const node& n);
    void exec_assign_block(const node& n);
    void exec_call_block(const node& n, std::uint32_t index);
    void exec_filter_block(const node& n);
    flow exec_with(const node& n);
    void emit(const value& v);
    void assign(std::uint32_t target, const value& content);
    [[nodiscard]] text captured(std::uint32_t body);
    [[nodiscard]] value filtered(const text& content, std::uint32_t through);
    [[nodiscard]] value make_macro(std::uint32_t index, std::string_view name);

    // Expressions
    value eval(std::uint32_t index);
    value eval_name(const node& n);
    value eval_list(const node& n);
    value eval_dict(const node& n);
    value eval_item(const node& n);
    value eval_call(const node& n, const value* caller);
    value eval_filter(const node& n);
    value eval_test(const node& n);
    value eval_compare(const node& n);
    value eval_concat(const node& n);
    value eval_binary(const node& n);
    arguments eval_arguments(const node& n);
    void unpack_dict(arguments& given, const value& dict);
    value call(const value& callee, arguments given);
    value call_macro(const macro_object& callee, arguments given);

    /// Sets a name that the interpreter gives, if the template speaks of it.
    void set_special(std::uint32_t name, value content) {
        if(name != program::no_name) {
            scope_->set(name, std::move(content));
        }
    }

    const program& code_;
    machine& m_;
    std::uint32_t loop_name_;
    std::uint32_t caller_name_;
    std::uint32_t kwargs_name_;
    std::uint32_t varargs_name_;
    std::vector<reference<scope>> kept_; // where macros were defined
    template_functions functions_;
    scope* scope_ = nullptr;
    text* out_ = nullptr;
    const text* held_ = nullptr; // what a filter block holds
    bool to_output_ = true;
};

TOKENWORKS_FUNCTION text interpreter::run(const variables& given) {
    const inner_scope inputs{scope_, nullptr};
    for(const auto& [name, content]: given) {
        set_special(code_.find(name), content);
    }
    const inner_scope root{scope_, scope_};
    text out;
    out_ = &out;
    (void)exec(code_.root);
    return out;
}

TOKENWORKS_FUNCTION bool interpreter::passes(const node& loop, const value& item, scope* around) {
    const inner_scope round{scope_, around};
    assign(loop.a, item);
    return is_true(eval(loop.c));
}

TOKENWORKS_FUNCTION void interpreter::emit(const value& v) {
    append_str(m_, *out_, v);
    if(to_output_) {
        m_.check_output(out_->size());
    } else {
        m_.check(out_->size());
    }
}

// What a body writes, in a scope of its own.
TOKENWORKS_FUNCTION text interpreter::captured(std::uint32_t body) {
    text made;
    text* const before = std::exchange(out_, &made);
    const bool was_output = std::exchange(to_output_, false);
    (void)exec(body);
    out_ = before;
    to_output_ = was_output;
    return made;
}

TOKENWORKS_FUNCTION interpreter::flow interpreter::exec(std::uint32_t index) {
    const node& n = code_.at(index);
    const machine::level deeper{m_};
    m_.step();
    m_.line = n.line;
    switch(n.what) {
    case op::sequence:
        return exec_sequence(n);
    case op::data:
        emit(n.constant);
        return flow::on;
    case op::print:
        emit(eval(n.a));
        return flow::on;
    case op::assign:
        assign(n.a, eval(n.b));
        return flow::on;
    case op::assign_block:
        exec_assign_block(n);
        return flow::on;
    case op::branch:
        return exec_branch(n);
    case op::loop:
        return exec_loop(n);
    case op::macro:
        scope_->set(n.name, make_macro(index, code_.names[n.name]));
        return flow::on;
    case op::call_block:
        exec_call_block(n, index);
        return flow::on;
    case op::filter_block:
        exec_filter_block(n);
        return flow::on;
    case op::with:
        return exec_with(n);
    case op::scope: {
        const inner_scope block{scope_, scope_};
        return exec(n.a);
    }
    case op::stop:
        return flow::stop;
    default:
        return flow::next;
    }
}

TOKENWORKS_FUNCTION interpreter::flow interpreter::exec_sequence(const node& n) {
    for(std::uint32_t i = 0; i < n.count; ++i) {
        const flow then = exec(code_.child(n, i));
        if(then != flow::on) {
            return then;
        }
    }
    return flow::on;
}

TOKENWORKS_FUNCTION interpreter::flow interpreter::exec_branch(const node& n) {
    for(std::uint32_t i = 0; i < n.count; i += 2) {
        if(is_true(eval(code_.child(n, i)))) {
            return exec(code_.child(n, i + 1));
        }
    }
    return n.c != 0 ? exec(n.c) : flow::on;
}

TOKENWORKS_FUNCTION interpreter::flow interpreter::exec_loop(const node& n) {
    auto* const loop = new loop_object{*this, n, items_of(m_, eval(n.b)), scope_};
    const value held = value::adopt(kind::loop, loop);
    scope* const around = scope_;
    bool finished = false; // one round ran to its end: break and continue do not count
    while(loop->advance()) {
        m_.step();
        const inner_scope round{scope_, around};
        set_special(loop_name_, held);
        assign(n.a, loop->item());
        const flow then = exec(code_.child(n, 0));
        finished = finished || then == flow::on;
        if(then == flow::stop) {
            break;
        }
    }
    loop->finish();
    return !finished && n.count > 1 ? exec(code_.child(n, 1)) : flow::on;
}

// What filters make of the text of a block.
TOKENWORKS_FUNCTION value interpreter::filtered(const text& content, std::uint32_t through) {
    const text* const before = std::exchange(held_, &content);
    value made = eval(through);
    held_ = before;
    return made;
}

TOKENWORKS_FUNCTION void interpreter::exec_assign_block(const node& n) {
    value made;
    {
        const inner_scope block{scope_, scope_};
        text content = captured(n.c);
        made = n.b == 0 ? m_.make(std::move(content)) : filtered(content, n.b);
    }
    assign(n.a, made);
}

TOKENWORKS_FUNCTION void interpreter::exec_filter_block(const node& n) {
    const inner_scope block{scope_, scope_};
    const text content = captured(n.a);
    emit(filtered(content, n.b));
}

TOKENWORKS_FUNCTION interpreter::flow interpreter::exec_with(const node& n) {
    value::list_type contents;
    for(std::uint32_t i = 0; i < n.count; i += 2) {
        contents.push_back(eval(code_.child(n, i + 1)));
    }
    const inner_scope block{scope_, scope_};
    for(std::uint32_t i = 0; i < n.count; i += 2) {
        assign(code_.child(n, i), contents[i / 2]);
    }
    return exec(n.a);
}

TOKENWORKS_FUNCTION value interpreter::make_macro(std::uint32_t index, std::string_view name) {
    if(kept_.empty() || (kept_.front().get() != scope_ && kept_.back().get() != scope_)) {
        m_.need(sizeof(scope));
        scope_->retain();
        kept_.emplace_back(scope_);
        scope_->charge(m_.used(), sizeof(scope) + scope_->names.size() * sizeof(scope_->names[0]));
    }
    auto* const made = new macro_object{index, name, scope_};
    made->charge(m_.used(), sizeof(macro_object));
    return value::adopt(kind::macro, made);
}

TOKENWORKS_FUNCTION void interpreter::exec_call_block(const node& n, std::uint32_t index) {
    const value caller = make_macro(index, "caller");
    emit(eval_call(code_.at(n.b), &caller));
}

TOKENWORKS_FUNCTION void interpreter::assign(std::uint32_t target, const value& content) {
    const node& n = code_.at(target);
    if(n.what == op::name) {
        scope_->set(n.name, content);
        return;
    }
    if(n.what == op::member) {
        const value owner = eval(n.a);
        if(!owner.is(kind::space)) {
            m_.fail("cannot assign attribute on non-namespace object");
        }
        static_cast<space_object&>(*owner.shared()).set(m_, code_.names[n.name], content);
        return;
    }
    const value::list_type parts = items_of(m_, content);
    if(parts.size() != n.count) {
        m_.fail({"a value of ", parts.size(), " items cannot be unpacked to ", n.count, " names"});
    }
    for(std::uint32_t i = 0; i < n.count; ++i) {
        assign(code_.child(n, i), parts[i]);
    }
}

TOKENWORKS_FUNCTION value interpreter::eval(std::uint32_t index) {
    const node& n = code_.at(index);
    const machine::level deeper{m_};
    m_.step();
    m_.line = n.line;
    switch(n.what) {
    case op::constant:
        return n.constant;
    case op::name:
        return eval_name(n);
    case op::list:
    case op::tuple:
        return eval_list(n);
    case op::dict:
        return eval_dict(n);
    case op::attribute:
        return get_attribute(m_, eval(n.a), code_.names[n.name]);
    case op::item:
        return eval_item(n);
    case op::call:
        return eval_call(n, nullptr);
    case op::filter:
        return eval_filter(n);
    case op::test:
        return eval_test(n);
    case op::negative:
        return negative(m_, eval(n.a));
    case op::positive: {
        const value v = eval(n.a);
        return arithmetic(m_, op::add, made_of(std::int64_t{0}), v);
    }
    case op::negation:
        return truth_value(!is_true(eval(n.a)));
    case op::concat:
        return eval_concat(n);
    case op::both: {
        value left = eval(n.a);
        return is_true(left) ? eval(n.b) : left;
    }
    case op::either: {
        value left = eval(n.a);
        return is_true(left) ? left : eval(n.b);
    }
    case op::choice:
        if(is_true(eval(n.a))) {
            return eval(n.b);
        }
        return n.c != 0 ? eval(n.c) : m_.undefined({"an inline if has no else and its condition is false"});
    case op::compare:
        return eval_compare(n);
    default:
        return eval_binary(n);
    }
}

TOKENWORKS_FUNCTION value interpreter::eval_name(const node& n) {
    for(const scope* at = scope_; at != nullptr; at = at->parent) {
        if(const value* const found = at->find(n.name)) {
            return *found;
        }
    }
    const std::string& name = code_.names[n.name];
    for(std::size_t i = 0; i < std::size(functions); ++i) {
        if(functions[i] == name) {
            return value::adopt(kind::builtin, new function_object{static_cast<function>(i)});
        }
    }
    return m_.undefined({"'", tokenworks::detail::escaped(name), "' is undefined"});
}

TOKENWORKS_FUNCTION value interpreter::eval_list(const node& n) {
    value::list_type items;
    items.reserve(n.count);
    for(std::uint32_t i = 0; i < n.count; ++i) {
        items.push_back(eval(code_.child(n, i)));
    }
    return m_.make_list(std::move(items), false, n.what == op::tuple ? flavour::tuple : flavour::list);
}

TOKENWORKS_FUNCTION value interpreter::eval_dict(const node& n) {
    std::vector<value::entry> entries;
    for(std::uint32_t i = 0; i < n.count; i += 2) {
        value key = eval(code_.child(n, i));
        put(m_, entries, std::move(key), eval(code_.child(n, i + 1)));
    }
    return m_.make_dict(std::move(entries), false);
}

TOKENWORKS_FUNCTION value interpreter::eval_item(const node& n) {
    const value of = eval(n.a);
    const node& key = code_.at(n.b);
    if(key.what != op::slice) {
        return get_item(m_, of, eval(n.b));
    }
    const value first = key.a != 0 ? eval(key.a) : value{};
    const value last = key.b != 0 ? eval(key.b) : value{};
    return slice(m_, of, first, last, key.c != 0 ? eval(key.c) : value{});
}

TOKENWORKS_FUNCTION void interpreter::unpack_dict(arguments& given, const value& dict) {
    if(!dict.is(kind::dict)) {
        m_.fail({"** needs a dict, not a value of type ", type_name(dict)});
    }
    for(const value::entry& each: dict.entries()) {
        if(!each.first.is(kind::string)) {
            m_.fail("** needs keys that are strings");
        }
        given.named.emplace_back(each.first.view(), each.second);
    }
}

TOKENWORKS_FUNCTION arguments interpreter::eval_arguments(const node& n) {
    arguments given;
    for(std::uint32_t i = 0; i < n.count; ++i) {
        const node& each = code_.at(code_.child(n, i));
        if(each.what == op::keyword) {
            given.named.emplace_back(code_.names[each.name], eval(each.a));
        } else if(each.what == op::unpack) {
            for(value& item: items_of(m_, eval(each.a))) {
                given.plain.push_back(std::move(item));
            }
        } else if(each.what == op::unpack_dict) {
            unpack_dict(given, eval(each.a));
        } else {
            given.plain.push_back(eval(code_.child(n, i)));
        }
    }
    m_.line = n.line;
    return given;
}

TOKENWORKS_FUNCTION value interpreter::eval_call(const node& n, const value* caller) {
    const value callee = eval(n.a);
    arguments given = eval_arguments(n);
    if(caller != nullptr) {
        given.named.emplace_back("caller", *caller);
    }
    return call(callee, std::move(given));
}

TOKENWORKS_FUNCTION value interpreter::call(const value& callee, arguments given) {
    switch(callee.what()) {
    case kind::method: {
        const auto& method = static_cast<const method_object&>(*callee.shared());
        return method.what.run(m_, method.self, bound{m_, method.what, std::move(given)});
    }
    case kind::macro:
        return call_macro(static_cast<const macro_object&>(*callee.shared()), std::move(given));
    case kind::builtin:
        return functions_.call(static_cast<const function_object&>(*callee.shared()).which, given);
    default:
        m_.refuse_undefined(callee);
        m_.fail({"a value of type ", type_name(callee), " cannot be called"});
    }
}

// By Macro.__call__ of jinja2/runtime.py.
TOKENWORKS_FUNCTION value interpreter::call_macro(const macro_object& callee, arguments given) {
    const node& n = code_.at(callee.what);
    const std::uint32_t line = m_.line;
    const inner_scope body{scope_, callee.where};
    std::size_t used = 0;
    std::vector<std::uint32_t> absent;
    bool named_caller = false;
    for(std::uint32_t i = 0; i < n.count; ++i) {
        const node& parameter = code_.at(code_.child(n, i));
        const std::string& name = code_.names[parameter.name];
        value found;
        named_caller = named_caller || name == "caller";
        if(used < given.plain.size()) {
            scope_->set(parameter.name, given.plain[used++]);
        } else if(given.take(name, found)) {
            scope_->set(parameter.name, std::move(found));
        } else {
            absent.push_back(i);
        }
    }
    if((n.flags & node::takes_caller) != 0 && !named_caller) {
        value caller;
        set_special(caller_name_,
                    given.take("caller", caller) ? std::move(caller) : m_.undefined({"No caller defined"}));
    }
    if((n.flags & node::takes_kwargs) != 0) {
        std::vector<value::entry> entries;
        put_named(m_, entries, given);
        set_special(kwargs_name_, m_.make_dict(std::move(entries), false));
    } else if(!given.named.empty()) {
        m_.fail(
            {"macro ", callee.name, " takes no keyword argument ", tokenworks::detail::escaped(given.named[0].first)});
    }
    if((n.flags & node::takes_varargs) != 0) {
        const auto begin = given.plain.begin() + static_cast<std::ptrdiff_t>(used);
        set_special(varargs_name_, m_.make_list({begin, given.plain.end()}, false, flavour::tuple));
    } else if(used < given.plain.size()) {
        m_.fail({"macro ", callee.name, " takes not more than ", n.count, " argument(s)"});
    }
    for(const std::uint32_t i: absent) {
        const node& parameter = code_.at(code_.child(n, i));
        value content = parameter.a != 0
                            ? eval(parameter.a)
                            : m_.undefined({"parameter '", code_.names[parameter.name], "' was not provided"});
        scope_->set(parameter.name, std::move(content));
    }
    value made = m_.make(captured(n.a));
    m_.line = line;
    return made;
}

TOKENWORKS_FUNCTION value interpreter::eval_filter(const node& n) {
    const value of = n.a != 0 ? eval(n.a) : m_.make(*held_);
    arguments given = eval_arguments(n);
    return run_filter(m_, code_.names[n.name], of, std::move(given));
}

TOKENWORKS_FUNCTION value interpreter::eval_test(const node& n) {
    const value of = eval(n.a);
    arguments given = eval_arguments(n);
    return truth_value(run_test(m_, code_.names[n.name], of, std::move(given)));
}

TOKENWORKS_FUNCTION value interpreter::eval_compare(const node& n) {
    value left = eval(n.a);
    for(std::uint32_t i = 0; i < n.count; ++i) {
        const node& operand = code_.at(code_.child(n, i));
        value right = eval(operand.a);
        if(!compare(m_, operand.what, left, right)) {
            return truth_value(false);
        }
        left = std::move(right);
    }
    return truth_value(true);
}

TOKENWORKS_FUNCTION value interpreter::eval_concat(const node& n) {
    text joined;
    for(std::uint32_t i = 0; i < n.count; ++i) {
        append_str(m_, joined, eval(code_.child(n, i)));
        m_.check(joined.size());
    }
    return m_.make(std::move(joined));
}

TOKENWORKS_FUNCTION value interpreter::eval_binary(const node& n) {
    const value left = eval(n.a);
    const value right = eval(n.b);
    m_.line = n.line;
    if(n.what == op::modulo && left.is(kind::string)) {
        return m_.make(format_percent(m_, left.string(), right), left.string().markup);
    }
    return arithmetic(m_, n.what, left, right);
}

} // namespace detail

TOKENWORKS_FUNCTION text run(const program& code, std::size_t source_bytes, const variables& given,
                             std::optional<std::int64_t> now, const std::string& name, const limits& bounds) {
    if(!now) {
        const auto since = std::chrono::system_clock::now().time_since_epoch();
        now = std::chrono::duration_cast<std::chrono::seconds>(since).count();
    }
    std::size_t input = source_bytes;
    for(const auto& each: given) {
        input += size_of(each.second);
    }
    machine m{name, bounds, input};
    detail::interpreter runner{code, m, *now};
    return runner.run(given);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
