// Models of proteins: sequences made, scored, embedded and filled, and what a change of a residue does to them.
// Decoders as ProtGPT2, ProGen2, IgLM and the one that comes with the project, and ESM-2, which is an encoder.
//
//   auto model = tokenworks::protein_model::load("models/protein.gguf");
//   std::string globin = model.generate({.family = "globin", .seed = 7});
//   double likely = model.log_likelihood("MVLSPADKTNVKAAW");
//
// How a sequence is framed is said by codec/protein_format.hpp. Whatever the weights are, what is made has standard
// residues only, and at least one.
//
// Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tokenworks/codec/protein_format.hpp>
#include <tokenworks/codec/residues.hpp>
#include <tokenworks/config.hpp>
#include <tokenworks/core/error.hpp>
#include <tokenworks/core/execution.hpp>
#include <tokenworks/core/limits.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/gguf_writer.hpp>
#include <tokenworks/models/decoder.hpp>
#include <tokenworks/models/encoder.hpp>
#include <tokenworks/models/model_files.hpp>
#include <tokenworks/nn/context.hpp>
#include <tokenworks/nn/kv_cache.hpp>
#include <tokenworks/runtime/contact_map.hpp>
#include <tokenworks/runtime/encoder_folder.hpp>
#include <tokenworks/runtime/framed_likelihoods.hpp>
#include <tokenworks/runtime/load_text_model.hpp>
#include <tokenworks/runtime/log_sum_exp.hpp>
#include <tokenworks/runtime/request.hpp>
#include <tokenworks/runtime/self_check.hpp>
#include <tokenworks/runtime/text_model.hpp>
#include <tokenworks/sampling/options.hpp>

#if TOKENWORKS_DEFINITIONS
#include <tokenworks/io/file_bytes.hpp>
#include <tokenworks/runtime/residue_constraint.hpp>
#include <tokenworks/runtime/run_alone.hpp>
#include <tokenworks/sampling/constraint_copies.hpp>
#endif

namespace tokenworks::inline TOKENWORKS_ABI {

struct protein_options {
    std::string family{};   ///< one of protein_model::families(), or empty
    std::size_t least = 1;  ///< residues to make at least
    std::size_t most = 0;   ///< and at most; 0: as many as the model's context has room for
    std::uint64_t seed = 0; ///< in place of the one in `sampling`
    sampling::sampler_options sampling{};
    std::string begin{}; ///< residues that the sequence begins with
};

/// A sequence to be scored.
struct scored_protein {
    std::string_view sequence{};
    std::string family{}; ///< or empty
};

/// Immutable once loaded: share it by const reference.
class protein_model {
public:
    /// Done and total; false cancels.
    using progress = std::function<bool(std::size_t, std::size_t)>;

    /// @throws io_error, format_error, limit_error, cancelled_error; unsupported_error for a model of something else
    [[nodiscard]] static protein_model load(const std::string& path, const load_options& options = {},
                                            const limits& bounds = {}) {
        return protein_model{path, options, bounds};
    }

    [[nodiscard]] const codec::protein_format& format() const noexcept { return format_; }
    [[nodiscard]] const codec::residues& residues() const noexcept { return space_; }
    [[nodiscard]] const std::vector<codec::protein_family>& families() const noexcept { return format_.families; }
    /// C.
    [[nodiscard]] std::size_t width() const noexcept { return config().width; }
    [[nodiscard]] const models::model_config& config() const noexcept {
        return decoder_ ? decoder_->config() : encoder_->network().config();
    }
    [[nodiscard]] bool is_encoder() const noexcept { return encoder_ != nullptr; }

    /// @throws unsupported_error for an encoder
    [[nodiscard]] const text_model& network() const {
        require_decoder();
        return *decoder_;
    }

    /// What an engine of network() is asked for a new sequence, and what its ids become. Refers to the model.
    /// @throws as generate
    [[nodiscard]] runtime::request request_of(const protein_options& options) const;
    [[nodiscard]] std::string sequence_of(const protein_options& options,
                                          std::span<const sampling::token_id> ids) const {
        return options.begin + space_.decode(ids);
    }

    /// A new sequence, its given beginning included.
    /// @throws unsupported_error for an encoder; argument_error for a family that there is not, bounds that cross, or a
    ///         beginning with what is no residue; capacity_error where it does not fit into the context
    [[nodiscard]] std::string generate(const protein_options& options) const;

