// The tree of a regular expression into the instructions of a backtracking machine.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tokenworks/codec/regex_parser.hpp>
#include <tokenworks/codec/regex_program.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::detail {

inline constexpr std::size_t most_instructions = 20'000;

/// @throws unsupported_error, argument_error, limit_error as codec::regex does
[[nodiscard]] TOKENWORKS_FUNCTION regex_program compile_regex(std::string_view pattern);

#if TOKENWORKS_DEFINITIONS

class regex_compiler {
public:
    explicit regex_compiler(std::string_view pattern) : pattern_{pattern}, tree_{parse_regex(pattern)} {
        program_.sets = std::move(tree_.sets);
        emit(tree_.root);
        add({regex_code::match});
        for(std::uint32_t s = 0; s < program_.sets.size(); ++s) {
            for(char32_t c = 0; c < 128; ++c) {
                program_.sets[s].ascii[c] = program_.evaluate(s, c);
            }
        }
    }

    [[nodiscard]] regex_program take() { return std::move(program_); }

private:
    using kind = regex_node::kind;

    std::uint32_t add(regex_instruction i) {
        if(program_.code.size() == most_instructions) {
            tokenworks::detail::raise<limit_error>({"regular expression \"", tokenworks::detail::escaped(pattern_),
                                                    "\": more than ", most_instructions, " instructions"});
        }
        program_.code.push_back(i);
        return static_cast<std::uint32_t>(program_.code.size() - 1);
    }
    [[nodiscard]] std::uint32_t here() const { return static_cast<std::uint32_t>(program_.code.size()); }
    [[nodiscard]] bool can_be_empty(std::uint32_t n) const;
    [[nodiscard]] std::optional<std::uint32_t> length(std::uint32_t n) const;
    void emit(std::uint32_t n);
    void emit_alternatives(const std::vector<std::uint32_t>& kids);
    void emit_repeat(std::uint32_t n);
    void emit_behind(std::uint32_t n);
    /// An instruction whose program follows it, up to its `match`, and is jumped over.
    template <class Body>
    void emit_apart(regex_instruction i, Body body) {
        const std::uint32_t at = add(i);
        const std::uint32_t over = add({regex_code::jump});
        program_.code[at].x = here();
        body();
        add({regex_code::match});
        program_.code[over].x = here();
    }

    std::string_view pattern_;
    regex_tree tree_;
    regex_program program_;
    std::size_t emitted_ = 0;
};

TOKENWORKS_FUNCTION regex_program compile_regex(std::string_view pattern) { return regex_compiler{pattern}.take(); }

inline bool regex_compiler::can_be_empty(std::uint32_t n) const {
    const regex_node& x = tree_.nodes[n];
    const auto empty = [&](std::uint32_t kid) { return can_be_empty(kid); };
    switch(x.what) {
    case kind::sequence:
        return std::all_of(x.kids.begin(), x.kids.end(), empty);
    case kind::alternatives:
        return std::any_of(x.kids.begin(), x.kids.end(), empty);
    case kind::repeat:
        return x.single.least == 0 || empty(x.kids.front());
    case kind::atomic:
        return empty(x.kids.front());
    case kind::look:
    case kind::behind:
        return true;
    case kind::single:
        return x.single.code != regex_code::one && x.single.code != regex_code::literal;
    }
    return true;
}

/// How many characters a node matches, if that is always the same.
inline std::optional<std::uint32_t> regex_compiler::length(std::uint32_t n) const {
    const regex_node& x = tree_.nodes[n];
    switch(x.what) {
    case kind::sequence: {
        std::uint32_t sum = 0;
        for(const std::uint32_t kid: x.kids) {
            const auto part = length(kid);
            if(!part || *part > 1'000'000) {
                return std::nullopt;
            }
            sum += *part;
        }
        return sum;
    }
    case kind::alternatives: {
        const auto first = length(x.kids.front());
        for(const std::uint32_t kid: x.kids) {
            if(length(kid) != first) {
                return std::nullopt;
            }
        }
        return first;
    }
    case kind::repeat: {
        const auto one = length(x.kids.front());
        if(!one || x.single.least != x.single.most || *one > 1000 || x.single.least > 1000) {
            return std::nullopt;
        }
        return *one * x.single.least;
    }
    case kind::atomic:
        return length(x.kids.front());
    case kind::look:
    case kind::behind:
        return 0;
    case kind::single:
        return can_be_empty(n) ? 0U : 1U;
    }
    return std::nullopt;
}

