// A vocabulary made of the input's bytes, and a text. Whatever is accepted must encode every text without harm, to ids
// that exist; where the vocabulary has all bytes, the text must come back.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/tokenizer.hpp>

namespace {

namespace codec = tokenworks::codec;

/// Takes numbers and texts off the front of the input; zeros and nothing when it is used up.
class reader {
public:
    explicit reader(std::string_view bytes) : rest_{bytes} {}

    std::uint8_t byte() {
        if(rest_.empty()) {
            return 0;
        }
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }
    std::string_view text() {
        const std::size_t length = std::min<std::size_t>(byte(), rest_.size());
        const std::string_view taken = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return taken;
    }
    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

void require(bool holds) {
    if(!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    reader in{std::string_view{reinterpret_cast<const char*>(bytes), size}};
    constexpr const char* pres[] = {"default",        "llama-bpe", "gpt-2",     "qwen2",     "smollm", "deepseek-llm",
                                    "deepseek-coder", "falcon",    "starcoder", "command-r", "mpt",    "refact"};
    const std::uint8_t kind = in.byte();
    codec::vocabulary_data data;
    data.name = "fuzz";
    data.model = kind % 3 == 0 ? "llama" : "gpt2";
    data.pre = pres[in.byte() % 12];
    const bool all_bytes = in.byte() % 2 == 0;
    std::vector<std::string> spelt;
    if(all_bytes) {
        for(int i = 0; i < 256; ++i) {
            constexpr char digits[] = "0123456789ABCDEF";
            if(data.model == "llama") {
                spelt.push_back(std::string{"<0x"} + digits[i / 16] + digits[i % 16] + ">");
            } else {
                const char byte = static_cast<char>(static_cast<unsigned char>(i));
                codec::append_spelling(spelt.emplace_back(), {&byte, 1});
            }
        }
    }
    data.tokens.assign(spelt.begin(), spelt.end());
    data.types.assign(spelt.size(), data.model == "llama" ? 6 : 1);
    data.scores.assign(spelt.size(), 0);
    for(std::size_t n = in.byte() % 64; n > 0; --n) {
        data.tokens.push_back(in.text());
        data.types.push_back(static_cast<std::int8_t>(in.byte() % 9 - 1));
        data.scores.push_back(static_cast<float>(static_cast<std::int8_t>(in.byte())));
    }
    if(data.model == "gpt2") {
        for(std::size_t n = in.byte() % 64; n > 0; --n) {
            data.merges.push_back(in.text());
        }
    }
    const auto id = [&]() -> std::optional<std::uint32_t> {
        const std::uint8_t value = in.byte();
        return value == 0 ? std::nullopt : std::optional<std::uint32_t>{value};
    };
    data.bos = id();
    data.eos = id();
    data.unk = id();
    data.add_bos = false;
    data.add_space_prefix = in.byte() % 2 == 0;
    try {
        const codec::tokenizer tokens{data};
        for(const bool special: {false, true}) {
            const std::vector<codec::token_id> ids =
                tokens.encode(in.rest(), {.add_special = special, .parse_special = special});
            for(const codec::token_id one: ids) {
                require(tokens.vocabulary().contains(one));
            }
            const std::string back = tokens.decode(ids);
            require(special || !tokens.vocabulary().has_all_bytes() || back == in.rest());
        }
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    return 0;
}
