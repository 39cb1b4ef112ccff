// What lives while a chat template runs: the names of each scope, namespaces, macros, and the variable loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/jinja_ast.hpp>
#include <tokenworks/codec/jinja_machine.hpp>
#include <tokenworks/codec/jinja_operations.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja::detail {

/// The names that one loop round, macro call or block has set.
class scope: public object {
public:
    explicit scope(scope* around) : parent{around} {
        if(parent != nullptr) {
            parent->retain();
        }
    }
    ~scope() override {
        if(parent != nullptr) {
            parent->release();
        }
    }

    [[nodiscard]] const value* find(std::uint32_t name) const noexcept {
        for(const auto& [id, content]: names) {
            if(id == name) {
                return &content;
            }
        }
        return nullptr;
    }
    void set(std::uint32_t name, value content) {
        for(auto& [id, held]: names) {
            if(id == name) {
                held = std::move(content);
                return;
            }
        }
        names.emplace_back(name, std::move(content));
    }

    scope* const parent;
    std::vector<std::pair<std::uint32_t, value>> names;
};

/// A counted reference.
template <class Object>
class reference {
public:
    explicit reference(Object* taken) noexcept : held_{taken} {}
    reference(reference&& other) noexcept : held_{std::exchange(other.held_, nullptr)} {}
    reference& operator=(reference&&) = delete;
    ~reference() {
        if(held_ != nullptr) {
            held_->release();
        }
    }
    [[nodiscard]] Object* get() const noexcept { return held_; }
    Object* operator->() const noexcept { return held_; }

private:
    Object* held_;
};

/// Makes a new scope the current one for as long as it lives.
class inner_scope {
public:
    inner_scope(scope*& current, scope* around) : current_{current}, before_{current}, made_{new scope{around}} {
        current_ = made_.get();
    }
    ~inner_scope() { current_ = before_; }
    inner_scope(const inner_scope&) = delete;
    inner_scope& operator=(const inner_scope&) = delete;

private:
    scope*& current_;
    scope* before_;
    reference<scope> made_;
};

class space_object: public open_object {
public:
    bool attribute(machine&, std::string_view name, value& found) override {
        for(const auto& [key, content]: attributes) {
            if(key == name) {
                found = content;
                return true;
            }
        }
        return false;
    }
    void set(machine& m, std::string_view name, value content) {
        for(auto& [key, held]: attributes) {
            if(key == name) {
                held = std::move(content);
                return;
            }
        }
        if(name.starts_with('_')) {
            m.fail("a namespace takes no names that begin with an underscore");
        }
        m.need(name.size() + sizeof(attributes[0]));
        charge(m.used(), name.size() + sizeof(attributes[0]));
        attributes.emplace_back(name, std::move(content));
    }

    std::vector<std::pair<std::string, value>> attributes;
};

class macro_object: public open_object {
public:
    macro_object(std::uint32_t definition, std::string_view called, scope* around)
        : what{definition}, name{called}, where{around} {}

    bool attribute(machine& m, std::string_view asked, value& found) override {
        if(asked == "name") {
            found = m.make(name, true);
        }
        return asked == "name";
    }

    const std::uint32_t what;
    const std::string_view name;
    scope* const where; // the interpreter keeps it
};

/// Who can tell whether a loop's test lets an item through.
class loop_host {
public:
    loop_host() = default;
    loop_host(const loop_host&) = delete;
    loop_host& operator=(const loop_host&) = delete;
    virtual ~loop_host() = default;

    [[nodiscard]] virtual bool passes(const node& loop, const value& item, scope* around) = 0;
};

/// What a loop's body calls loop. Items that a test must let through are looked for when they are needed.
class loop_object: public open_object {
public:
    loop_object(loop_host& runner, const node& definition, value::list_type all, scope* around)
        : host_{&runner}, definition_{&definition}, source_{std::move(all)}, around_{around} {}

