// What the command line of `serve` was parsed into.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <tokenworks/sampling/options.hpp>

#include "options.hpp"
#include "serve_http.hpp"

namespace cli {

struct serve_command {
    http_options http{.connections = 0}; ///< 0 connections: by the number of jobs
    std::size_t parallel = 16;           ///< sequences that run at a time
    std::size_t queue = 0;               ///< samples that wait; 0: four times as many
    std::optional<double> queue_seconds; ///< that one may be expected to wait; 0: no bound
    std::size_t context = 0;             ///< tokens of a sequence; 0: the model's
    std::size_t cache_tokens = 0;        ///< 0: as the engine chooses
    std::string cache_type = "f16";
    std::string alias;                 ///< how clients call the model; empty: its file's name
    std::string embed_model;           ///< an encoder for /v1/embeddings, or empty
    std::vector<std::string> api_keys; ///< NAME=KEY or KEY
    std::string api_key_file;          ///< a line each, or empty
    double requests_per_minute = 0;    ///< of a key; 0: no limit
    double tokens_per_minute = 0;
    double timeout = 600;         ///< seconds of a request
    double drain = 30;            ///< seconds to finish in
    bool separate_caches = false; ///< keys do not share what was computed of prompts
    std::string prefix_cache;     ///< a file, or empty
    std::string log = "text";     ///< json, text or none
    tw::sampling::sampler_options sampling{};
};

int serve_models(const common_options&, const serve_command&);

} // namespace cli
