// The numbers of JSON between bounds, and the multiples of a number, as automata over their digits: what a JSON Schema
// asks of a number before a grammar can write it.
//
//   codec::number_rules rules;
//   rules.least = codec::decimal::parse("0.5");
//   const codec::byte_dfa d = codec::numbers_of(rules);    // d.contains("0.75")
//
// Bounds are compared digit by digit, so they are exact. How many digits there may be is limited: numbers stay apart
// when they are read as binary64, and a model cannot write digits for ever.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/byte_automaton.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

/// A number by its digits.
struct decimal {
    bool negative = false;
    std::string whole = "0"; ///< no zeros before it, but for 0 itself
    std::string rest;        ///< behind the point; no zeros at its end

    /// Of "-12.50"; no exponent. @pre the text is such a number
    [[nodiscard]] static decimal parse(std::string_view text) {
        decimal d;
        d.negative = text.starts_with('-');
        text.remove_prefix(d.negative ? 1 : 0);
        const std::size_t point = std::min(text.find('.'), text.size());
        d.whole = text.substr(0, point);
        d.rest = point < text.size() ? text.substr(point + 1) : std::string_view{};
        d.rest.erase(d.rest.find_last_not_of('0') + 1);
        d.negative = d.negative && !d.is_zero();
        return d;
    }
    /// The shortest decimal that reads as this number.
    [[nodiscard]] static decimal of(double x) {
        char text[512];
        const auto end = std::to_chars(text, text + sizeof text, x, std::chars_format::fixed).ptr;
        return parse(std::string_view{text, static_cast<std::size_t>(end - text)});
    }
    [[nodiscard]] bool is_zero() const noexcept { return whole == "0" && rest.empty(); }
    /// -1, 0 or 1, as this one is less, equal or greater.
    [[nodiscard]] int compare(const decimal& other) const {
        const auto magnitude = [](const decimal& a, const decimal& b) {
            if(a.whole.size() != b.whole.size()) {
                return a.whole.size() < b.whole.size() ? -1 : 1;
            }
            const int leading = a.whole.compare(b.whole);
            const int order = leading != 0 ? leading : a.rest.compare(b.rest);
            return order < 0 ? -1 : order > 0 ? 1 : 0;
        };
        if(negative != other.negative) {
            return negative ? -1 : 1;
        }
        return negative ? -magnitude(*this, other) : magnitude(*this, other);
    }
};

struct number_rules {
    bool whole = false; ///< no fraction
    std::optional<decimal> least, most;
    bool above_least = false, below_most = false; ///< the bound itself is none of them
    std::vector<decimal> multiples_of;            ///< of each; positive
};

/// @throws limit_error for multiples of numbers of many digits
[[nodiscard]] TOKENWORKS_FUNCTION byte_dfa numbers_of(const number_rules& rules);

#if TOKENWORKS_DEFINITIONS

namespace detail {

/// Builds automata of numbers without sign.
class magnitudes {
public:
    byte_nfa a;
    byte_nfa::node_id in, out;

    magnitudes() : in{a.node()}, out{a.node()} {}

