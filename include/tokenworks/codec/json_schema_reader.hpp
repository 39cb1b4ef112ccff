// Reads a JSON Schema: what its keywords ask of one value, taken together. codec/json_schema.hpp makes grammars of it,
// and tells which keywords there are.
//
// Schemas that hold for one value form a conjunction; each way to satisfy it, with one branch of every choice, is a
// shape.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/byte_automaton.hpp>
#include <tokenworks/codec/gbnf.hpp>
#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/codec/json_formats.hpp>
#include <tokenworks/codec/json_numbers.hpp>
#include <tokenworks/codec/json_text.hpp>
#include <tokenworks/codec/regex_automaton.hpp>
#include <tokenworks/codec/template_json.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::detail {

#if TOKENWORKS_DEFINITIONS

class json_schema_reader {
public:
    json_schema_reader(std::string_view text, std::string name)
        : name_{std::move(name)}, root_{parse_template_json(text, name_)} {
        if(text.size() > longest_grammar_text) {
            tokenworks::detail::raise<limit_error>(
                {name_, ": a schema of ", text.size(), " bytes; the limit is ", longest_grammar_text});
        }
    }

protected:
    using value = jinja::value;
    using conjunction = std::vector<const value*>; // schemas that hold together, by their places
    enum type : unsigned { null = 1, boolean = 2, number = 4, string = 8, array = 16, object = 32, all_types = 63 };
    static constexpr std::size_t most_shapes = 2000; // of one value
    static constexpr std::uint64_t most_counted = 100'000'000;

    /// One way to satisfy a conjunction, without choices.
    struct shape {
        unsigned types = all_types;
        number_rules numbers;
        std::uint64_t least_length = 0, most_length = grammar::unbounded;
        std::vector<std::pair<std::string, bool>> patterns; // an expression, and whether it is a format
        std::uint64_t least_items = 0, most_items = grammar::unbounded;
        conjunction arrays; // schemas with prefixItems or items
        std::uint64_t least_members = 0, most_members = grammar::unbounded;
        conjunction objects; // schemas with properties or the like
        std::vector<std::string> required;
        std::optional<std::vector<value>> literals;
    };

    [[noreturn]] TOKENWORKS_COLD void wrong(std::string_view keyword, std::string_view what) const {
        tokenworks::detail::raise_format(name_, {keyword}, format_error::no_offset, {what});
    }
    [[noreturn]] TOKENWORKS_COLD void unknown(std::string_view keyword, std::string_view what = "") const {
        tokenworks::detail::raise<unsupported_error>(
            {name_, ": '", tokenworks::detail::escaped(keyword), "' cannot be enforced", what});
    }

    // Reading values of keywords.
    [[nodiscard]] const value* find(const value& schema, std::string_view key) const {
        if(schema.is(jinja::kind::dict)) {
            for(const auto& [k, v]: schema.entries()) {
                if(k.view() == key) {
                    return &v;
                }
            }
        }
        return nullptr;
    }
    [[nodiscard]] std::uint64_t count_of(const value& v, std::string_view keyword) const {
        const double x = v.is(jinja::kind::integer) ? static_cast<double>(v.integer())
                         : v.is(jinja::kind::real)  ? v.real()
                                                    : -1.0;
        if(x < 0 || x > static_cast<double>(most_counted) || x != static_cast<double>(static_cast<std::uint64_t>(x))) {
            wrong(keyword, "is no whole number from 0 to 100000000");
        }
        return static_cast<std::uint64_t>(x);
    }
    [[nodiscard]] decimal number_of(const value& v, std::string_view keyword) const {
        if(v.is(jinja::kind::integer)) {
            return decimal::parse(std::to_string(v.integer()));
        }
        if(!v.is(jinja::kind::real)) {
            wrong(keyword, "is no number");
        }
        return decimal::of(v.real());
    }
    [[nodiscard]] const value::list_type& list_of(const value& v, std::string_view keyword) const {
        if(!v.is(jinja::kind::list)) {
            wrong(keyword, "is no array");
        }
        return v.items();
    }
    [[nodiscard]] std::string_view text_of(const value& v, std::string_view keyword) const {
        if(!v.is(jinja::kind::string)) {
            wrong(keyword, "is no string");
        }
        return v.view();
    }
    [[nodiscard]] unsigned type_of(std::string_view called, bool& whole) const {
        constexpr std::pair<std::string_view, unsigned> names[] = {
            {"null", null},     {"boolean", boolean}, {"number", number}, {"integer", number},
            {"string", string}, {"array", array},     {"object", object}};
        for(const auto& [n, t]: names) {
            if(n == called) {
                whole = whole || n == "integer";
                return t;
            }
        }
        wrong("type", "is no type");
    }

