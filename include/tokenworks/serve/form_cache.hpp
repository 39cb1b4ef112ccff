// Forms of answers as constraints, compiled once: a grammar, an expression, choices or a schema by its text.
//
//   serve::form_cache forms{[&](codec::grammar rules) { return model.bind(std::move(rules)); }};
//   options.constraint = forms.get(ask.form);                              // null where any answer will do
//
// Needs nlohmann-json (through generation_request.hpp).
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <tokenworks/codec/choices.hpp>
#include <tokenworks/codec/gbnf.hpp>
#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/json_schema.hpp>
#include <tokenworks/codec/regex_automaton.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/sampling/constraint.hpp>
#include <tokenworks/serve/generation_request.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::serve {

/// The grammar of a form. @pre form.what is not any
/// @throws what the parsers of codec throw: all of it is the client's doing
[[nodiscard]] inline codec::grammar grammar_of(const answer_form& form) {
    using kind = answer_form::kind;
    switch(form.what) {
    case kind::gbnf:
        return codec::parse_gbnf(form.text, "grammar");
    case kind::regex:
        return codec::parse_regex_grammar(form.text, "regex");
    case kind::json_schema:
        return codec::parse_json_schema(form.text, "schema");
    default:
        break;
    }
    return codec::choices(form.choices);
}

/// Any thread may call get().
class form_cache {
public:
    using constraint = std::shared_ptr<const sampling::constraint_source>;
    using binder = std::function<constraint(codec::grammar)>;

    /// @param most  forms that are kept, those of late
    explicit form_cache(binder bind, std::size_t most = 16) : bind_{std::move(bind)}, most_{most} {}

    [[nodiscard]] constraint get(const answer_form& form) {
        if(form.what == answer_form::kind::any) {
            return nullptr;
        }
        std::string key = form.key();
        {
            const std::lock_guard lock{mutex_};
            for(auto at = kept_.begin(); at != kept_.end(); ++at) {
                if(at->key == key) {
                    kept_.splice(kept_.begin(), kept_, at);
                    return at->made;
                }
            }
        }
        constraint made = bind_(grammar_of(form));
        const std::lock_guard lock{mutex_};
        kept_.push_front({std::move(key), made});
        if(kept_.size() > most_) {
            kept_.pop_back();
        }
        return made;
    }

private:
    struct entry {
        std::string key;
        constraint made;
    };

    binder bind_;
    std::size_t most_;
    std::mutex mutex_{};
    std::list<entry> kept_{};
};

} // namespace tokenworks::inline TOKENWORKS_ABI::serve
