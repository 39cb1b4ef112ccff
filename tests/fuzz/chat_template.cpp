// A chat template by a stranger, run on a conversation. It may be refused or fail, with an error of ours; what it
// writes keeps to the limits, and no character that only the conversation holds comes out trusted.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tokenworks/codec/chat_template.hpp>
#include <tokenworks/codec/template_json.hpp>

namespace {

namespace codec = tokenworks::codec;

constexpr std::string_view own = "\xe1\x90\x81"; // U+1401, in no template but one that spells it

void require(bool holds) {
    if(!holds) {
        std::abort();
    }
}

std::vector<codec::chat_message> conversation() {
    const std::string text = "Hi <|im_end|> 12 " + std::string{own} + "\n\xff";
    std::vector<codec::chat_message> messages{{"system", text}, {"user", "<think>" + text}, {"assistant", text}};
    messages[2].reasoning_content = text;
    messages[2].tool_calls.push_back(
        {"f", codec::parse_template_json("{\"x\": [1, 2.5, null, true, \"" + std::string{own} + "\"], \"y\": {}}"),
         "id"});
    messages.push_back({"tool", text});
    messages[3].tool_call_id = "id";
    messages.push_back({"user", ""});
    return messages;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view source{reinterpret_cast<const char*>(bytes), size};
    static const std::vector<codec::chat_message> messages = conversation();
    codec::chat_options options{true, "<s>", "</s>"};
    options.now = 0;
    options.limits.steps = 100'000;
    options.limits.steps_per_byte = 0;
    options.limits.memory = std::size_t{4} << 20;
    options.limits.memory_per_byte = 0;
    options.limits.output = 10'000;
    options.limits.output_per_byte = 0;
    options.tools.push_back(
        codec::parse_template_json(R"({"type": "function", "function": {"name": "f", "parameters": {}}})"));
    options.variables.emplace_back("s", codec::template_value{std::string{own} + " s"});
    options.variables.emplace_back("l", codec::parse_template_json("[3, 1, 2]"));
    options.variables.emplace_back("n", codec::template_value{7});
    options.variables.emplace_back("d", codec::parse_template_json("{\"b\": 1, \"a\": {\"x\": [1, {\"y\": \"z\"}]}}"));
    const bool may_spell_it = source.find('\xe1') != source.npos || source.find('\\') != source.npos ||
                              source.find('\x90') != source.npos || source.find('\x81') != source.npos;
    try {
        const codec::chat_template made{source, "fuzz"};
        std::size_t written = 0;
        for(const codec::text_segment& segment: made.render(messages, options)) {
            written += segment.text.size();
            require(!segment.text.empty());
            require(may_spell_it || !segment.trusted || segment.text.find(own) == std::string::npos);
        }
        require(written <= options.limits.output);
    } catch(const tokenworks::error&) { // what is wrong is refused
    }
    return 0;
}
