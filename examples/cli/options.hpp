// What the command line was parsed into, a struct a subcommand, and the functions that carry them out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <tokenworks/core/execution.hpp>
#include <tokenworks/sampling/options.hpp>

namespace cli {

namespace tw = tokenworks;

/// Bad usage that the parser could not see; the program exits with 2.
struct usage_error: std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct common_options {
    std::string model;
    unsigned threads = 0;
    std::string isa = "auto";
    std::string packed_cache; ///< a file for packed weights, or empty
    std::string matmul_precision = "highest";
    std::string quantize;                  ///< a type or mix to bring the weights to, or empty
    std::vector<std::string> tensor_types; ///< REGEX=TYPE
    std::string imatrix;                   ///< a file, or empty
    std::vector<std::string> loras;        ///< PATH or PATH:SCALE
    bool merge_loras = false;
    bool json = false;
};

/// Text or ids, from the flags that subcommands share.
struct input_options {
    std::optional<std::string> text;
    std::optional<std::string> file;
    std::optional<std::string> ids;
};

struct tokenize_options {
    input_options input;
    std::optional<std::string> jsonl;
    bool add_special = false;
    bool parse_special = false;
};

struct detokenize_options {
    std::optional<std::string> ids;
    std::optional<std::string> jsonl;
};

struct embed_options {
    input_options input;
    std::optional<std::string> image; ///< a file with a picture
    std::string pooling;
    bool normalize = false;
};

struct rerank_options {
    std::string query;
    std::string file; ///< a document a line
};

struct logits_options {
    std::string ids;
    std::string decoder_ids;
    std::string out;
};

struct generate_options {
    input_options input;
    std::size_t max_tokens = 128;
    std::size_t context = 0;
    bool chat = false;
    std::optional<std::string> suffix;
    std::optional<std::string> suffix_file;
    bool ignore_eos = false;
    std::optional<std::string> system;
    std::vector<std::string> stop;
    std::string cache_type = "f16";
    std::vector<std::string> logit_bias;
    std::optional<std::string> grammar_file;
    std::optional<std::string> json_schema;
    std::optional<std::string> regex;
    std::vector<std::string> choices;
    tw::sampling::sampler_options sampling;
    // Of generate alone; what is not given, a folder may say.
    std::optional<std::size_t> beams;
    std::optional<float> length_penalty;
    std::optional<std::size_t> no_repeat_ngram;
    std::optional<std::string> forced_bos;
    bool has_max_tokens = false; ///< -n was given
    bool draws = false;          ///< a flag that says how tokens are drawn was given
    bool penalises = false;      ///< a penalty was given
    bool needs_loop = false;     ///< or another one that beams do not heed
};

/// What --cache-type takes, for its help and its error.
inline constexpr const char* cache_types = "f32, f16, bf16, q8_0, q4_0";

struct perplexity_options {
    std::string file;
    std::size_t context = 512;
};

struct bench_options {
    std::size_t prompt = 512;
    std::optional<std::size_t> generate; ///< nothing: 128 tokens, or as many values as a forecaster was trained for
    std::size_t batch = 1;
    std::size_t depth = 0;
    std::string cache_type = "f16";
    std::size_t repetitions = 5;
};

struct forecast_command {
    std::string file;
    std::size_t horizon = 0;
    std::vector<std::string> columns;
    std::string quantiles = "0.1,0.5,0.9";
    std::string season = "auto";
    std::string frequency = "auto";
    std::string out;  ///< a file, or empty: stdout
    std::string plot; ///< a file, or empty
    std::size_t samples = 0;
    std::optional<float> temperature;
    std::uint64_t seed = 0;
};

struct image_command {
    std::optional<std::string> label; ///< a class
    std::string infill;               ///< a picture, or empty
    std::string mask;
    std::string out;  ///< a file, or empty
    std::string each; ///< a folder, or empty
    bool list = false;
    bool preview = false;
    std::size_t count = 1;
    std::uint64_t seed = 0;
    std::size_t steps = 50; ///< of a diffusion model
    std::optional<float> guidance;
    std::optional<float> temperature;
    int top_k = 0;
    float top_p = 1;
    float min_p = 0;
};

struct mesh_command {
    std::string name; ///< of a class
    std::size_t count = 1;
    std::string out;            ///< a file, or empty: OBJ on stdout
    std::string each;           ///< a folder, or empty
    std::string format = "obj"; ///< of the files in that folder
    std::string render;         ///< a file, or empty
    bool list = false;
    float temperature = 0.7F;
    std::uint64_t seed = 0;
};

struct video_command {
    std::string name;                  ///< of a class
    std::vector<std::string> from{};   ///< PNG files, a frame each
    std::optional<std::size_t> frames; ///< new ones
    std::string out;                   ///< a file
    bool list = false;
    std::size_t rate = 8;  ///< frames a second
    std::size_t scale = 1; ///< pixels for each
    std::optional<float> temperature;
    std::uint64_t seed = 0;
};

struct protein_command {
    std::string file;   ///< FASTA
    std::string family; ///< or empty
    bool list = false;  ///< of families
    std::size_t count = 1;
    std::size_t least = 1; ///< residues to make
    std::size_t most = 0;  ///< 0: as many as fit
    std::string begin;     ///< residues that a sequence begins with
    std::size_t first = 0; ///< of the part that is replaced, counted from 1
    std::size_t last = 0;
    std::string out;  ///< a file, or empty: stdout
    std::string each; ///< a folder, or empty
    std::string plot; ///< a file, or empty
    tw::sampling::sampler_options sampling;
};

struct plan_options {
    std::size_t context = 0;
    std::size_t batch = 1;
    std::size_t prompt = 512;
    std::size_t depth = 0;
    std::string cache_type = "f16";
};

struct quantize_options {
    std::string in;
    std::string out;
    std::string type;
};

struct imatrix_options {
    std::string file;
    std::string out;
    std::size_t context = 512;
    std::size_t chunks = 0; ///< at most; 0: all that the text has
};

// Each returns the exit code; errors are exceptions.
int info(const common_options&, bool verify);
int tokenize(const common_options&, const tokenize_options&);
int detokenize(const common_options&, const detokenize_options&);
int quantize(const common_options&, const quantize_options&);
int logits(const common_options&, const logits_options&);
int embed(const common_options&, const embed_options&);
int classify(const common_options&, const input_options&);
int rerank(const common_options&, const rerank_options&);
int generate(const common_options&, const generate_options&);
int chat(const common_options&, const generate_options&);
int perplexity(const common_options&, const perplexity_options&);
int bench(const common_options&, const bench_options&);
int plan(const common_options&, const plan_options&);
int imatrix(const common_options&, const imatrix_options&);
int forecast(const common_options&, const forecast_command&);
int image(const common_options&, const image_command&);
int mesh(const common_options&, const mesh_command&);
int video(const common_options&, const video_command&);
int protein_generate(const common_options&, const protein_command&);
int protein_infill(const common_options&, const protein_command&);
int protein_score(const common_options&, const protein_command&);
int protein_mutate(const common_options&, const protein_command&);
int protein_embed(const common_options&, const protein_command&);
int protein_contacts(const common_options&, const protein_command&);

// Shared by the subcommands.

/// Flushes stdout: what was written so far has arrived there.
/// @throws tw::io_error
void require_stdout();
/// The instruction set that --isa or TOKENWORKS_ISA asks for.
/// @throws usage_error for a name that is none; tw::unsupported_error where the processor lacks it
[[nodiscard]] tw::isa chosen_isa(const common_options&);
/// The model that -m names, or one that comes with the program.
/// @throws usage_error where that is not to be found
[[nodiscard]] std::string model_or_shipped(const std::string& given, const std::string& name);
/// Whole numbers between commas or blanks.
/// @param where  what errors call the text
/// @throws usage_error for what is none, or does not fit
[[nodiscard]] std::vector<std::int32_t> parse_ids(const std::string& text, const std::string& where = "--ids");
/// Calls take(line, where) for each line of a file; `where` is what errors call the line.
/// @throws tw::io_error
void for_each_line(const std::string& path,
                   const std::function<void(const std::string& line, const std::string& where)>& take);
/// The whole of a file.
/// @throws tw::io_error
[[nodiscard]] std::string read_text(const std::string& path);
/// The text of --text, -p or --file.
/// @throws usage_error where there is none, or more than one
[[nodiscard]] std::string text_of(const input_options&);

/// A bar on stderr where that is a terminal; nothing elsewhere.
class progress_bar {
public:
    explicit progress_bar(std::string what);
    ~progress_bar();
    progress_bar(const progress_bar&) = delete;
    progress_bar& operator=(const progress_bar&) = delete;
    void operator()(std::uint64_t done, std::uint64_t total);

private:
    std::string what_;
    bool shown_;
    int percent_ = -1;
};

} // namespace cli