    /// Texts without sign, before which a sign stands or not.
    void signed_by(bool minus, bool plus, byte_nfa::node_id begin) {
        if(plus) {
            a.link(in, begin);
        }
        if(minus) {
            a.link(in, '-', '-', begin);
        }
    }
    /// All, with so many digits at most.
    [[nodiscard]] byte_nfa::node_id any(std::size_t whole, std::size_t rest) {
        const byte_nfa::node_id begin = a.node();
        const byte_nfa::node_id end = fraction(rest);
        a.link(begin, '0', '0', end);
        byte_nfa::node_id at = begin;
        for(std::size_t i = 0; i < whole; ++i) {
            const byte_nfa::node_id next = a.node();
            a.link(at, i == 0 ? '1' : '0', '9', next);
            a.link(next, end);
            at = next;
        }
        return begin;
    }
    /// Those above (below) a bound, or equal to it where `equal` holds. Any number of digits.
    [[nodiscard]] byte_nfa::node_id beyond(const decimal& bound, bool above, bool equal) {
        const byte_nfa::node_id begin = a.node();
        const byte_nfa::node_id rest = free_fraction();
        const std::size_t size = bound.whole.size();
        if(above) { // more digits
            byte_nfa::node_id at = begin;
            for(std::size_t i = 0; i <= size; ++i) {
                const byte_nfa::node_id next = a.node();
                a.link(at, i == 0 ? '1' : '0', '9', next);
                at = next;
            }
            a.link(at, '0', '9', at);
            a.link(at, rest);
        } else if(size > 1) { // fewer
            a.link(begin, '0', '0', rest);
            byte_nfa::node_id at = begin;
            for(std::size_t i = 0; i + 1 < size; ++i) {
                const byte_nfa::node_id next = a.node();
                a.link(at, i == 0 ? '1' : '0', '9', next);
                a.link(next, rest);
                at = next;
            }
        }
        byte_nfa::node_id at = begin; // as many, and so far the same
        for(std::size_t i = 0; i < size; ++i) {
            const char digit = bound.whole[i];
            const char lowest = i == 0 && size > 1 ? '1' : '0';
            const byte_nfa::node_id other = digits(size - i - 1, rest);
            differ(at, digit, lowest, above, other);
            const byte_nfa::node_id next = a.node();
            a.link(at, static_cast<std::uint8_t>(digit), static_cast<std::uint8_t>(digit), next);
            at = next;
        }
        const byte_nfa::node_id loop = any_digits();
        const auto ends = [&](byte_nfa::node_id where, bool all_compared) { // zeros follow, in mind
            if(all_compared ? equal : !above) {
                a.link(where, out);
            }
        };
        ends(at, bound.rest.empty());
        const byte_nfa::node_id point = a.node();
        a.link(at, '.', '.', point);
        at = point;
        for(std::size_t i = 0; i < bound.rest.size(); ++i) {
            differ(at, bound.rest[i], '0', above, loop);
            const byte_nfa::node_id next = a.node();
            a.link(at, static_cast<std::uint8_t>(bound.rest[i]), static_cast<std::uint8_t>(bound.rest[i]), next);
            ends(next, i + 1 == bound.rest.size());
            at = next;
        }
        differ(at, '0', '0', above, loop);
        const byte_nfa::node_id zeros = a.node();
        a.link(at, '0', '0', zeros);
        a.link(zeros, '0', '0', zeros);
        differ(zeros, '0', '0', above, loop);
        ends(zeros, true);
        return begin;
    }

