// Fuzzes SentencePiece's model files: a byte that says how long the text at the end is, a model, and that text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include <tokenworks/codec/token_pipeline.hpp>
#include <tokenworks/models/sentencepiece_model.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if(size == 0) {
        return 0;
    }
    const std::string_view all{reinterpret_cast<const char*>(data + 1), size - 1};
    const std::size_t length = std::min<std::size_t>(data[0], all.size());
    const std::string_view text = all.substr(all.size() - length);
    try {
        const tokenworks::models::sentencepiece_model model{
            std::as_bytes(std::span{all.substr(0, all.size() - length)}), "fuzz"};
        const tokenworks::codec::tokenizer tokens = tokenworks::codec::make_tokenizer(model.data(true, true));
        for(const bool special: {false, true}) {
            const auto ids = tokens.encode(text, {.add_special = special, .parse_special = special});
            for(const tokenworks::codec::token_id id: ids) {
                if(!tokens.vocabulary().contains(id)) {
                    std::abort();
                }
            }
            static_cast<void>(tokens.decode(ids, {.special = special}));
        }
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    return 0;
}
