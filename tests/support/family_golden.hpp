// Tiny models of every family with the logits that transformers computes: tests/golden/families, encoders,
// encoder_decoders, classifiers and image_encoders, made by tools/golden/families.py. Weights are not stored, but made
// from a hash of their names; see there.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tokenworks/io/safetensors_writer.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/quant/convert.hpp>

namespace support {

struct family_golden {
    std::string name;
    nlohmann::json config;
    nlohmann::json tensors; ///< rows of name, shape, mean, scale
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> decoder_ids; ///< where there is an encoder too
    std::vector<std::int32_t> types;       ///< of ids, where the model has such
    std::vector<std::string> salts;        ///< of a classifier: sets of weights
    std::string salt;                      ///< of the weights that are written
    std::vector<float> logits;             ///< [T,V]; of a classifier a row a salt
    nlohmann::json more;                   ///< the whole file

    /// @param group  families (decoders), encoders, encoder_decoders, classifiers or image_encoders
    explicit family_golden(const std::string& of, const std::string& group = "families") : name{of} {
        std::ifstream file{TOKENWORKS_TEST_DATA "/" + group + "/" + of + ".json"};
        const nlohmann::json all = nlohmann::json::parse(file);
        config = all.at("config");
        tensors = all.at("tensors");
        ids = all.at("ids").get<std::vector<std::int32_t>>();
        if(all.contains("decoder_ids")) {
            decoder_ids = all.at("decoder_ids").get<std::vector<std::int32_t>>();
        }
        if(all.contains("types")) {
            types = all.at("types").get<std::vector<std::int32_t>>();
        }
        if(all.contains("salts")) {
            salts = all.at("salts").get<std::vector<std::string>>();
        }
        logits = flat(all.at("logits"));
        more = all;
    }

    /// The values of rows, one after the other.
    [[nodiscard]] static std::vector<float> flat(const nlohmann::json& rows) {
        std::vector<float> values;
        for(const nlohmann::json& row: rows) {
            for(const nlohmann::json& value: row) {
                values.push_back(value.get<float>());
            }
        }
        return values;
    }

    /// All there are, by name.
    [[nodiscard]] static std::vector<std::string> names(const std::string& group = "families") {
        std::vector<std::string> all;
        for(const auto& entry: std::filesystem::directory_iterator{TOKENWORKS_TEST_DATA "/" + group}) {
            if(entry.path().extension() == ".json") {
                all.push_back(entry.path().stem().string());
            }
        }
        std::ranges::sort(all);
        return all;
    }

    [[nodiscard]] static std::vector<float> weights(std::string_view tensor, std::size_t count, double mean,
                                                    double scale) {
        std::uint64_t state = 0xCBF29CE484222325U;
        for(const char c: tensor) {
            state = (state ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
        }
        std::vector<float> values;
        while(values.size() < count) {
            std::uint64_t z = state += 0x9E3779B97F4A7C15U;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
            z ^= z >> 31;
            values.push_back(static_cast<float>(mean + scale * (static_cast<double>(z >> 57) - 64)));
        }
        return values;
    }

    /// Makes the folder a model, its weights in that type and in so many files.
    void write_to(const std::string& folder, tokenworks::dtype type, std::size_t shards = 1) const {
        std::ofstream{folder + "/config.json"} << config.dump(1);
        std::filesystem::remove(folder + "/model.safetensors.index.json");
        nlohmann::json index;
        for(std::size_t shard = 0; shard < shards; ++shard) {
            const std::string file =
                shards == 1 ? "model.safetensors" : "model-" + std::to_string(shard) + ".safetensors";
            tokenworks::io::safetensors_writer out;
            std::vector<std::vector<std::byte>> kept;
            for(std::size_t i = shard; i < tensors.size(); i += shards) {
                const auto shape = tensors[i][1].get<std::vector<std::uint64_t>>();
                std::size_t count = 1;
                for(const std::uint64_t extent: shape) {
                    count *= static_cast<std::size_t>(extent);
                }
                const auto tensor = tensors[i][0].get<std::string>();
                const std::vector<float> values =
                    weights(salt + tensor, count, tensors[i][2].get<double>(), tensors[i][3].get<double>());
                kept.emplace_back(count * tokenworks::info(type).block_bytes);
                tokenworks::quant::encode(type, values, kept.back());
                out.add_tensor(tensor, type, shape, std::span<const std::byte>{kept.back()});
                index["weight_map"][tensor] = file;
            }
            out.save(folder + "/" + file);
        }
        if(shards > 1) {
            std::ofstream{folder + "/model.safetensors.index.json"} << index.dump(1);
        }
    }

    /// The largest difference of some logits from these, as a part of the largest of these.
    [[nodiscard]] double worst(std::span<const float> of) const { return worst(of, logits); }
    [[nodiscard]] static double worst(std::span<const float> of, std::span<const float> expected) {
        double scale = 0;
        double difference = of.size() == expected.size() ? 0 : INFINITY;
        for(std::size_t i = 0; i < std::min(of.size(), expected.size()); ++i) {
            const double here = std::abs(static_cast<double>(of[i]) - static_cast<double>(expected[i]));
            difference = std::isfinite(here) ? std::max(difference, here) : INFINITY;
            scale = std::max(scale, std::abs(static_cast<double>(expected[i])));
        }
        return difference / scale;
    }
};

/// The logits of all tokens, which go through the model in steps of `chunk`, with a cache of float32.
inline std::vector<float> all_logits(const tokenworks::models::decoder& model, std::span<const std::int32_t> ids,
                                     std::size_t chunk, const tokenworks::execution& how = {}) {
    using input = tokenworks::models::decoder_input;
    tokenworks::nn::context c{how};
    tokenworks::nn::kv_cache cache = model.make_cache(ids.size(), tokenworks::dtype::f32);
    const std::size_t v = model.vocab_size();
    std::vector<float> logits(ids.size() * v);
    for(std::size_t at = 0; at < ids.size(); at += chunk) {
        const std::size_t count = std::min(chunk, ids.size() - at);
        const input next{&cache, ids.subspan(at, count), input::logits::all};
        model.forward(c, std::span{&next, 1}, tokenworks::nn::rows{logits.data() + at * v, count, v});
    }
    return logits;
}

} // namespace support
