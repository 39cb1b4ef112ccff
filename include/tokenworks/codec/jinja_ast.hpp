// A chat template as a tree: what the parser makes and the interpreter walks.
//
// Nodes lie in one array and name each other by index, so that neither making nor destroying a tree recurses. Index 0
// is no node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/jinja_value.hpp>
#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja {

enum class op : std::uint8_t {
    // Expressions; a, b, c are nodes, list is a number of them
    constant,    ///< constant
    name,        ///< name
    list,        ///< [list]
    tuple,       ///< (list)
    dict,        ///< {list}: keys and values in turns
    attribute,   ///< a.name
    item,        ///< a[b]
    slice,       ///< a:b:c, as the b of an item
    call,        ///< a(list)
    filter,      ///< a|name(list); without a: of the text that a block holds
    test,        ///< a is name(list)
    negative,    ///< -a
    positive,    ///< +a
    negation,    ///< not a
    add,         ///< a + b
    subtract,    ///< a - b
    multiply,    ///< a * b
    divide,      ///< a / b
    floor,       ///< a // b
    modulo,      ///< a % b
    power,       ///< a ** b
    concat,      ///< list[0] ~ list[1] ~ ...
    both,        ///< a and b
    either,      ///< a or b
    choice,      ///< b if a else c
    compare,     ///< a, then each of list
    equal,       ///< in a compare: == a
    unequal,     ///< != a
    less,        ///< < a
    less_equal,  ///< <= a
    more,        ///< > a
    more_equal,  ///< >= a
    in,          ///< in a
    not_in,      ///< not in a
    keyword,     ///< in a call: name=a
    unpack,      ///< in a call: *a
    unpack_dict, ///< in a call: **a
    member,      ///< as a target: a.name, of a namespace
    // Statements
    sequence,     ///< list
    data,         ///< constant
    print,        ///< {{ a }}
    assign,       ///< {% set a = b %}
    assign_block, ///< {% set a | b %} c {% endset %}
    branch,       ///< {% if list[0] %} list[1] {% elif list[2] %} list[3] ... {% else %} c {% endif %}
    loop,         ///< {% for a in b if c %} list[0] {% else %} list[1] {% endfor %}
    macro,        ///< {% macro name(list) %} a {% endmacro %}; parameters are keywords, with or without default
    call_block,   ///< {% call(list) b %} a {% endcall %}
    filter_block, ///< {% filter b %} a {% endfilter %}
    with,         ///< {% with list[0] = list[1], ... %} a {% endwith %}
    scope,        ///< {% generation %} a {% endgeneration %}
    stop,         ///< {% break %}
    next          ///< {% continue %}
};

struct node {
    op what = op::constant;
    std::uint8_t flags = 0; ///< of macros and call blocks: node::takes_...
    std::uint16_t height = 1;
    std::uint32_t line = 0;
    std::uint32_t name = 0;
    std::uint32_t a = 0;
    std::uint32_t b = 0;
    std::uint32_t c = 0;
    std::uint32_t first = 0; ///< of list, in program::lists
    std::uint32_t count = 0;
    value constant{};

    static constexpr std::uint8_t takes_caller = 1; ///< the body speaks of caller
    static constexpr std::uint8_t takes_kwargs = 2;
    static constexpr std::uint8_t takes_varargs = 4;
};

/// A parsed template.
struct program {
    std::vector<node> nodes;
    std::vector<std::uint32_t> lists;
    std::vector<std::string> names;
    std::uint32_t root = 0;

    static constexpr std::uint32_t no_name = ~std::uint32_t{0};

    [[nodiscard]] const node& at(std::uint32_t index) const noexcept { return nodes[index]; }
    /// The number of a name; no_name for one that the template does not speak of.
    [[nodiscard]] std::uint32_t find(std::string_view name) const noexcept {
        for(std::uint32_t id = 0; id < names.size(); ++id) {
            if(names[id] == name) {
                return id;
            }
        }
        return no_name;
    }
    [[nodiscard]] std::uint32_t child(const node& n, std::size_t i) const noexcept { return lists[n.first + i]; }
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec::jinja