    /// What a $ref points to: a path in this document.
    [[nodiscard]] const value* target_of(std::string_view ref) const {
        if(!ref.starts_with("#") || (ref.size() > 1 && ref[1] != '/')) {
            unknown("$ref", ": only paths in the same document, such as #/$defs/name, are followed");
        }
        const value* at = &root_;
        for(std::size_t begin = 1; begin < ref.size();) {
            const std::size_t end = std::min(ref.find('/', begin + 1), ref.size());
            std::string key;
            for(std::size_t i = begin + 1; i < end; ++i) {
                unsigned code = 0;
                if(ref[i] == '%' && i + 2 < end &&
                   std::from_chars(ref.data() + i + 1, ref.data() + i + 3, code, 16).ptr == ref.data() + i + 3) {
                    key += static_cast<char>(static_cast<unsigned char>(code));
                    i += 2;
                } else if(ref[i] == '~' && i + 1 < end && (ref[i + 1] == '0' || ref[i + 1] == '1')) {
                    key += ref[++i] == '0' ? '~' : '/';
                } else {
                    key += ref[i];
                }
            }
            const value* next = find(*at, key);
            if(at->is(jinja::kind::list)) {
                std::size_t index = 0;
                const auto read = std::from_chars(key.data(), key.data() + key.size(), index);
                next = read.ec == std::errc{} && read.ptr == key.data() + key.size() && index < at->items().size()
                           ? &at->items()[index]
                           : nullptr;
            }
            if(next == nullptr) {
                wrong("$ref", "points to nothing: " + printable(ref));
            }
            at = next;
            begin = end;
        }
        return at;
    }

    // From conjunctions to shapes.
    struct pending {
        const value* schema;
        std::vector<const value*> from; // the schemas that led here without taking a value
    };
    struct work {
        std::vector<pending> open;
        std::vector<std::vector<pending>> choices;
        std::set<const value*> seen;
        shape made;
    };

    [[nodiscard]] std::vector<shape> shapes_of(const conjunction& parts) {
        std::vector<shape> out;
        std::vector<work> all(1);
        for(const value* p: parts) {
            all.front().open.push_back({p, {}});
        }
        for(std::size_t steps = 0; !all.empty(); ++steps) {
            if(steps > 50 * most_shapes || out.size() > most_shapes || all.size() > most_shapes) {
                tokenworks::detail::raise<limit_error>({name_, ": more than ", most_shapes, " ways for one value"});
            }
            work w = std::move(all.back());
            all.pop_back();
            if(!w.open.empty()) {
                const pending next = std::move(w.open.back());
                w.open.pop_back();
                if(take(w, next)) {
                    all.push_back(std::move(w));
                }
            } else if(!w.choices.empty()) {
                const std::vector<pending> choice = std::move(w.choices.back());
                w.choices.pop_back();
                for(auto each = choice.rbegin(); each != choice.rend(); ++each) {
                    all.push_back(w);
                    all.back().open.push_back(*each);
                }
            } else {
                out.push_back(std::move(w.made));
            }
        }
        return out;
    }

    /// Adds what a schema asks; false where nothing can be valid.
    [[nodiscard]] bool take(work& w, const pending& p) {
        const value& schema = *p.schema;
        if(schema.is(jinja::kind::boolean)) {
            return schema.boolean();
        }
        if(!schema.is(jinja::kind::dict)) {
            wrong("a schema", "is neither an object nor a bool");
        }
        if(std::find(p.from.begin(), p.from.end(), p.schema) != p.from.end()) {
            wrong("$ref", "leads back to itself without taking a value");
        }
        if(!w.seen.insert(p.schema).second) {
            return true;
        }
        std::vector<const value*> from = p.from;
        from.push_back(p.schema);
        bool possible = true;
        for(const auto& [key, v]: schema.entries()) {
            possible = take_keyword(w, schema, key.view(), v, from) && possible;
        }
        return possible && w.made.types != 0;
    }