    /// What may stand between two parts of a sequence, without them.
    /// @throws as generate; unsupported_error where the model was not trained to fill gaps
    [[nodiscard]] std::string infill(std::string_view before, std::string_view after,
                                     const protein_options& options) const;

    /// The natural logarithm of the probability of the residues and the end, summed. What is longer than the context is
    /// seen through windows that overlap by half. Of an encoder: the sum of what it says of each residue where that one
    /// is masked (pseudo-log-likelihood).
    /// @throws argument_error for an empty sequence, or what is no residue
    [[nodiscard]] double log_likelihood(std::string_view sequence, const std::string& family = {}) const {
        const std::vector<double> all = log_likelihoods(sequence, family);
        return std::accumulate(all.begin(), all.end(), 0.0);
    }

    /// Of several at once: each has what log_likelihood says of it alone.
    [[nodiscard]] std::vector<double> log_likelihoods_of(std::span<const scored_protein> all) const;

    /// The same of each token: residue by residue, in most models, and the end, which encoders have not.
    [[nodiscard]] std::vector<double> log_likelihoods(std::string_view sequence, const std::string& family = {}) const;

    /// How much likelier each of the 20 residues is at each place than the one that is there: log-odds, natural
    /// logarithm, in the order of residues::standard. With encoders and models that fill gaps, of what they say where
    /// that place is hidden (Meier et al., "Language models enable zero-shot prediction of the effects of mutations on
    /// protein function", 2021, "masked marginals"); with others, of the whole sequence.
    /// @return [T,20]
    [[nodiscard]] std::vector<float> mutations(std::string_view sequence, const std::string& family = {},
                                               const progress& on_progress = {}) const;

    /// The mean of the last layer's rows of all residues.
    /// @return [C]
    [[nodiscard]] std::vector<float> embed(std::string_view sequence, const std::string& family = {}) const;

    /// How likely two residues touch, of ESM-2 with its contact head (runtime/contact_map.hpp).
    /// @return [T,T]
    /// @throws unsupported_error where the model has no such head
    [[nodiscard]] std::vector<float> contacts(std::string_view sequence) const;

    /// A file may carry a sequence and what a right model says of its tokens: the largest difference from that, natural
    /// logarithm. Nothing where it carries none. Instruction sets may differ by a few hundredths in 8 bits.
    [[nodiscard]] std::optional<double> self_check() const;
    static constexpr runtime::check_bound check_bound{0.1, "of a log-likelihood"};

    /// The sequence that files carry: human haemoglobin, the chain beta.
    static constexpr std::string_view check_sequence =
        "MVHLTPEEKSAVTALWGKVNVDEVGGEALGRLLVVYPWTQRFFESFGDLSTPDAVMGNPKVKAHGKKVLGAFSDGLAHLDNLKGTFATLSELHCDKLHVDPENFRLLGNV"
        "LVCVLAHHFGKEFTPPVQAAYQKVVAGVANALAHKYH";
    /// Says in a file what this model makes of it.
    void set_check(io::gguf_writer& out) const;

    /// Whether a model's tokens are those of a model of proteins.
    [[nodiscard]] static bool knows(const std::string& path, const limits& bounds = {});

private:
    static constexpr const char* check_input_key = "tokenworks.protein.check.input";
    static constexpr const char* check_output_key = "tokenworks.protein.check.output";

    using token_id = sampling::token_id;

    protein_model(const std::string& path, const load_options& options, const limits& bounds)
        : protein_model{models::model_files::open(path, bounds), options, bounds} {}
    protein_model(const models::model_files& files, const load_options& options, const limits& bounds)
        : protein_model{files, options, bounds, tokens_of(files, bounds)} {}
    protein_model(const models::model_files& files, const load_options& options, const limits& bounds,
                  const std::vector<std::string>& tokens);

    /// The text of each token, from whatever the model has of them.
    [[nodiscard]] static std::vector<std::string> tokens_of(const models::model_files& files, const limits& bounds);

    [[nodiscard]] const execution& how() const noexcept { return decoder_ ? decoder_->how() : encoder_->how(); }

    /// What a sequence becomes.
    struct framed {
        std::vector<token_id> ids{};
        std::size_t first = 0; ///< of them that stands for residues
    };
    /// @param ended  with the end behind it
    [[nodiscard]] framed frame(std::string_view sequence, const std::string& family, bool ended) const;
    /// @param room  tokens to leave for the gap
    [[nodiscard]] std::vector<token_id> gap_prompt(std::string_view before, std::string_view after,
                                                   const std::string& family, std::size_t room) const;
    [[nodiscard]] const codec::protein_infill& infill_tokens() const;
    [[nodiscard]] std::vector<float> check_output(std::string_view sequence) const;