    // inline where it is declared: else every file that includes this one would hold the class.
    TOKENWORKS_FUNCTION bool attribute(machine& m, std::string_view name, value& found) override;
    /// Goes on to the next item; false at the end.
    bool advance();
    [[nodiscard]] const value& item() const noexcept { return ready_[at_ - 1]; }
    void finish() noexcept { host_ = nullptr; }
    /// loop.changed(...)
    bool changed(machine& m, value seen);
    [[nodiscard]] std::size_t rounds() const noexcept { return at_; }

private:
    bool fetch();

    loop_host* host_; // none after the loop
    const node* definition_;
    value::list_type source_;
    value::list_type ready_; // items that passed the test
    std::size_t source_at_ = 0;
    std::size_t at_ = 0; // of ready_, from 1 in the first round
    scope* around_;
    value last_seen_;
    bool has_seen_ = false;
};

#if TOKENWORKS_DEFINITIONS

/// In a function, as a file that includes this one and calls nothing is then spared them.
inline std::span<const builtin> all_loop_methods() {
    static constexpr builtin all[] = {
        {"cycle", "*", 0,
         [](machine& m, const value& self, const bound& given) {
             const value::list_type& choices = given.rest().plain;
             if(choices.empty()) {
                 m.fail("loop.cycle needs something to choose from");
             }
             return choices[(static_cast<loop_object&>(*self.shared()).rounds() - 1) % choices.size()];
         }},
        {"changed", "*", 0,
         [](machine& m, const value& self, const bound& given) {
             value seen = m.make_list(given.rest().plain, false, flavour::tuple);
             return truth_value(static_cast<loop_object&>(*self.shared()).changed(m, std::move(seen)));
         }},
    };
    return all;
}

TOKENWORKS_FUNCTION bool loop_object::fetch() {
    while(source_at_ < source_.size()) {
        const value& next = source_[source_at_++];
        if(definition_->c == 0 || (host_ != nullptr && host_->passes(*definition_, next, around_))) {
            ready_.push_back(next);
            return true;
        }
    }
    return false;
}

TOKENWORKS_FUNCTION bool loop_object::advance() {
    if(at_ == ready_.size() && !fetch()) {
        return false;
    }
    ++at_;
    return true;
}

TOKENWORKS_FUNCTION bool loop_object::changed(machine& m, value seen) {
    const bool is_new = !has_seen_ || !equal(m, last_seen_, seen);
    has_seen_ = true;
    last_seen_ = std::move(seen);
    return is_new;
}

TOKENWORKS_FUNCTION bool loop_object::attribute(machine& m, std::string_view name, value& found) {
    const auto index = static_cast<std::int64_t>(at_);
    const auto all = [&] {
        while(fetch()) {
            m.step();
        }
        return static_cast<std::int64_t>(ready_.size());
    };
    if(name == "index") {
        found = made_of(index);
    } else if(name == "index0") {
        found = made_of(index - 1);
    } else if(name == "first") {
        found = truth_value(index == 1);
    } else if(name == "last") {
        found = truth_value(at_ == ready_.size() && !fetch());
    } else if(name == "length") {
        found = made_of(all());
    } else if(name == "revindex") {
        found = made_of(all() - index + 1);
    } else if(name == "revindex0") {
        found = made_of(all() - index);
    } else if(name == "depth" || name == "depth0") {
        found = made_of(std::int64_t{name == "depth" ? 1 : 0});
    } else if(name == "previtem") {
        found = at_ > 1 ? ready_[at_ - 2] : m.undefined({"there is no previous item"});
    } else if(name == "nextitem") {
        found = at_ < ready_.size() || fetch() ? ready_[at_] : m.undefined({"there is no next item"});
    } else {
        for(const builtin& each: all_loop_methods()) {
            if(each.name == name) {
                retain();
                found = value::adopt(kind::method, new method_object{value::adopt(kind::loop, this), each});
                return true;
            }
        }
        return false;
    }
    return true;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja::detail
