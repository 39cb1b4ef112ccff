# Writes a source file with the whole page as one text, cli::serve_page: HTML with its style sheet and its script inside.
function(tokenworks_page out)
    set(here "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
    foreach(part html css js)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${here}/page.${part}")
    endforeach()
    file(READ "${here}/page.html" html)
    file(READ "${here}/page.css" PAGE_STYLE)
    file(READ "${here}/page.js" PAGE_SCRIPT)
    string(CONFIGURE "${html}" page @ONLY)
    file(CONFIGURE OUTPUT "${out}" @ONLY CONTENT "// Generated from examples/cli/page/.
#include <string_view>
namespace cli {
extern const std::string_view serve_page;
const std::string_view serve_page = R\"page(@page@)page\";
} // namespace cli
")
endfunction()
