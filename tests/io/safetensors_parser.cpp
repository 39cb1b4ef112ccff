// Every way in which a safetensors file can be wrong, with the text of its refusal; then every cut and bit flip.
#include <tokenworks/io/safetensors_parser.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/safetensors_oracle.hpp"
#include "io/files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
using files::builder;
using files::refusal;

namespace {

tw::io::detail::safetensors_part parse(std::string_view header, std::string_view data = {},
                                       const tw::limits& bounds = {}) {
    const builder b = builder{}.text(header).raw(data);
    return tw::io::detail::parse_safetensors(b.bytes(), "f", bounds);
}

template <class Error = tw::format_error>
std::string refused(std::string_view header, std::string_view data = {}) {
    return refusal<Error>([&] { (void)parse(header, data); });
}

std::string tensor(std::string_view members) { return "{\"t\":{" + std::string{members} + "}}"; }

const std::string sample =
    R"({"__metadata__":{"format":"pt","é":""},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[3,11]},)"
    R"("a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"none":{"dtype":"I64","shape":[0,7],"data_offsets":[3,3]},)"
    R"("scalar":{"data_offsets":[11,13],"shape":[],"dtype":"BF16"}}  )";
const std::string sample_data = "abc01234567xy";

} // namespace

TEST_CASE("a well-formed header is taken as it is", "[io][safetensors]") {
    const builder b = builder{}.text(sample).raw(sample_data);
    const auto part = tw::io::detail::parse_safetensors(b.bytes(), "f", {});
    REQUIRE(part.tensors.size() == 4);
    CHECK(part.tensors[0].name == "b");
    CHECK(part.tensors[0].type == tw::dtype::f32);
    CHECK(part.tensors[0].shape == std::vector<std::uint64_t>{2, 1});
    CHECK(files::text_of(part.tensors[0].data) == "01234567");
    CHECK(part.tensors[0].offset == 8 + sample.size() + 3);
    CHECK(files::text_of(part.tensors[1].data) == "abc");
    CHECK(part.tensors[2].data.empty());
    CHECK(part.tensors[2].shape == std::vector<std::uint64_t>{0, 7});
    CHECK(part.tensors[3].shape.empty());
    CHECK(part.tensors[3].type == tw::dtype::bf16);
    CHECK(files::text_of(part.tensors[3].data) == "xy");
    REQUIRE(part.metadata.size() == 2);
    CHECK(part.metadata[1].first == "é");
    CHECK(parse("{}").tensors.empty());
    CHECK(parse(R"({"t\u00e9\n":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "x").tensors[0].name == "té\n");
}

TEST_CASE("the header's length", "[io][safetensors]") {
    const auto whole = [](const builder& b) {
        return refusal<tw::format_error>([&] { (void)tw::io::detail::parse_safetensors(b.bytes(), "f", {}); });
    };
    CHECK(whole(builder{}.raw("1234567")) == "f: header length at offset 0: needs 8 bytes, the file has 7 left");
    CHECK(whole(builder{}.u64(0)) == "f: header at offset 8: does not start with '{'");
    CHECK(whole(builder{}.u64(3).raw("{}")) == "f: header at offset 8: needs 3 bytes, the file has 2 left");
    CHECK(whole(builder{}.u64(100'000'001).raw("{}")) ==
          "f: header length at offset 0: is 100000001, more than 100000000");
    CHECK(whole(builder{}.u64(100'000'000).raw("{}")) ==
          "f: header at offset 8: needs 100000000 bytes, the file has 2 left");
    CHECK_THAT(whole(builder{}.u64(~std::uint64_t{0}).raw("{}")), ContainsSubstring("more than 100000000"));
}

TEST_CASE("a header that is no single object", "[io][safetensors]") {
    for(const std::string_view header: {" {}", "[]", "\"{}\"", "1", "\xEF\xBB\xBF{}"}) {
        CHECK(refused(header) == "f: header at offset 8: does not start with '{'");
    }
    for(const std::string_view header: {"{", "{}{}", "{} x", "{\"t\":}", "{//\n}", "{\"t\":NaN}", "{\"\xFF\":1}"}) {
        CHECK_THAT(refused(header), ContainsSubstring("f: JSON at offset"));
    }
    CHECK(refused(std::string_view{"{}\0", 3}) == "f: JSON at offset 10: a NUL byte");
    CHECK(refused("{\"t\":1}") == "f: tensor 't' at offset 15: is a number, not an object");
    CHECK_THAT(refused("{\"t\":[]}"), ContainsSubstring("tensor 't' at offset 14: is an array, not an object"));
    CHECK_THAT(refused("{\"t\":null}"), ContainsSubstring("is null, not an object"));
    CHECK_THAT(refused("{\"t\":\"x\"}"), ContainsSubstring("is a string, not an object"));
    CHECK_THAT(refused("{\"t\":" + std::string(1000, '[') + "}"), ContainsSubstring("is an array, not an object"));
    const std::string one = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
    CHECK_THAT(refused("{\"t\":" + one + ",\"t\":" + one + "}"),
               ContainsSubstring("t at offset") && ContainsSubstring("the key occurs twice"));
    CHECK_THAT(refused("{\"t\":" + one + ",\"\\u0074\":" + one + "}"), ContainsSubstring("the key occurs twice"));
}

TEST_CASE("metadata holds texts alone", "[io][safetensors]") {
    CHECK(parse(R"({"__metadata__":{}})").metadata.empty());
    CHECK(refused(R"({"__metadata__":{"a":1}})") == "f: __metadata__ at offset 31: 'a' is a number, not a string");
    CHECK_THAT(refused(R"({"__metadata__":{"a":null}})"), ContainsSubstring("'a' is null, not a string"));
    CHECK_THAT(refused(R"({"__metadata__":{"a":{}}})"), ContainsSubstring("'a' is an object, not a string"));
    CHECK_THAT(refused(R"({"__metadata__":{"a":[]}})"), ContainsSubstring("'a' is an array, not a string"));
    CHECK_THAT(refused(R"({"__metadata__":{"a":"","a":""}})"), ContainsSubstring("the key occurs twice"));
    CHECK_THAT(refused(R"({"__metadata__":[]})"), ContainsSubstring("tensor '__metadata__' at offset 25: is an array"));
}

TEST_CASE("members of a tensor", "[io][safetensors]") {
    const std::string type = R"("dtype":"U8")", shape = R"("shape":[3])", place = R"("data_offsets":[0,3])";
    CHECK(refused(tensor(shape + "," + place), "abc") == "f: tensor 't' at offset 47: lacks its dtype");
    CHECK_THAT(refused(tensor(type + "," + place), "abc"), ContainsSubstring("lacks its shape"));
    CHECK_THAT(refused(tensor(type + "," + shape), "abc"), ContainsSubstring("lacks its data_offsets"));
    CHECK_THAT(refused(tensor(type + "," + shape + "," + place + ",\"x\\n\":1"), "abc"),
               ContainsSubstring("has the unknown member 'x\\x0a'"));
    CHECK_THAT(refused(tensor(type + "," + type + "," + shape + "," + place), "abc"),
               ContainsSubstring("the key occurs twice"));

    const auto with_type = [&](const std::string& value) {
        return refused(tensor("\"dtype\":" + value + "," + shape + "," + place), "abc");
    };
    CHECK(with_type("\"U9\"") == "f: tensor 't' at offset 26: its dtype 'U9' is unknown");
    CHECK_THAT(with_type("\"u8\""), ContainsSubstring("its dtype 'u8' is unknown"));
    CHECK_THAT(with_type("8"), ContainsSubstring("its dtype is a number"));
    CHECK_THAT(with_type("null"), ContainsSubstring("its dtype is null"));
    CHECK_THAT(with_type("[]"), ContainsSubstring("its dtype is an array"));
    CHECK_THAT(with_type("{}"), ContainsSubstring("its dtype is an object"));
    for(const std::string_view known: tw::io::safetensors_unsupported) {
        CHECK(refused<tw::unsupported_error>(tensor("\"dtype\":\"" + std::string{known} + "\""), "abc") ==
              "f: tensor 't' at offset " + std::to_string(24 + known.size()) + ": elements of type " +
                  std::string{known} + " are not supported");
    }

    const auto with_shape = [&](const std::string& value) {
        return refused(tensor(type + ",\"shape\":" + value + "," + place), "abc");
    };
    CHECK_THAT(with_shape("3"), ContainsSubstring("its shape is a number"));
    CHECK_THAT(with_shape("[-3]"), ContainsSubstring("its shape holds a negative number"));
    CHECK_THAT(with_shape("[3.0]"), ContainsSubstring("its shape holds a number with a fraction"));
    CHECK_THAT(with_shape("[3e0]"), ContainsSubstring("its shape holds a number with a fraction, an exponent"));
    CHECK_THAT(with_shape("[18446744073709551616]"), ContainsSubstring("or over 64 bits"));
    CHECK_THAT(with_shape("[[3]]"), ContainsSubstring("its shape holds an array"));
    CHECK_THAT(with_shape("[{}]"), ContainsSubstring("its shape holds an object"));
    CHECK_THAT(with_shape("[\"3\"]"), ContainsSubstring("its shape holds a string"));
    CHECK_THAT(with_shape("[true]"), ContainsSubstring("its shape holds a bool"));
    CHECK_THAT(with_shape("[4294967296,4294967296]"), ContainsSubstring("its shape overflows 64 bits"));
    CHECK_THAT(with_shape("[4]"), ContainsSubstring("its shape needs 4 bytes, its data_offsets span 3"));
    CHECK(with_shape("[3,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]") == "accepted");
    CHECK_THAT(with_shape("[3,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"),
               ContainsSubstring("its shape has more than 16 numbers"));

    const auto with_place = [&](const std::string& value) {
        return refused(tensor(type + "," + shape + ",\"data_offsets\":" + value), "abc");
    };
    for(const char* const value: {"[]", "[0]", "[3,0]"}) {
        CHECK_THAT(with_place(value), ContainsSubstring("its data_offsets are not a begin and an end"));
    }
    CHECK_THAT(with_place("[0,3,3]"), ContainsSubstring("its data_offsets has more than 2 numbers"));
    CHECK_THAT(with_place("\"0\""), ContainsSubstring("its data_offsets is a string"));
    CHECK_THAT(with_place("[0,-3]"), ContainsSubstring("its data_offsets holds a negative number"));
}

TEST_CASE("the tensors fill the data exactly", "[io][safetensors]") {
    const auto two = [](const std::string& a, const std::string& b, std::string_view data) {
        return refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" + a +
                           "},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" + b + "}}",
                       data);
    };
    CHECK(two("[0,2]", "[2,4]", "abcd") == "accepted");
    CHECK(two("[2,4]", "[0,2]", "abcd") == "accepted");
    CHECK(two("[0,2]", "[3,5]", "abcde") ==
          "f: tensor 'b' at offset 115: its data begin at data offset 3, the tensor before ends at 2");
    CHECK_THAT(two("[1,3]", "[3,5]", "abcde"),
               ContainsSubstring("tensor 'a'") &&
                   ContainsSubstring("begin at data offset 1, the tensor before ends at 0"));
    CHECK_THAT(two("[0,2]", "[1,3]", "abcd"), ContainsSubstring("begin at data offset 1, the tensor before ends at 2"));
    CHECK_THAT(two("[0,2]", "[0,2]", "ab"),
               ContainsSubstring("tensor 'b'") && ContainsSubstring("begin at data offset 0"));
    CHECK(two("[0,2]", "[2,4]", "abc") == "f: tensor 'b' at offset 115: 2 bytes do not fit in the 1 bytes left");
    CHECK(two("[0,2]", "[2,4]", "abcde") == "f: data at offset 117: 1 bytes belong to no tensor");
    CHECK(refused("{}", "x") == "f: data at offset 10: 1 bytes belong to no tensor");
    // Offsets near 2^64 cannot wrap.
    CHECK_THAT(
        refused(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[18446744073709551613,18446744073709551615]}})"),
        ContainsSubstring("begin at data offset 18446744073709551613"));
    CHECK_THAT(
        refused(R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}})"),
        ContainsSubstring("18446744073709551615 bytes do not fit in the 0 bytes left"));
}