    [[nodiscard]] bool take_keyword(work& w, const value& schema, std::string_view key, const value& v,
                                    const std::vector<const value*>& from) {
        shape& s = w.made;
        const auto branches = [&] {
            std::vector<pending> all;
            for(const value& each: list_of(v, key)) {
                all.push_back({&each, from});
            }
            return all;
        };
        if(key == "$ref") {
            w.open.push_back({target_of(text_of(v, key)), from});
        } else if(key == "allOf") {
            for(pending& each: branches()) {
                w.open.push_back(std::move(each));
            }
        } else if(key == "anyOf" || key == "oneOf") {
            if(key == "oneOf") {
                require_apart(list_of(v, key));
            }
            w.choices.push_back(branches());
        } else if(key == "type") {
            take_type(s, v);
        } else if(key == "const" || key == "enum") {
            take_literals(s, key == "enum" ? list_of(v, key) : value::list_type{v});
        } else if(key == "minimum" || key == "exclusiveMinimum") {
            const decimal bound = number_of(v, key);
            const bool above = key != "minimum";
            const int order = s.numbers.least ? bound.compare(*s.numbers.least) : 1;
            s.numbers.above_least = order > 0 ? above : s.numbers.above_least || (order == 0 && above);
            s.numbers.least = order > 0 ? bound : *s.numbers.least;
        } else if(key == "maximum" || key == "exclusiveMaximum") {
            const decimal bound = number_of(v, key);
            const bool below = key != "maximum";
            const int order = s.numbers.most ? bound.compare(*s.numbers.most) : -1;
            s.numbers.below_most = order < 0 ? below : s.numbers.below_most || (order == 0 && below);
            s.numbers.most = order < 0 ? bound : *s.numbers.most;
        } else if(key == "multipleOf") {
            s.numbers.multiples_of.push_back(number_of(v, key));
            if(s.numbers.multiples_of.back().negative || s.numbers.multiples_of.back().is_zero()) {
                wrong(key, "is not above 0");
            }
        } else if(key == "minLength") {
            s.least_length = std::max(s.least_length, count_of(v, key));
        } else if(key == "maxLength") {
            s.most_length = std::min(s.most_length, count_of(v, key));
        } else if(key == "pattern") {
            s.patterns.emplace_back(text_of(v, key), false);
        } else if(key == "format") {
            const std::string known = format_pattern(text_of(v, key));
            if(known.empty()) {
                unknown("format", ": " + printable(v.view()));
            }
            s.patterns.emplace_back(known, true);
        } else if(key == "minItems") {
            s.least_items = std::max(s.least_items, count_of(v, key));
        } else if(key == "maxItems") {
            s.most_items = std::min(s.most_items, count_of(v, key));
        } else if(key == "prefixItems" || key == "items") {
            if(key == "items" && v.is(jinja::kind::list)) {
                unknown("items", " where it is an array, as of older drafts");
            }
            add(s.arrays, &schema);
        } else if(key == "properties" || key == "patternProperties" || key == "additionalProperties") {
            if(key != "additionalProperties" && !v.is(jinja::kind::dict)) {
                wrong(key, "is no object");
            }
            add(s.objects, &schema);
        } else if(key == "required") {
            for(const value& each: list_of(v, key)) {
                s.required.emplace_back(text_of(each, key));
            }
        } else if(key == "minProperties") {
            s.least_members = std::max(s.least_members, count_of(v, key));
        } else if(key == "maxProperties") {
            s.most_members = std::min(s.most_members, count_of(v, key));
        } else if(key == "uniqueItems" && v.is(jinja::kind::boolean) && !v.boolean()) {
            return true;
        } else {
            refuse_restriction(key, &schema == &root_);
        }
        return true;
    }

    static void add(conjunction& to, const value* schema) {
        if(std::find(to.begin(), to.end(), schema) == to.end()) {
            to.push_back(schema);
        }
    }

    void refuse_restriction(std::string_view key, bool at_root) const {
        constexpr std::string_view restricting[] = {"not",
                                                    "if",
                                                    "then",
                                                    "else",
                                                    "dependentSchemas",
                                                    "dependentRequired",
                                                    "contains",
                                                    "minContains",
                                                    "maxContains",
                                                    "uniqueItems",
                                                    "unevaluatedItems",
                                                    "unevaluatedProperties",
                                                    "propertyNames",
                                                    "dependencies",
                                                    "additionalItems",
                                                    "$dynamicRef",
                                                    "$recursiveRef",
                                                    "divisibleBy",
                                                    "disallow",
                                                    "extends"};
        for(const std::string_view each: restricting) {
            if(each == key) {
                unknown(key);
            }
        }
        if(key == "$id" && !at_root) {
            unknown(key, " below the root, where it changes what references mean");
        }
    }