    void require_decoder() const {
        if(!decoder_) {
            detail::raise<unsupported_error>({path_, ": an encoder does not make sequences"});
        }
    }
    [[nodiscard]] runtime::request request_behind(std::vector<token_id> prompt, token_id end,
                                                  const protein_options& options) const;
    [[nodiscard]] std::vector<token_id> make(const runtime::request& what) const;
    [[nodiscard]] std::vector<std::vector<double>> likelihoods_of(std::span<const runtime::framed_ids> all) const {
        return runtime::framed_likelihoods(decoder_->network(), how(), all,
                                           std::max<std::size_t>(2, config().context_length));
    }
    /// Logits at places that are hidden, row after row: take(place, logits).
    template <class Take>
    void each_hidden(std::string_view sequence, const std::string& family, const progress& on_progress,
                     const Take& take) const;

    void require_sequence(std::string_view sequence) const {
        if(sequence.empty()) {
            detail::raise<argument_error>({"protein: a sequence without residues"});
        }
    }

    std::string path_;
    codec::protein_format format_; // before the residues: it tells best that a model is another
    codec::residues space_;
    std::unique_ptr<text_model> decoder_; // one of the two
    std::unique_ptr<runtime::encoder_folder> encoder_;
    std::optional<runtime::contact_head> contact_head_{};
    std::string check_input_{};
    std::vector<float> check_output_{};
};

#if TOKENWORKS_DEFINITIONS

TOKENWORKS_FUNCTION std::vector<std::string> protein_model::tokens_of(const models::model_files& files,
                                                                      const limits& bounds) {
    std::vector<std::string> tokens;
    if(files.folder() != nullptr) {
        const std::filesystem::path list = std::filesystem::path{files.path()} / "vocab.txt";
        std::error_code none;
        if(std::filesystem::is_regular_file(list, none)) {
            const io::file_bytes file = io::file_bytes::open(list.string(), {.limits = bounds});
            const std::string_view text{reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
            for(std::size_t at = 0; at < text.size() && tokens.size() < files.config().vocab_size;) {
                const std::size_t end = std::min(text.find('\n', at), text.size());
                std::string_view line = text.substr(at, end - at);
                line.remove_suffix(line.ends_with('\r') ? 1 : 0);
                tokens.emplace_back(line);
                at = end + 1;
            }
            return tokens;
        }
    }
    const std::unique_ptr<codec::tokenizer> tokenizer = files.tokenizer();
    tokens.reserve(tokenizer->vocab_size());
    for(std::size_t id = 0; id < tokenizer->vocab_size(); ++id) {
        tokens.emplace_back(tokenizer->vocabulary().text(static_cast<codec::token_id>(id)));
    }
    return tokens;
}

TOKENWORKS_FUNCTION bool protein_model::knows(const std::string& path, const limits& bounds) {
    try {
        const std::vector<std::string> tokens = tokens_of(models::model_files::open(path, bounds), bounds);
        static_cast<void>(codec::residues{tokens});
        return codec::protein_format::of(tokens, path).name != "protgpt2"; // whose tokens any GPT-2 may have
    } catch(const unsupported_error&) {
        return false;
    } catch(const argument_error&) {
        return false;
    }
}

TOKENWORKS_FUNCTION protein_model::protein_model(const models::model_files& files, const load_options& options,
                                                 const limits& bounds, const std::vector<std::string>& tokens)
    : path_{files.path()}, format_{codec::protein_format::of(tokens, files.path())}, space_{tokens} {
    if(format_.mask.has_value() == files.config().causal || files.encoder_config()) {
        detail::raise<unsupported_error>(
            {path_, ": '", files.config().architecture, "' with the tokens of ", format_.name});
    }
    if(files.config().causal) {
        decoder_ = std::make_unique<text_model>(load_text_model(path_, options, bounds));
    } else {
        encoder_ = std::make_unique<runtime::encoder_folder>(files, options, false);
        contact_head_ = runtime::contact_head::of(files.weights(), files.config());
    }
    if(tokens.size() > config().vocab_size) {
        detail::raise_format(path_, {"vocabulary"}, format_error::no_offset,
                             {"has ", tokens.size(), " tokens, the model has ", config().vocab_size});
    }
    if(const io::gguf_file* const file = files.gguf(); file != nullptr && file->find(check_input_key) != nullptr) {
        check_input_ = file->get<std::string_view>(check_input_key);
        check_output_ = file->get<std::vector<float>>(check_output_key);
        runtime::replay_check(*this, path_, options);
    }
}

TOKENWORKS_FUNCTION protein_model::framed protein_model::frame(std::string_view sequence, const std::string& family,
                                                               bool ended) const {
    framed made;
    made.ids = format_.start;
    const std::vector<token_id>& named = format_.family(family);
    made.ids.insert(made.ids.end(), named.begin(), named.end());
    made.first = made.ids.size();
    std::vector<token_id> ids;
    if(format_.line == 0) {
        ids = space_.encode(sequence);
    } else {
        static_cast<void>(space_.encode(sequence)); // no line breaks and no spelt tokens
        std::string text;
        for(std::size_t at = 0; at < sequence.size(); at += format_.line) {
            text.append("\n").append(sequence.substr(at, format_.line));
        }
        text += ended || sequence.empty() ? "\n" : "";
        ids = decoder_->tokenizer().encode(text);
    }
    made.ids.insert(made.ids.end(), ids.begin(), ids.end());
    if(ended) {
        made.ids.push_back(format_.end);
    }
    return made;
}

TOKENWORKS_FUNCTION const codec::protein_infill& protein_model::infill_tokens() const {
    if(!format_.infill) {
        detail::raise<unsupported_error>({path_, ": a model of ", format_.name, "'s kind does not fill gaps"});
    }
    return *format_.infill;
}

/// What is far from the gap is left out where the context has no room for it.
TOKENWORKS_FUNCTION std::vector<sampling::token_id> protein_model::gap_prompt(std::string_view before,
                                                                              std::string_view after,
                                                                              const std::string& family,
                                                                              std::size_t room) const {
    const codec::protein_infill& gap = infill_tokens();
    std::vector<token_id> ids = frame({}, family, false).ids;
    const std::size_t taken = ids.size() + room + 2; // the mask, and what the gap begins with
    const std::size_t left = config().context_length > taken ? config().context_length - taken : 0;
    if(before.size() + after.size() > left) {
        const std::size_t shorter = std::min({before.size(), after.size(), left / 2});
        const std::size_t first = before.size() <= after.size() ? shorter : left - shorter;
        before = before.substr(before.size() - std::min(first, before.size()));
        after = after.substr(0, left - before.size());
    }
    const auto add = [&](const std::vector<token_id>& more) { ids.insert(ids.end(), more.begin(), more.end()); };
    add(space_.encode(before));
    ids.push_back(gap.mask);
    add(space_.encode(after));
    ids.push_back(gap.begin);
    return ids;
}

TOKENWORKS_FUNCTION runtime::request protein_model::request_behind(std::vector<token_id> prompt, token_id end,
                                                                   const protein_options& options) const {
    const std::size_t context = config().context_length;
    if(prompt.size() >= context) {
        detail::raise<capacity_error>(
            {"protein: ", prompt.size(), " tokens are given, the context has room for ", context});
    }
    const std::size_t room = context - prompt.size();
    const std::size_t most = options.most == 0 ? std::max(options.least, room) : options.most;
    if(options.least > room) {
        detail::raise<capacity_error>({"protein: at least ", options.least, " residues behind ", prompt.size(),
                                       " tokens, the context has room for ", context});
    }
    runtime::residue_bounds bounds{.end = end, .least = options.least, .most = most};
    for(std::size_t id = 0; format_.line != 0 && !bounds.line_break && id < space_.vocab_size(); ++id) {
        if(decoder_->tokenizer().vocabulary().text(static_cast<token_id>(id)) == "\xC4\x8A") {
            bounds.line_break = static_cast<token_id>(id);
        }
    }
    runtime::request what{.prompt = std::move(prompt)};
    what.options.max_tokens = room; // then it is as long as the context
    what.options.constraint = sampling::copies_of(runtime::residue_constraint{space_, bounds});
    what.options.sampling = options.sampling;
    what.options.sampling.seed = options.seed;
    what.options.ignore_eos = true;
    return what;
}

TOKENWORKS_FUNCTION std::vector<sampling::token_id> protein_model::make(const runtime::request& what) const {
    std::vector<token_id> ids;
    text_model::state state = decoder_->make_state({.capacity = config().context_length});
    static_cast<void>(runtime::run_alone(*decoder_, state, what, ids));
    return ids;
}

TOKENWORKS_FUNCTION runtime::request protein_model::request_of(const protein_options& options) const {
    require_decoder();
    return request_behind(frame(options.begin, options.family, false).ids, format_.end, options);
}

TOKENWORKS_FUNCTION std::string protein_model::generate(const protein_options& options) const {
    return sequence_of(options, make(request_of(options)));
}

TOKENWORKS_FUNCTION std::string protein_model::infill(std::string_view before, std::string_view after,
                                                      const protein_options& options) const {
    const std::size_t gap = options.most != 0 ? options.most : std::max<std::size_t>(options.least, 64);
    const std::size_t room = std::min(gap, std::max(options.least, config().context_length / 4));
    const runtime::request what =
        request_behind(gap_prompt(before, after, options.family, room), infill_tokens().end, options);
    return space_.decode(make(what));
}

template <class Take>
void protein_model::each_hidden(std::string_view sequence, const std::string& family, const progress& on_progress,
                                const Take& take) const {
    constexpr std::size_t tokens_at_once = 2048;
    const std::size_t vocab = config().vocab_size;
    const framed whole = decoder_ ? framed{} : frame(sequence, family, true);
    nn::context c{how()};
    std::vector<float> logits;
    for(std::size_t first = 0; first < sequence.size();) {
        std::vector<std::vector<token_id>> texts;
        std::size_t tokens = 0;
        do {
            const std::size_t at = first + texts.size();
            if(decoder_) {
                texts.push_back(gap_prompt(sequence.substr(0, at), sequence.substr(at + 1), family, 1));
            } else {
                texts.push_back(whole.ids);
                texts.back()[whole.first + at] = *format_.mask;
            }
            tokens += texts.back().size();
        } while(first + texts.size() < sequence.size() && tokens + texts.back().size() <= tokens_at_once);
        if(decoder_) {
            std::vector<nn::kv_cache> caches;
            std::vector<models::decoder_input> inputs;
            caches.reserve(texts.size());
            for(const std::vector<token_id>& text: texts) {
                caches.push_back(decoder_->network().make_cache(text.size(), dtype::f32));
                inputs.push_back({.cache = &caches.back(), .tokens = text});
            }
            logits.resize(texts.size() * vocab);
            decoder_->network().forward(c, inputs, nn::rows{logits.data(), texts.size(), vocab});
            for(std::size_t i = 0; i < texts.size(); ++i) {
                take(first + i, std::span<const float>{logits}.subspan(i * vocab, vocab));
            }
        } else {
            std::vector<models::encoder_input> inputs;
            inputs.reserve(texts.size());
            for(const std::vector<token_id>& text: texts) {
                inputs.push_back({.tokens = text});
            }
            logits.resize(tokens * vocab);
            encoder_->network().forward_logits(c, inputs, nn::rows{logits.data(), tokens, vocab});
            for(std::size_t i = 0; i < texts.size(); ++i) {
                const std::size_t row = i * whole.ids.size() + whole.first + first + i;
                take(first + i, std::span<const float>{logits}.subspan(row * vocab, vocab));
            }
        }
        first += texts.size();
        if(on_progress && !on_progress(first, sequence.size())) {
            detail::raise<cancelled_error>({"protein: cancelled"});
        }
    }
}

TOKENWORKS_FUNCTION std::vector<double> protein_model::log_likelihoods(std::string_view sequence,
                                                                       const std::string& family) const {
    require_sequence(sequence);
    const framed whole = frame(sequence, family, true);
    if(decoder_) {
        const runtime::framed_ids one{whole.ids, whole.first};
        return std::move(likelihoods_of(std::span{&one, 1}).front());
    }
    std::vector<double> all(sequence.size());
    each_hidden(sequence, family, {}, [&](std::size_t at, std::span<const float> logits) {
        const auto id = static_cast<std::size_t>(whole.ids[whole.first + at]);
        all[at] = static_cast<double>(logits[id]) - runtime::log_sum_exp(logits);
    });
    return all;
}

TOKENWORKS_FUNCTION std::vector<double> protein_model::log_likelihoods_of(std::span<const scored_protein> all) const {
    std::vector<double> sums;
    std::vector<framed> frames;
    std::vector<runtime::framed_ids> ids;
    frames.reserve(all.size());
    for(const scored_protein& each: all) {
        if(!decoder_) {
            sums.push_back(log_likelihood(each.sequence, each.family));
            continue;
        }
        require_sequence(each.sequence);
        frames.push_back(frame(each.sequence, each.family, true));
        ids.push_back({frames.back().ids, frames.back().first});
    }
    for(const std::vector<double>& each: decoder_ ? likelihoods_of(ids) : std::vector<std::vector<double>>{}) {
        sums.push_back(std::accumulate(each.begin(), each.end(), 0.0));
    }
    return sums;
}

TOKENWORKS_FUNCTION std::vector<float> protein_model::mutations(std::string_view sequence, const std::string& family,
                                                                const progress& on_progress) const {
    require_sequence(sequence);
    constexpr std::string_view all = codec::residues::standard;
    std::vector<float> table(sequence.size() * all.size());
    if(format_.infill || format_.mask) {
        const std::vector<token_id> own = space_.encode(sequence);
        each_hidden(sequence, family, on_progress, [&](std::size_t at, std::span<const float> logits) {
            for(std::size_t r = 0; r < all.size(); ++r) {
                const auto id = static_cast<std::size_t>(*space_.find(all[r]));
                table[at * all.size() + r] = logits[id] - logits[static_cast<std::size_t>(own[at])];
            }
        });
        return table;
    }
    const double before = log_likelihood(sequence, family);
    std::string changed{sequence};
    for(std::size_t at = 0; at < sequence.size(); ++at) {
        for(std::size_t r = 0; r < all.size(); ++r) {
            changed[at] = all[r];
            table[at * all.size() + r] =
                all[r] == sequence[at] ? 0.0F : static_cast<float>(log_likelihood(changed, family) - before);
        }
        changed[at] = sequence[at];
        if(on_progress && !on_progress(at + 1, sequence.size())) {
            detail::raise<cancelled_error>({"protein: cancelled"});
        }
    }
    return table;
}

TOKENWORKS_FUNCTION std::vector<float> protein_model::embed(std::string_view sequence,
                                                            const std::string& family) const {
    require_sequence(sequence);
    const framed whole = frame(sequence, family, !decoder_);
    const std::size_t residues_end = whole.ids.size() - (decoder_ ? 0 : 1);
    std::vector<double> sums(width());
    nn::context c{how()};
    const std::size_t window = decoder_ ? std::max<std::size_t>(1, config().context_length) : whole.ids.size();
    std::vector<float> rows;
    for(std::size_t begin = 0; begin < whole.ids.size(); begin += window) {
        const std::span<const token_id> part =
            std::span{whole.ids}.subspan(begin, std::min(window, whole.ids.size() - begin));
        rows.resize(part.size() * width());
        const nn::rows hidden{rows.data(), part.size(), width()};
        if(decoder_) {
            nn::kv_cache cache = decoder_->network().make_cache(part.size(), dtype::f32);
            const models::decoder_input input{
                .cache = &cache, .tokens = part, .want = models::decoder_input::logits::all};
            decoder_->network().forward_hidden(c, std::span{&input, 1}, hidden);
        } else {
            const models::encoder_input input{part};
            encoder_->network().forward(c, std::span{&input, 1}, hidden);
        }
        for(std::size_t t = 0; t < part.size(); ++t) {
            for(std::size_t k = 0; begin + t >= whole.first && begin + t < residues_end && k < width(); ++k) {
                sums[k] += static_cast<double>(hidden(t, k));
            }
        }
    }
    std::vector<float> mean(width());
    for(std::size_t k = 0; k < mean.size(); ++k) {
        mean[k] = static_cast<float>(sums[k] / static_cast<double>(residues_end - whole.first));
    }
    return mean;
}

TOKENWORKS_FUNCTION std::vector<float> protein_model::contacts(std::string_view sequence) const {
    if(!contact_head_) {
        detail::raise<unsupported_error>({path_, ": the model has no head that tells contacts"});
    }
    require_sequence(sequence);
    nn::context c{how()};
    return contact_head_->contacts(c, encoder_->network(), frame(sequence, {}, true).ids);
}

TOKENWORKS_FUNCTION void protein_model::set_check(io::gguf_writer& out) const {
    out.set(check_input_key, check_sequence);
    out.set_array(check_output_key, check_output(check_sequence));
}

TOKENWORKS_FUNCTION std::vector<float> protein_model::check_output(std::string_view sequence) const {
    const std::vector<double> found = log_likelihoods(sequence);
    return {found.begin(), found.end()};
}

TOKENWORKS_FUNCTION std::optional<double> protein_model::self_check() const {
    if(check_input_.empty()) {
        return std::nullopt;
    }
    return runtime::largest_difference(check_output(check_input_), check_output_);
}

#endif

} // namespace tokenworks::inline TOKENWORKS_ABI
