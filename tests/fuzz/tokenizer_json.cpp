// Fuzzes tokenizer.json: a document, a NUL, and a text. Whatever is accepted must take the text without harm: to ids
// that exist, in bounded time, and back to some text. Errors are those of the library.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tokenworks/codec/token_pipeline.hpp>
#include <tokenworks/io/json_tree.hpp>
#include <tokenworks/models/tokenizer_json.hpp>

namespace {

namespace codec = tokenworks::codec;

void require(bool holds) {
    if(!holds) {
        std::abort();
    }
}

void use(const codec::tokenizer& tokens, std::string_view text) {
    for(const bool special: {false, true}) {
        const std::vector<codec::token_id> ids =
            tokens.encode(text, {.add_special = special, .parse_special = special});
        std::string pieces;
        for(const codec::token_id one: ids) {
            require(tokens.vocabulary().contains(one));
            tokens.append_piece(one, pieces, true);
        }
        static_cast<void>(tokens.decode(ids, {.special = special}));
    }
    const std::vector<codec::text_segment> segments{{std::string{text.substr(0, text.size() / 2)}, true},
                                                    {std::string{text.substr(text.size() / 2)}, false}};
    static_cast<void>(tokens.encode(segments, true));
    const auto both = tokens.encode_pair(text, text.substr(0, 8), {.add_special = true, .parse_special = true});
    require(both.ids.size() == both.types.size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view all{reinterpret_cast<const char*>(data), size};
    const std::string_view json = all.substr(0, all.find('\0'));
    const std::string_view text = all.substr(std::min(json.size() + 1, all.size()));
    try {
        const tokenworks::io::json_tree tree{std::as_bytes(std::span{json}), "fuzz"};
        use(codec::make_tokenizer(tokenworks::models::tokenizer_data_of(tree)), text);
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    return 0;
}