    void take_type(shape& s, const value& v) const {
        unsigned types = 0;
        bool whole = false;
        bool any_number = false;
        const auto each = [&](const value& called) {
            const std::string_view text = text_of(called, "type");
            types |= type_of(text, whole);
            any_number = any_number || text == "number";
        };
        if(v.is(jinja::kind::list)) {
            for(const value& called: v.items()) {
                each(called);
            }
        } else {
            each(v);
        }
        s.types &= types;
        s.numbers.whole = s.numbers.whole || (whole && !any_number);
    }

    void take_literals(shape& s, const value::list_type& some) const {
        if(!s.literals) {
            s.literals = some;
            return;
        }
        std::erase_if(*s.literals, [&](const value& l) {
            return std::none_of(some.begin(), some.end(), [&](const value& o) { return same(l, o); });
        });
    }

    [[nodiscard]] static bool same(const value& a, const value& b) {
        const auto is_number = [](const value& v) { return v.is(jinja::kind::integer) || v.is(jinja::kind::real); };
        if(is_number(a) && is_number(b)) {
            const auto x = [](const value& v) {
                return v.is(jinja::kind::real) ? v.real() : static_cast<double>(v.integer());
            };
            return x(a) == x(b);
        }
        return a.what() == b.what() && json_text(a) == json_text(b);
    }

    [[nodiscard]] static unsigned type_of(const value& v) {
        switch(v.what()) {
        case jinja::kind::boolean:
            return boolean;
        case jinja::kind::integer:
        case jinja::kind::real:
            return number;
        case jinja::kind::string:
            return string;
        case jinja::kind::list:
            return array;
        case jinja::kind::dict:
            return object;
        default:
            return null;
        }
    }

    /// Whether a literal satisfies the rest of a shape.
    [[nodiscard]] bool admits(const shape& s, const value& v) {
        if((s.types & type_of(v)) == 0) {
            return false;
        }
        if(type_of(v) == number) {
            const double x = v.is(jinja::kind::real) ? v.real() : static_cast<double>(v.integer());
            number_rules rules = s.numbers;
            if(!rules.whole && !rules.least && !rules.most && rules.multiples_of.empty()) {
                return true;
            }
            decimal d = v.is(jinja::kind::real) ? decimal::of(x) : decimal::parse(std::to_string(v.integer()));
            if(rules.whole && !d.rest.empty()) {
                return false;
            }
            const auto within = [&](const std::optional<decimal>& bound, int sign, bool strict) {
                const int order = bound ? sign * d.compare(*bound) : 1;
                return order > 0 || (order == 0 && !strict);
            };
            if(!within(rules.least, 1, rules.above_least) || !within(rules.most, -1, rules.below_most)) {
                return false;
            }
            d.negative = false;
            const std::string text = d.whole + (d.rest.empty() ? "" : "." + d.rest);
            return std::all_of(rules.multiples_of.begin(), rules.multiples_of.end(),
                               [&](const decimal& m) { return multiples_of(m).contains(text); });
        }
        if(type_of(v) == string) {
            return strings_of(s).contains(v.view());
        }
        if((type_of(v) == array &&
            (!s.arrays.empty() || s.least_items > v.items().size() || s.most_items < v.items().size())) ||
           (type_of(v) == object && (!s.objects.empty() || !s.required.empty() ||
                                     s.least_members > v.entries().size() || s.most_members < v.entries().size()))) {
            unknown("enum", " where it holds arrays or objects, beside keywords on what they hold");
        }
        return true;
    }

    // Whether branches exclude each other.
    void require_apart(const value::list_type& branches) {
        std::vector<std::vector<shape>> all;
        if(++depth_ > 16 || branches.size() > 64) {
            unknown("oneOf", ", nested so deep or of so many branches");
        }
        for(const value& b: branches) {
            all.push_back(shapes_of({&b}));
        }
        for(std::size_t i = 0; i < all.size(); ++i) {
            for(std::size_t k = 0; k < i; ++k) {
                for(const shape& a: all[i]) {
                    for(const shape& b: all[k]) {
                        if(!apart(a, b)) {
                            unknown("oneOf", ": more than one of its branches may hold");
                        }
                    }
                }
            }
        }
        --depth_;
    }