inline void regex_compiler::emit(std::uint32_t n) {
    const regex_node& x = tree_.nodes[n];
    if(++emitted_ > 10 * most_instructions) { // (?:){1000}{1000} makes no instructions, but takes time
        tokenworks::detail::raise<limit_error>(
            {"regular expression \"", tokenworks::detail::escaped(pattern_), "\": too many repetitions"});
    }
    switch(x.what) {
    case kind::sequence:
        for(const std::uint32_t kid: x.kids) {
            emit(kid);
        }
        return;
    case kind::alternatives:
        return emit_alternatives(x.kids);
    case kind::repeat:
        return emit_repeat(n);
    case kind::look: {
        const regex_node& kid = tree_.nodes[x.kids.front()];
        if(kid.what == kind::single && kid.single.code == regex_code::one) {
            add({.code = regex_code::look_one, .flag = x.single.flag, .x = kid.single.x});
            return;
        }
        return emit_apart({.code = regex_code::look, .flag = x.single.flag}, [&] { emit(x.kids.front()); });
    }
    case kind::behind:
        return emit_behind(n);
    case kind::atomic:
        return emit_apart({regex_code::atomic}, [&] { emit(x.kids.front()); });
    case kind::single:
        add(x.single);
        return;
    }
}

inline void regex_compiler::emit_alternatives(const std::vector<std::uint32_t>& kids) {
    std::vector<std::uint32_t> ends;
    for(std::size_t i = 0; i < kids.size(); ++i) {
        const bool last = i + 1 == kids.size();
        const std::uint32_t choice = last ? 0 : add({.code = regex_code::split, .x = here() + 1});
        emit(kids[i]);
        if(!last) {
            ends.push_back(add({regex_code::jump}));
            program_.code[choice].y = here();
        }
    }
    for(const std::uint32_t end: ends) {
        program_.code[end].x = here();
    }
}

inline void regex_compiler::emit_repeat(std::uint32_t n) {
    const regex_node& x = tree_.nodes[n];
    const std::uint32_t body = x.kids.front();
    const auto [least, most, mode] = std::tuple{x.single.least, x.single.most, x.single.mode};
    const regex_node& kid = tree_.nodes[body];
    if(kid.what == kind::single && !can_be_empty(body)) {
        std::uint32_t set = kid.single.x;
        if(kid.single.code == regex_code::literal) {
            regex_set one;
            one.any.push_back({regex_set::kind::range, false, kid.single.x, kid.single.x});
            set = static_cast<std::uint32_t>(program_.sets.size());
            program_.sets.push_back(std::move(one));
        }
        add({.code = regex_code::run, .mode = mode, .x = set, .least = least, .most = most});
        return;
    }
    const auto loop = [&, least = least, most = most, mode = mode] {
        const bool lazy = mode == regex_mode::lazy;
        const auto choose = [&](std::uint32_t at, std::uint32_t go, std::uint32_t leave) {
            program_.code[at].x = lazy ? leave : go;
            program_.code[at].y = lazy ? go : leave;
        };
        for(std::uint32_t i = 0; i < least; ++i) {
            emit(body);
        }
        if(most == unbounded) {
            const std::uint32_t choice = add({.code = regex_code::split, .mode = mode}); // `check` looks at the mode
            const bool guard = can_be_empty(body);
            const std::uint32_t place = guard ? program_.registers++ : 0;
            if(guard) {
                add({.code = regex_code::save, .x = place});
            }
            emit(body);
            if(guard) {
                add({.code = regex_code::check, .x = place});
            }
            add({.code = regex_code::jump, .x = choice});
            choose(choice, choice + 1, here());
            return;
        }
        std::vector<std::uint32_t> choices;
        for(std::uint32_t i = least; i < most; ++i) {
            choices.push_back(add({regex_code::split}));
            emit(body);
        }
        for(const std::uint32_t choice: choices) {
            choose(choice, choice + 1, here());
        }
    };
    if(mode == regex_mode::possessive) {
        emit_apart({regex_code::atomic}, loop);
    } else {
        loop();
    }
}

inline void regex_compiler::emit_behind(std::uint32_t n) {
    const regex_node& x = tree_.nodes[n];
    const std::uint32_t inner = x.kids.front();
    const std::vector<std::uint32_t> kids =
        tree_.nodes[inner].what == kind::alternatives ? tree_.nodes[inner].kids : std::vector<std::uint32_t>{inner};
    const bool negated = x.single.flag;
    const auto one = [&](std::uint32_t kid) {
        const auto count = length(kid);
        if(!count) {
            tokenworks::detail::raise<unsupported_error>(
                {"regular expression \"", tokenworks::detail::escaped(pattern_), "\", at byte ", pattern_.size(),
                 ": a look behind of no fixed length is not supported"});
        }
        emit_apart({.code = regex_code::look_behind, .flag = negated, .least = *count}, [&] { emit(kid); });
    };
    if(negated) { // none of them
        for(const std::uint32_t kid: kids) {
            one(kid);
        }
        return;
    }
    std::vector<std::uint32_t> ends;
    for(std::size_t i = 0; i < kids.size(); ++i) {
        const bool last = i + 1 == kids.size();
        const std::uint32_t choice = last ? 0 : add({.code = regex_code::split, .x = here() + 1});
        one(kids[i]);
        if(!last) {
            ends.push_back(add({regex_code::jump}));
            program_.code[choice].y = here();
        }
    }
    for(const std::uint32_t end: ends) {
        program_.code[end].x = here();
    }
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::detail
