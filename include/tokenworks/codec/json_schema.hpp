// JSON Schema (draft 2020-12) as grammars: what is written is valid under the schema.
//
//   const codec::grammar g = codec::parse_json_schema(R"({"type": "object", "properties": {"age": {"type": "integer"}},
//                                                         "required": ["age"]})");
//
// Read: type, enum, const; minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf; minLength, maxLength,
// pattern, format (codec/json_formats.hpp); prefixItems, items, minItems, maxItems; properties, required,
// additionalProperties, patternProperties, minProperties, maxProperties; allOf, anyOf, $ref inside of the document, and
// oneOf where its branches exclude each other. A keyword that restricts and is not among these is an error, never
// passed over; those that only describe are left out.
//
// Of what is valid, a part is written: properties in the order of the schema, numbers of up to 15 digits, and, where an
// object names properties and says nothing of others, no others. Parts of a schema that hold for one value together are
// taken as one set; each set of parts that occurs becomes a rule, so that a schema may refer to itself.
#pragma once

#include <algorithm>
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
#include <tokenworks/codec/grammar.hpp>
#include <tokenworks/codec/grammar_builder.hpp>
#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/codec/json_numbers.hpp>
#include <tokenworks/codec/json_schema_reader.hpp>
#include <tokenworks/codec/json_text.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// @param name  what errors call the text
/// @throws format_error for what is no JSON, or no schema, naming the place; unsupported_error for a keyword that
/// cannot
///         be enforced; argument_error for a schema that nothing is valid under; limit_error for one that is too large
[[nodiscard]] TOKENWORKS_FUNCTION grammar parse_json_schema(std::string_view text, std::string name = "schema");

#if TOKENWORKS_DEFINITIONS

namespace detail {

class json_schema_compiler: json_schema_reader {
public:
    using json_schema_reader::json_schema_reader;

    [[nodiscard]] grammar compile() {
        const part root = make_.call(rule_of({&root_}));
        for(std::size_t i = 0; i < open_.size(); ++i) { // grows meanwhile
            const auto [parts, rule] = open_[i];
            std::vector<part> ways;
            for(const shape& s: shapes_of(parts)) {
                append_ways(s, ways);
            }
            make_.define(rule, make_.any(ways));
        }
        return make_.finish(root, name_, false);
    }

private:
    using part = grammar_builder::part;

    // From shapes to grammars.
    [[nodiscard]] grammar_builder::rule rule_of(conjunction parts) {
        std::erase_if(parts, [](const value* p) { return p->is(jinja::kind::boolean) && p->boolean(); });
        std::sort(parts.begin(), parts.end());
        parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
        const auto found = rules_.find(parts);
        if(found != rules_.end()) {
            return found->second;
        }
        const grammar_builder::rule made = make_.declare("value " + std::to_string(rules_.size()));
        rules_.emplace(parts, made);
        open_.emplace_back(std::move(parts), made);
        return made;
    }
    [[nodiscard]] part value_of(conjunction parts) { return make_.call(rule_of(std::move(parts))); }

    /// A rule of its own for what occurs in many places.
    template <class Make>
    [[nodiscard]] part shared(std::string key, Make make) {
        const auto found = texts_.find(key);
        if(found != texts_.end()) {
            return make_.call(found->second);
        }
        const grammar_builder::rule made = make_.declare(key);
        texts_.emplace(std::move(key), made);
        make_.define(made, make());
        return make_.call(made);
    }
    [[nodiscard]] part blanks() {
        return shared("blanks", [&] {
            const part indent = make_.repeat(make_.range(' ', ' '), 0, 20);
            return make_.maybe(make_.any({make_.text(" "), make_.sequence({make_.text("\n"), indent})}));
        });
    }
    [[nodiscard]] part separator(std::string_view sign) { return make_.sequence({make_.text(sign), blanks()}); }

    void append_ways(const shape& s, std::vector<part>& ways) {
        if(s.literals) {
            for(const value& v: *s.literals) {
                if(admits(s, v)) {
                    ways.push_back(make_.text(json_text(v)));
                }
            }
            return;
        }
        if((s.types & null) != 0) {
            ways.push_back(make_.text("null"));
        }
        if((s.types & boolean) != 0) {
            ways.push_back(make_.text("true"));
            ways.push_back(make_.text("false"));
        }
        if((s.types & number) != 0) {
            ways.push_back(part_of(make_, numbers_of(s.numbers)));
        }
        if((s.types & string) != 0 && s.least_length <= s.most_length) {
            ways.push_back(string_of(s));
        }
        if((s.types & array) != 0 && s.least_items <= s.most_items) {
            ways.push_back(array_of(s));
        }
        if((s.types & object) != 0 && s.least_members <= s.most_members) {
            ways.push_back(object_of(s));
        }
    }