    [[nodiscard]] bool apart(const shape& a, const shape& b) {
        if((a.types & b.types) == 0) {
            return true;
        }
        for(const auto& both: {std::pair{&a, &b}, std::pair{&b, &a}}) {
            const shape* const with = both.first; // Clang 14 lets no lambda see a binding
            const shape* const other = both.second;
            if(with->literals) {
                return std::none_of(with->literals->begin(), with->literals->end(), [&](const value& v) {
                    if(!admits(*with, v)) {
                        return false;
                    }
                    return admits(*other, v) &&
                           (!other->literals || std::any_of(other->literals->begin(), other->literals->end(),
                                                            [&](const value& o) { return same(v, o); }));
                });
            }
        }
        const unsigned shared = a.types & b.types;
        if((shared & (null | boolean | array)) != 0) {
            return false;
        }
        if((shared & number) != 0 && !is_empty(both(numbers_of(a.numbers), numbers_of(b.numbers)))) {
            return false;
        }
        if((shared & string) != 0 && !is_empty(both(strings_of(a), strings_of(b)))) {
            return false;
        }
        if((shared & object) == 0) {
            return true;
        }
        return std::any_of(a.required.begin(), a.required.end(), [&](const std::string& key) {
            if(std::find(b.required.begin(), b.required.end(), key) == b.required.end()) {
                return false;
            }
            if(++depth_ > 16) {
                unknown("oneOf", ", nested so deep");
            }
            const std::vector<shape> here = shapes_of(member_of(a, key));
            const std::vector<shape> there = shapes_of(member_of(b, key));
            --depth_;
            return std::all_of(here.begin(), here.end(), [&](const shape& x) {
                return std::all_of(there.begin(), there.end(), [&](const shape& y) { return apart(x, y); });
            });
        });
    }

    /// The texts that strings may be, before they are written as JSON.
    [[nodiscard]] byte_dfa strings_of(const shape& s) {
        byte_dfa d = any_text();
        for(const auto& [pattern, is_format]: s.patterns) {
            d = both(d, is_format ? texts_of(pattern) : texts_with(pattern));
        }
        if(s.least_length > 0 || s.most_length != grammar::unbounded) {
            const std::uint64_t counted = s.most_length == grammar::unbounded ? s.least_length : s.most_length;
            if(counted > byte_dfa::most_states) {
                tokenworks::detail::raise<limit_error>({name_, ": a length of ", counted, " beside a pattern"});
            }
            byte_nfa a;
            const byte_nfa::node_id in = a.node();
            const byte_nfa::node_id out = a.node();
            byte_nfa::node_id at = in;
            for(std::uint64_t i = 0; i < counted; ++i) {
                if(i >= s.least_length) {
                    a.link(at, out);
                }
                const byte_nfa::node_id next = a.node();
                link_characters(a, at, next, {{0, 0x10FFFF}});
                at = next;
            }
            if(s.most_length == grammar::unbounded) {
                link_characters(a, at, at, {{0, 0x10FFFF}});
            }
            if(s.least_length <= counted) {
                a.link(at, out);
            }
            d = both(d, determinized(a, in, out));
        }
        return d;
    }

    /// The schemas of a property.
    [[nodiscard]] conjunction member_of(const shape& s, const std::string& key) {
        conjunction parts;
        for(const value* schema: s.objects) {
            bool known = false;
            if(const value* properties = find(*schema, "properties")) {
                if(const value* own = find(*properties, key)) {
                    parts.push_back(own);
                    known = true;
                }
            }
            if(const value* patterns = find(*schema, "patternProperties")) {
                for(const auto& [pattern, v]: patterns->entries()) {
                    if(keys_with(pattern.view()).contains(key)) {
                        parts.push_back(&v);
                        known = true;
                    }
                }
            }
            const value* others = find(*schema, "additionalProperties");
            if(!known && others != nullptr) {
                parts.push_back(others);
            }
        }
        return parts;
    }
    [[nodiscard]] const byte_dfa& keys_with(std::string_view pattern) {
        const auto found = keys_.find(std::string{pattern});
        return found != keys_.end() ? found->second : keys_.emplace(pattern, texts_with(pattern)).first->second;
    }

    std::string name_;
    value root_;
    std::map<std::string, byte_dfa> keys_;
    std::size_t depth_ = 0;
};

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::detail
