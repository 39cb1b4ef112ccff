#include <tokenworks/models/llamagen.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/model_folder.hpp>

#include "io/files.hpp"
#include "support/catch.hpp"
#include "support/family_golden.hpp"
#include "support/kernels.hpp"
#include "support/opened_model.hpp"

namespace tw = tokenworks;
using namespace tokenworks::models;
using support::family_golden;

TEST_CASE("llamagen: the logits of its own code, of a class and of none, however cut into steps", "[models]") {
    const family_golden golden{"llamagen", "pictures"};
    for(const tw::dtype type: {tw::dtype::f32, tw::dtype::bf16}) {
        const support::opened_model<decoder> o{golden, type};
        CHECK(o.model->vocab_size() == 30 + 5 + 1);
        for(std::size_t i = 0; i < 2; ++i) {
            std::vector<std::int32_t> ids{30 + golden.more.at("classes")[i].get<std::int32_t>()};
            ids.insert(ids.end(), golden.ids.begin(), golden.ids.end());
            const std::vector<float> expected = golden.more.at("logits")[i].get<std::vector<float>>();
            support::for_each_isa([&](const tw::execution& how) {
                for(const std::size_t chunk: {std::size_t{1}, std::size_t{5}, ids.size()}) {
                    const std::vector<float> all = support::all_logits(*o.model, ids, chunk, how);
                    std::vector<float> codes;
                    bool are_zero = true;
                    for(std::size_t t = 0; t < ids.size(); ++t) {
                        const std::span<const float> row = std::span{all}.subspan(t * 36, 36);
                        codes.insert(codes.end(), row.begin(), row.begin() + 30);
                        are_zero = are_zero && row[30] == 0 && row[35] == 0;
                    }
                    CHECK(family_golden::worst(codes, expected) < 1e-5);
                    CHECK(are_zero); // classes cannot follow, and say so in every row
                }
            });
        }
    }
}

TEST_CASE("llamagen: a configuration that does not fit is refused by its key", "[models]") {
    family_golden golden{"llamagen", "pictures"};
    const auto refusal = [&](const char* key, const nlohmann::json& value) {
        family_golden changed = golden;
        changed.config[key] = value;
        const files::temporary_folder folder;
        changed.write_to(folder.string(), tw::dtype::f32);
        return files::refusal<tw::error>([&] { static_cast<void>(model_folder::open(folder.string())); });
    };
    CHECK_THAT(refusal("block_size", 15), ContainsSubstring("block_size") && ContainsSubstring("no square"));
    CHECK_THAT(refusal("n_head", 5), ContainsSubstring("n_head"));
    CHECK_THAT(refusal("cls_token_num", 120), ContainsSubstring("captions"));
    CHECK_THAT(refusal("vocab_size", 31), ContainsSubstring("codebook_size"));
    CHECK_THAT(refusal("labels", nlohmann::json{"one"}), ContainsSubstring("1 names for 5 classes"));
    golden.config["num_classes"] = 3; // the table has rows for more
    const files::temporary_folder folder;
    golden.write_to(folder.string(), tw::dtype::f32);
    const model_folder opened = model_folder::open(folder.string());
    CHECK_THROWS_WITH((decoder{opened.config(), opened.weights()}), ContainsSubstring("tok_embeddings.weight"));
}