TEST_CASE("a safetensors file cut or lengthened anywhere is refused", "[io][safetensors]") {
    const std::string whole = builder{}.text(sample).raw(sample_data).string();
    REQUIRE(fuzz::check_safetensors(files::bytes_of(whole)));
    for(std::size_t length = 0; length < whole.size(); ++length) {
        const std::string cut = whole.substr(0, length);
        REQUIRE_FALSE(fuzz::check_safetensors(files::bytes_of(cut)));
    }
    REQUIRE_FALSE(fuzz::check_safetensors(files::bytes_of(whole + "x")));
}

TEST_CASE("a safetensors file with any one byte changed keeps every promise", "[io][safetensors]") {
    const std::string whole = builder{}.text(sample).raw(sample_data).string();
    std::size_t accepted = 0;
    for(std::size_t i = 0; i < 8 + sample.size(); ++i) {
        for(const char value:
            {'\0', ' ', '"', '\\', '0', '1', '9', '-', '.', 'e', ',', ':', '[', ']', '{', '}', '\xFF'}) {
            std::string changed = whole;
            changed[i] = value;
            accepted += fuzz::check_safetensors(files::bytes_of(changed)) ? 1U : 0U;
        }
    }
    CHECK(accepted > 0);
    CHECK(accepted < sample.size() * 5);
}
