// Which token may come next in a mesh (codec/mesh_tokens.hpp), so that whatever a model says becomes a mesh.
//
//   runtime::mesh_constraint well_formed{space, 512 - prompt.size()};
//   runtime::data_sink made{space};
//   runtime::make_tokens(model, state, prompt, well_formed, made);
//
// Corners rise, and there are at least four; triangles rise and name corners that there are, three different ones; of
// two triangles at an edge each runs along it in another direction, so that no edge has more than two. The end comes
// before the room does.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tokenworks/codec/mesh_tokens.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/sampling/constraint.hpp>

namespace tokenworks::inline TOKENWORKS_ABI::runtime {

class mesh_constraint {
public:
    /// Tokens of the smallest mesh: four corners, the mark, a triangle, the end.
    static constexpr std::size_t least_tokens = 3 * 4 + 1 + 3 + 1;

    /// @param space  must outlive it   @param most_tokens  that may come
    /// @throws argument_error where no mesh has room
    mesh_constraint(const codec::mesh_tokens& space, std::size_t most_tokens) : space_{&space}, left_{most_tokens} {
        if(most_tokens < least_tokens) {
            tokenworks::detail::raise<argument_error>(
                {"mesh_constraint: room for ", most_tokens, " tokens, the smallest mesh has ", least_tokens});
        }
    }

    [[nodiscard]] bool allows(sampling::token_id id) const {
        if(done_) {
            return false;
        }
        if(in_faces_) {
            if(id == space_->end) {
                return place_ == 0 && last_face_[1] != 0;
            }
            const std::int64_t corner = std::int64_t{id} - space_->first_vertex();
            return corner >= 0 && corner < static_cast<std::int64_t>(vertices_) && allows_corner(corner);
        }
        if(id == space_->faces) {
            return place_ == 0 && vertices_ >= least_vertices;
        }
        const std::int64_t level = std::int64_t{id} - space_->first_level();
        return level >= 0 && level < levels() && allows_level(level);
    }

    /// @throws argument_error for an id that was not allowed
    void accept(sampling::token_id id) {
        if(!allows(id)) {
            tokenworks::detail::raise<argument_error>({"mesh_constraint: token ", id, " is not allowed here"});
        }
        --left_;
        if(id == space_->end) {
            done_ = true;
        } else if(id == space_->faces) {
            in_faces_ = true;
            used_.assign(vertices_ * vertices_, 0);
        } else if(in_faces_) {
            face_[place_] = id - space_->first_vertex();
            place_ = (place_ + 1) % 3;
            if(place_ == 0) {
                last_face_ = face_;
                for(std::size_t i = 0; i < 3; ++i) {
                    used_[edge(face_[i], face_[(i + 1) % 3])] = 1;
                }
            }
        } else {
            prefix_ = prefix_ * levels() + (id - space_->first_level());
            place_ = (place_ + 1) % 3;
            if(place_ == 0) {
                last_key_ = prefix_;
                prefix_ = 0;
                ++vertices_;
            }
        }
    }

    [[nodiscard]] bool done() const noexcept { return done_; }

private:
    static constexpr std::size_t least_vertices = 4;

    [[nodiscard]] std::int64_t levels() const noexcept { return static_cast<std::int64_t>(space_->levels()); }

    /// Whether some corner behind the last begins with these levels, and leaves room for those that must follow.
    [[nodiscard]] bool allows_level(std::int64_t level) const {
        constexpr std::size_t behind = 3 + 1 + 3 + 1; // this corner, the mark, a triangle, the end
        if(place_ == 0 && (vertices_ == space_->most_vertices() || (vertices_ >= least_vertices && left_ < behind))) {
            return false;
        }
        const std::int64_t wanted = static_cast<std::int64_t>(std::max(least_vertices, vertices_ + 1) - vertices_ - 1);
        std::int64_t low = prefix_ * levels() + level;
        std::int64_t high = low;
        for(std::size_t i = place_ + 1; i < 3; ++i) {
            low = low * levels();
            high = high * levels() + levels() - 1;
        }
        const std::int64_t top = levels() * levels() * levels() - 1 - wanted;
        return std::max(low, last_key_ + 1) <= std::min(high, top);
    }

    /// Whether a triangle behind the last one begins like this.
    [[nodiscard]] bool allows_corner(std::int64_t corner) const {
        if(place_ == 0) {
            if(left_ < 3 + 1 || corner < last_face_[0]) {
                return false;
            }
            for(std::int64_t b = corner + 1; b < static_cast<std::int64_t>(vertices_); ++b) {
                if(has_third(corner, b)) {
                    return true;
                }
            }
            return false;
        }
        return place_ == 1 ? has_third(face_[0], corner) : fits(face_[0], face_[1], corner);
    }
    [[nodiscard]] bool has_third(std::int64_t a, std::int64_t b) const {
        if(b <= a || used_[edge(a, b)] != 0 || (a == last_face_[0] && b < last_face_[1])) {
            return false;
        }
        for(std::int64_t c = a + 1; c < static_cast<std::int64_t>(vertices_); ++c) {
            if(fits(a, b, c)) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] bool fits(std::int64_t a, std::int64_t b, std::int64_t c) const {
        const std::array<std::int64_t, 3> face{a, b, c};
        return b > a && c > a && b != c && face > last_face_ && used_[edge(a, b)] == 0 && used_[edge(b, c)] == 0 &&
               used_[edge(c, a)] == 0;
    }
    [[nodiscard]] std::size_t edge(std::int64_t from, std::int64_t to) const noexcept {
        return static_cast<std::size_t>(from) * vertices_ + static_cast<std::size_t>(to);
    }

    const codec::mesh_tokens* space_;
    std::size_t left_;
    bool in_faces_ = false;
    bool done_ = false;
    std::size_t place_ = 0; // of three
    std::size_t vertices_ = 0;
    std::int64_t prefix_ = 0; // levels of the corner that has begun
    std::int64_t last_key_ = -1;
    std::array<std::int64_t, 3> face_{};
    std::array<std::int64_t, 3> last_face_{};
    std::vector<std::uint8_t> used_{}; // [vertices,vertices], edges by their direction
};

static_assert(sampling::constraint<mesh_constraint>);

} // namespace tokenworks::inline TOKENWORKS_ABI::runtime
