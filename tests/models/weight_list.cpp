#include <tokenworks/models/weight_list.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder_decoder.hpp>
#include <tokenworks/models/image_text_encoder.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

namespace {

/// Matrices that may have one row.
bool is_of_one_row(std::string_view name) {
    return name.ends_with("_inp_shexp.weight") || name == "token_types.weight";
}

/// Notes which matrices a model loads.
class watched final: public weight_source {
public:
    explicit watched(const weight_source& source) : source_{&source} {}
    [[nodiscard]] std::optional<weight> find(std::string_view name) const override {
        std::optional<weight> found = source_->find(name);
        if(found && !found->bytes.empty()) {
            std::size_t long_axes = 0;
            for(const std::size_t extent: found->extents) {
                long_axes += extent > 1 ? 1 : 0;
            }
            if(long_axes == 2 || is_of_one_row(name)) {
                seen.insert(std::string{name});
            }
            const std::optional<weight> outline = source_->describe(name);
            CHECK(outline);
            CHECK(outline->type == found->type);
            CHECK(outline->extents == found->extents);
            CHECK(outline->bytes.empty());
        }
        return found;
    }
    [[nodiscard]] std::string label() const override { return source_->label(); }

    mutable std::set<std::string> seen;

private:
    const weight_source* source_;
};

std::set<std::string> listed(const model_config& config, const weight_source& source, const listed_part& part) {
    std::set<std::string> names;
    for_each_matrix(config, part, [&](const listed_matrix& each) {
        INFO(each.name);
        CHECK(names.insert(each.name).second);
        const std::vector<std::size_t> extents{each.rows, each.columns};
        CHECK_NOTHROW(require_real(source, each.name, extents, true));
    });
    return names;
}

} // namespace

TEST_CASE("weight_list: names and shapes are those that decoders load", "[models]") {
    const files::temporary_folder folder;
    for(const std::string& name: family_golden::names()) {
        INFO(name);
        family_golden{name}.write_to(folder.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(folder.string());
        const watched source{opened.weights()};
        const decoder loaded{opened.config(), source};
        std::set<std::string> seen;
        for(const std::string& each: source.seen) { // weights of norms, one a head, are matrices in form
            if(each.find("_norm") == std::string::npos) {
                seen.insert(each);
            }
        }
        CHECK(listed(opened.config(), opened.weights(), {}) == seen);
    }
}

TEST_CASE("weight_list: those of encoders, and of both parts of a model", "[models]") {
    const files::temporary_folder folder;
    for(const std::string& name: family_golden::names("encoders")) {
        INFO(name);
        family_golden{name, "encoders"}.write_to(folder.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(folder.string());
        const watched source{opened.weights()};
        const encoder loaded{opened.config(), source};
        CHECK(listed(opened.config(), opened.weights(), {.has_head = loaded.has_head()}) == source.seen);
    }
    for(const std::string& name: family_golden::names("image_encoders")) {
        INFO(name);
        family_golden{name, "image_encoders"}.write_to(folder.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(folder.string());
        const watched source{opened.weights()};
        if(!opened.encoder_config()) {
            const image_encoder loaded{opened.config(), source};
            CHECK(listed(opened.config(), opened.weights(), {}) == source.seen);
            continue;
        }
        const image_text_encoder loaded{opened.config(), *opened.encoder_config(), source};
        std::set<std::string> all = listed(*opened.encoder_config(), opened.weights(), {.prefix = "enc."});
        all.merge(listed(opened.config(), opened.weights(), {}));
        CHECK(source.seen.erase("projection.weight") == 1); // of neither tower
        CHECK(all == source.seen);
    }
    for(const std::string& name: family_golden::names("encoder_decoders")) {
        INFO(name);
        family_golden{name, "encoder_decoders"}.write_to(folder.string(), tw::dtype::f32);
        const model_folder opened = model_folder::open(folder.string());
        const watched source{opened.weights()};
        const encoder_decoder loaded{*opened.encoder_config(), opened.config(), source};
        std::set<std::string> all =
            listed(*opened.encoder_config(), opened.weights(), {.prefix = "enc.", .has_head = false});
        all.merge(listed(opened.config(), opened.weights(), {.prefix = "dec.", .tokens = false}));
        std::erase_if(source.seen, [](const std::string& each) { return each.find("attn_rel_b") != each.npos; });
        CHECK(all == source.seen);
    }
}
