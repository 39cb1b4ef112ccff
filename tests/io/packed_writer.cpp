#include <tokenworks/io/packed_writer.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <tokenworks/io/packed_reader.hpp>

#include "io/packed.hpp"
#include "support/catch.hpp"

namespace tw = tokenworks;
namespace io = tokenworks::io;

TEST_CASE("packed_writer: replaces packed and empty files, and leaves every other as it is", "[io]") {
    const files::temporary_folder folder;
    files::write(folder / "empty", "");
    packed::write_sample(folder / "empty", 1);
    packed::write_sample(folder / "empty", 2);
    CHECK_NOTHROW(io::packed_file{folder / "empty", 2});
    files::write(folder / "model.gguf", "GGUF and more");
    CHECK_THROWS_WITH(packed::write_sample(folder / "model.gguf"), ContainsSubstring("no packed file"));
    CHECK(files::read(folder / "model.gguf") == "GGUF and more");
    CHECK_THROWS_AS(packed::write_sample(folder.string()), tw::io_error);
    CHECK_THROWS_AS(packed::write_sample(folder / "no/such/folder"), tw::io_error);
    CHECK(folder.names() == std::vector<std::string>{"empty", "model.gguf"});
}

TEST_CASE("packed_writer: without commit, or cancelled, the old file stays", "[io]") {
    const files::temporary_folder folder;
    packed::write_sample(folder / "p");
    const std::string old = files::read(folder / "p");
    { const io::packed_writer dropped{folder / "p", 1}; }
    const auto cancelled = [&] {
        io::packed_writer writer{folder / "p", 1};
        writer.add("a", tw::dtype::f32, 1, 1, files::bytes_of("1234"), [](auto, auto) { return false; });
    };
    CHECK_THROWS_AS(cancelled(), tw::cancelled_error);
    CHECK(files::read(folder / "p") == old);
    CHECK(folder.names() == std::vector<std::string>{"p"});
}

TEST_CASE("packed_writer: several at once leave a whole file", "[io]") {
    const files::temporary_folder folder;
    std::vector<std::thread> writers;
    for(int i = 0; i < 4; ++i) {
        writers.emplace_back([&] {
            for(int n = 0; n < 5; ++n) {
                packed::write_sample(folder / "p");
            }
        });
    }
    for(std::thread& each: writers) {
        each.join();
    }
    CHECK(files::read(folder / "p") == packed::sample());
    CHECK(folder.names() == std::vector<std::string>{"p"});
}
