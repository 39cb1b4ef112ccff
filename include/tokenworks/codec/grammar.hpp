// Which texts may be written: rules over bytes, as a graph that a machine with a stack walks
// (codec/grammar_machine.hpp).
//
//   codec::grammar_builder make;
//   const auto number = make.plus(make.range('0', '9'));
//   const codec::grammar g = make.finish(make.sequence({number, make.text("%")}), "percent");
//
// Forms that people write come from codec/gbnf.hpp, codec/regex_automaton.hpp and codec/json_schema.hpp. Nodes have
// edges, which take a byte of a range, and moves, which take none: to another node, through a rule and back, or so many
// times through a rule. Repetitions are counted, not copied: x{0,65536} is two nodes. Classes of characters become
// bytes of UTF-8, so that a token may end in the middle of a character. A grammar is checked once, and read-only
// afterwards: no rule calls itself before it has taken a byte, and every node can reach the end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/config.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::codec {

class grammar {
public:
    using node_id = std::uint32_t;
    static constexpr std::uint32_t unbounded = ~std::uint32_t{0};
    static constexpr std::size_t most_elements = 1'000'000; ///< nodes, edges and moves together

    struct edge {
        node_id to;
        std::uint8_t first, last; ///< bytes
    };
    enum class how : std::uint8_t { jump, call, repeat };
    struct move {
        how kind;
        node_id to;          ///< where it goes, or comes back to
        node_id entry;       ///< of the rule; calls and repeats
        std::uint32_t least; ///< rounds of a repeat
        std::uint32_t most;  ///< maybe unbounded
        bool hollow;         ///< a round may take nothing (the least is 0 then)
    };

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] node_id root() const noexcept { return root_; }
    [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }
    [[nodiscard]] std::span<const edge> edges(node_id n) const noexcept {
        return std::span{edges_}.subspan(nodes_[n].edges, nodes_[n].edge_count);
    }
    [[nodiscard]] std::span<const move> moves(node_id n) const noexcept {
        return std::span{moves_}.subspan(nodes_[n].moves, nodes_[n].move_count);
    }
    /// The move with this number; moves(n)[i] has number first_move(n) + i.
    [[nodiscard]] const move& move_at(std::uint32_t number) const noexcept { return moves_[number]; }
    [[nodiscard]] std::uint32_t first_move(node_id n) const noexcept { return nodes_[n].moves; }
    /// The rule that the node belongs to may end here.
    [[nodiscard]] bool is_end(node_id n) const noexcept { return nodes_[n].end; }
    /// Nothing but the end of the rule is left: a call that comes back here needs no place to come back to.
    [[nodiscard]] bool is_tail(node_id n) const noexcept {
        return nodes_[n].end && nodes_[n].edge_count == 0 && nodes_[n].move_count == 0;
    }
    /// Bytes of one class are alike for all edges.
    [[nodiscard]] std::size_t byte_classes() const noexcept { return class_bytes_.size(); }
    [[nodiscard]] std::uint8_t class_of(std::uint8_t byte) const noexcept { return classes_[byte]; }
    /// A byte of a class.
    [[nodiscard]] std::uint8_t byte_of(std::size_t which) const noexcept { return class_bytes_[which]; }

private:
    friend class grammar_builder;

    struct node {
        std::uint32_t edges = 0, edge_count = 0;
        std::uint32_t moves = 0, move_count = 0;
        bool end = false;
    };

    std::string name_;
    node_id root_ = 0;
    std::vector<node> nodes_;
    std::vector<edge> edges_;
    std::vector<move> moves_;
    std::array<std::uint8_t, 256> classes_{};
    std::vector<std::uint8_t> class_bytes_;
};

} // namespace tokenworks::inline TOKENWORKS_ABI::codec