    [[nodiscard]] part string_of(const shape& s) {
        if(!s.patterns.empty()) {
            return make_.sequence({make_.text("\""), part_of(make_, strings_of(s), json_spelling), make_.text("\"")});
        }
        const part character = shared("character", [&] {
            const std::vector<code_range> hex{{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
            const auto digit = [&] { return make_.characters(hex); };
            // Halves of surrogate pairs, D800 to DFFF, are left out.
            const part low =
                make_.sequence({make_.characters({{'0', '9'}, {'A', 'C'}, {'a', 'c'}, {'E', 'F'}, {'e', 'f'}}), digit(),
                                digit(), digit()});
            const part high =
                make_.sequence({make_.characters({{'D', 'D'}, {'d', 'd'}}), make_.range('0', '7'), digit(), digit()});
            return make_.any({make_.characters_but({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}),
                              make_.sequence({make_.text("\\"), make_.characters({{'"', '"'},
                                                                                  {'\\', '\\'},
                                                                                  {'/', '/'},
                                                                                  {'b', 'b'},
                                                                                  {'f', 'f'},
                                                                                  {'n', 'n'},
                                                                                  {'r', 'r'},
                                                                                  {'t', 't'}})}),
                              make_.sequence({make_.text("\\u"), make_.any({low, high})})});
        });
        const part all = make_.repeat(character, static_cast<std::uint32_t>(s.least_length),
                                      static_cast<std::uint32_t>(s.most_length));
        return make_.sequence({make_.text("\""), all, make_.text("\"")});
    }

    [[nodiscard]] part array_of(const shape& s) {
        std::vector<const value*> rest_parts;
        std::size_t prefixes = 0;
        for(const value* schema: s.arrays) {
            if(const value* prefix = find(*schema, "prefixItems")) {
                prefixes = std::max(prefixes, list_of(*prefix, "prefixItems").size());
            }
        }
        const auto item = [&](std::size_t i) {
            conjunction parts;
            for(const value* schema: s.arrays) {
                const value* prefix = find(*schema, "prefixItems");
                if(prefix != nullptr && i < prefix->items().size()) {
                    parts.push_back(&prefix->items()[i]);
                } else if(const value* items = find(*schema, "items")) {
                    parts.push_back(items);
                }
            }
            return value_of(std::move(parts));
        };
        const part open = separator("[");
        const part close = make_.sequence({blanks(), make_.text("]")});
        grammar::node_id at = open.out;
        std::uint64_t made = 0;
        const auto may_end = [&] {
            if(made >= s.least_items) {
                make_.link(at, close.in);
            }
        };
        may_end();
        for(; made < s.most_items && made < std::max<std::uint64_t>(prefixes, 1); ++made) {
            if(made > 0) {
                const part comma = separator(",");
                make_.link(at, comma.in);
                at = comma.out;
            }
            const part each = item(static_cast<std::size_t>(made));
            make_.link(at, each.in);
            at = each.out;
            if(made + 1 < std::max<std::uint64_t>(prefixes, 1) && made + 1 >= s.least_items) {
                make_.link(at, close.in);
            }
        }
        if(made < s.most_items) {
            const auto least = static_cast<std::uint32_t>(s.least_items > made ? s.least_items - made : 0);
            const auto most = s.most_items == grammar::unbounded ? grammar::unbounded
                                                                 : static_cast<std::uint32_t>(s.most_items - made);
            const part more = make_.repeat(make_.sequence({separator(","), item(prefixes)}), least, most);
            make_.link(at, more.in);
            make_.link(more.out, close.in);
        } else if(made >= s.least_items) {
            make_.link(at, close.in);
        }
        return {open.in, close.out};
    }

    /// Members that no schema names: for each set of patterns that a key may match, the keys and what follows them.
    [[nodiscard]] std::vector<part> other_members(const shape& s, const std::vector<std::string>& names) {
        std::vector<std::pair<const value*, const jinja::value::entry*>> patterns;
        bool closed = false;
        bool open = s.objects.empty() || s.least_members > names.size();
        for(const value* schema: s.objects) {
            if(const value* some = find(*schema, "patternProperties")) {
                for(const jinja::value::entry& e: some->entries()) {
                    patterns.emplace_back(schema, &e);
                }
            }
            open = open || find(*schema, "additionalProperties") != nullptr;
            closed = closed || find(*schema, "properties") != nullptr;
        }
        if(patterns.size() > 6) {
            unknown("patternProperties", " with more than 6 patterns on one value");
        }
        byte_nfa listed;
        const byte_nfa::node_id in = listed.node();
        const byte_nfa::node_id out = listed.node();
        for(const std::string& key: names) {
            byte_nfa::node_id at = in;
            for(const char c: key) {
                const byte_nfa::node_id next = listed.node();
                listed.link(at, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), next);
                at = next;
            }
            listed.link(at, out);
        }
        const byte_dfa unnamed = all_but(determinized(listed, in, out));
        std::vector<part> ways;
        for(std::size_t chosen = 0; chosen < std::size_t{1} << patterns.size(); ++chosen) {
            if(chosen == 0 && closed && !open) {
                continue;
            }
            byte_dfa keys = unnamed;
            conjunction parts;
            std::set<const value*> matched;
            for(std::size_t i = 0; i < patterns.size(); ++i) {
                const byte_dfa& with = keys_with(patterns[i].second->first.view());
                const bool is_in = (chosen >> i & 1) != 0;
                keys = both(keys, is_in ? with : all_but(with));
                if(is_in) {
                    parts.push_back(&patterns[i].second->second);
                    matched.insert(patterns[i].first);
                }
            }
            for(const value* schema: s.objects) {
                const value* others = find(*schema, "additionalProperties");
                if(others != nullptr && !matched.contains(schema)) {
                    parts.push_back(others);
                }
            }
            const bool never = std::any_of(parts.begin(), parts.end(),
                                           [](const value* p) { return p->is(jinja::kind::boolean) && !p->boolean(); });
            if(!never && !is_empty(keys)) {
                ways.push_back(make_.sequence({make_.text("\""), part_of(make_, keys, json_spelling), make_.text("\""),
                                               separator(":"), value_of(std::move(parts))}));
            }
        }
        return ways;
    }

    [[nodiscard]] part object_of(const shape& s) {
        std::vector<std::string> names;
        const auto add_name = [&](std::string_view key) {
            if(std::find(names.begin(), names.end(), key) == names.end()) {
                names.emplace_back(key);
            }
        };
        for(const value* schema: s.objects) {
            if(const value* properties = find(*schema, "properties")) {
                for(const auto& [key, v]: properties->entries()) {
                    add_name(key.view());
                }
            }
        }
        for(const std::string& key: s.required) {
            add_name(key);
        }
        std::vector<part> others = other_members(s, names);
        if(!others.empty() && s.least_members > names.size() + 1) {
            unknown("minProperties", ": keys that no schema names might come twice");
        }
        // Members are counted as far as it matters; whether a comma is needed is whether there is one.
        const bool bounded = s.most_members != grammar::unbounded;
        const std::uint64_t most = bounded ? s.most_members : std::max<std::uint64_t>(s.least_members, 1);
        const part open = separator("{");
        const part close = make_.sequence({blanks(), make_.text("}")});
        std::map<std::uint64_t, grammar::node_id> level{{0, open.out}}; // by the number of members
        const auto after = [&](std::uint64_t count) { return bounded ? count + 1 : std::min(count + 1, most); };
        const auto with_comma = [&](grammar::node_id from, std::uint64_t count) {
            if(count == 0) {
                return from;
            }
            const part comma = separator(",");
            make_.link(from, comma.in);
            return comma.out;
        };
        for(const std::string& key: names) {
            const bool needed = std::find(s.required.begin(), s.required.end(), key) != s.required.end();
            const grammar_builder::rule member = make_.declare("member");
            make_.define(member,
                         make_.sequence({make_.text(json_string(key)), separator(":"), value_of(member_of(s, key))}));
            std::map<std::uint64_t, grammar::node_id> next;
            const auto node_of = [&](std::uint64_t count) {
                const auto [found, is_new] = next.try_emplace(count, 0);
                if(is_new) {
                    found->second = make_.node();
                }
                return found->second;
            };
            for(const auto& [count, from]: level) {
                if(!needed) {
                    make_.link(from, node_of(count));
                }
                if(!bounded || count < most) {
                    const part m = make_.call(member);
                    make_.link(with_comma(from, count), m.in);
                    make_.link(m.out, node_of(after(count)));
                }
            }
            level = std::move(next);
        }
        const auto may_end = [&](grammar::node_id from, std::uint64_t known) {
            if(known >= s.least_members) {
                make_.link(from, close.in);
            }
        };
        std::optional<grammar_builder::rule> other;
        if(!others.empty()) {
            other = make_.declare("other member");
            make_.define(*other, make_.any(others));
        }
        for(const auto& [count, from]: level) {
            may_end(from, count);
            if(!other || (bounded && count >= most)) {
                continue;
            }
            // The first of the others is new for certain; those behind it may repeat a key.
            const part first = make_.call(*other);
            make_.link(with_comma(from, count), first.in);
            const auto left = bounded ? static_cast<std::uint32_t>(most - count - 1) : grammar::unbounded;
            const part more = make_.repeat(make_.sequence({separator(","), make_.call(*other)}), 0, left);
            make_.link(first.out, more.in);
            may_end(more.out, count + 1);
        }
        return {open.in, close.out};
    }

    grammar_builder make_;
    std::map<conjunction, grammar_builder::rule> rules_;
    std::map<std::string, grammar_builder::rule> texts_;
    std::vector<std::pair<conjunction, grammar_builder::rule>> open_;
};

} // namespace detail

TOKENWORKS_FUNCTION grammar parse_json_schema(std::string_view text, std::string name) {
    return detail::json_schema_compiler{text, std::move(name)}.compile();
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
