// Where the small models lie that come with the program.
#include <array>
#include <filesystem>
#include <string>
#include <system_error>

#include <tokenworks/core/error.hpp>

#include "options.hpp"

namespace cli {

std::string model_or_shipped(const std::string& given, const std::string& name) {
    if(!given.empty()) {
        return given;
    }
    std::error_code none;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", none);
    const std::array<std::filesystem::path, 2> places{program.parent_path().parent_path() / "share/tokenworks/models",
                                                      std::filesystem::path{TOKENWORKS_CLI_MODELS}};
    for(const std::filesystem::path& place: places) {
        if(std::filesystem::exists(place / name, none)) {
            return (place / name).string();
        }
    }
    throw usage_error("the model " + name + " that comes with the program is neither in " + places[0].string() +
                      " nor in " + places[1].string());
}

} // namespace cli