    [[nodiscard]] byte_dfa finish() const { return determinized(a, in, out); }

private:
    void differ(byte_nfa::node_id from, char digit, char lowest, bool above, byte_nfa::node_id to) {
        const char first = above ? static_cast<char>(digit + 1) : lowest;
        const char last = above ? '9' : static_cast<char>(digit - 1);
        if(first <= last) {
            a.link(from, static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(last), to);
        }
    }
    [[nodiscard]] byte_nfa::node_id digits(std::size_t count, byte_nfa::node_id to) {
        for(; count > 0; --count) {
            const byte_nfa::node_id before = a.node();
            a.link(before, '0', '9', to);
            to = before;
        }
        return to;
    }
    [[nodiscard]] byte_nfa::node_id any_digits() {
        const byte_nfa::node_id loop = a.node();
        a.link(loop, '0', '9', loop);
        a.link(loop, out);
        return loop;
    }
    [[nodiscard]] byte_nfa::node_id free_fraction() {
        const byte_nfa::node_id begin = a.node();
        a.link(begin, out);
        const byte_nfa::node_id point = a.node();
        a.link(begin, '.', '.', point);
        a.link(point, '0', '9', any_digits());
        return begin;
    }
    [[nodiscard]] byte_nfa::node_id fraction(std::size_t most) {
        const byte_nfa::node_id begin = a.node();
        a.link(begin, out);
        byte_nfa::node_id at = a.node();
        a.link(begin, '.', '.', at);
        for(std::size_t i = 0; i < most; ++i) {
            const byte_nfa::node_id next = a.node();
            a.link(at, '0', '9', next);
            a.link(next, out);
            at = next;
        }
        return begin;
    }
};

/// Remainders, digit by digit: x * 10^scale must be 0 modulo m.
[[nodiscard]] inline byte_dfa multiples_of(const decimal& of) {
    const std::size_t scale = of.rest.size();
    std::uint64_t m = 0;
    for(const char c: of.whole + of.rest) {
        m = m * 10 + static_cast<std::uint64_t>(c - '0');
        if(m > byte_dfa::most_states) {
            tokenworks::detail::raise<limit_error>(
                {"multiples of a number with over ", byte_dfa::most_states, " remainders"});
        }
    }
    byte_dfa d;
    const byte_dfa::state_id start = d.add(false);
    const byte_dfa::state_id minus = d.add(false);
    // [behind the point, digits 0..scale or none yet][remainder]
    std::vector<byte_dfa::state_id> states((scale + 2) * m);
    for(std::size_t place = 0; place < scale + 2; ++place) {
        for(std::uint64_t r = 0; r < m; ++r) {
            std::uint64_t shifted = r;
            for(std::size_t i = place == 0 ? 0 : place - 1; i < scale; ++i) {
                shifted = shifted * 10 % m;
            }
            states[place * m + r] = d.add(place != 1 && shifted == 0); // a point is followed by a digit
        }
    }
    const auto link_digits = [&](byte_dfa::state_id from, std::uint64_t r, std::size_t place) {
        for(unsigned digit = 0; digit < 10; ++digit) {
            d.set(from, static_cast<std::uint8_t>('0' + digit), states[place * m + (r * 10 + digit) % m]);
        }
    };
    d.set_start(start);
    d.set(start, '-', minus);
    link_digits(start, 0, 0);
    link_digits(minus, 0, 0);
    for(std::uint64_t r = 0; r < m; ++r) {
        link_digits(states[r], r, 0);
        d.set(states[r], '.', states[m + r]);
        for(std::size_t place = 1; place <= scale; ++place) {
            link_digits(states[place * m + r], r, place + 1);
        }
    }
    return d;
}

} // namespace detail

TOKENWORKS_FUNCTION byte_dfa numbers_of(const number_rules& rules) {
    std::size_t whole = rules.whole ? 15 : 9; // 15 digits in all are told apart by binary64
    std::size_t rest = 6;
    const auto make_room = [&](const std::optional<decimal>& d) {
        if(d) {
            whole = std::max(whole, d->whole.size() + 1);
            rest = std::max(rest, d->rest.size());
        }
    };
    make_room(rules.least);
    make_room(rules.most);
    for(const decimal& m: rules.multiples_of) {
        make_room(m);
    }
    detail::magnitudes all;
    all.signed_by(true, true, all.any(whole, rules.whole ? 0 : rest));
    byte_dfa d = all.finish();
    const decimal zero;
    if(rules.least) {
        detail::magnitudes m;
        decimal bound = *rules.least;
        if(bound.negative) {
            m.signed_by(false, true, m.beyond(zero, true, true));
            m.signed_by(true, false, m.beyond(bound, false, !rules.above_least));
        } else {
            m.signed_by(false, true, m.beyond(bound, true, !rules.above_least));
        }
        d = both(d, m.finish());
    }
    if(rules.most) {
        detail::magnitudes m;
        decimal bound = *rules.most;
        if(bound.negative) {
            m.signed_by(true, false, m.beyond(bound, true, !rules.below_most));
        } else {
            m.signed_by(false, true, m.beyond(bound, false, !rules.below_most));
            m.signed_by(true, false, m.beyond(zero, true, !bound.is_zero() || !rules.below_most));
        }
        d = both(d, m.finish());
    }
    for(const decimal& m: rules.multiples_of) {
        d = both(d, detail::multiples_of(m));
    }
    return d;
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
