#include <tokenworks/io/atomic_file.hpp>
#include <tokenworks/io/video_options.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "files.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;

TEST_CASE("video options: what no file of a video can hold", "[io]") {
    const tw::clip film{.width = 2, .height = 2, .channels = 1, .bytes = std::vector<std::uint8_t>(8)};
    CHECK_NOTHROW(tw::io::check_video("x", film, {}));
    CHECK_THROWS_WITH(tw::io::check_video("to_x", film, {.frames_per_second = 0}), Catch::Contains("to_x: 0 frames"));
    CHECK_THROWS_AS(tw::io::check_video("x", film, {.frames_per_second = 101}), tw::argument_error);
    CHECK_THROWS_WITH(tw::io::check_video("x", {.width = 2, .height = 2}, {}), Catch::Contains("no frames"));
    const tw::clip wide{.width = 65536, .height = 1, .channels = 1, .bytes = std::vector<std::uint8_t>(65536)};
    CHECK_THROWS_WITH(tw::io::check_video("x", wide, {}), Catch::Contains("65535 a side"));
}

TEST_CASE("video options: a whole file or none", "[io]") {
    const files::temporary_folder folder;
    tw::io::write_whole(folder / "a", files::bytes_of("frames"));
    CHECK(folder.names() == std::vector<std::string>{"a"});
    CHECK_THROWS_AS(tw::io::write_whole(folder / "none/a", files::bytes_of("frames")), tw::io_error);
    CHECK(folder.names() == std::vector<std::string>{"a"});
}
