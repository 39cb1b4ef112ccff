# Finds what the headers need; used by the build and, installed, by find_package(tokenworks).
# Targets that exist already are taken as they are. Sets:
#   tokenworks_libraries            targets to link
#   tokenworks_include_directories  folders that belong to no target
#   tokenworks_missing              empty, or a sentence that says what to install
set(tokenworks_libraries)
set(tokenworks_include_directories)
set(tokenworks_missing)

# GLOBAL: a project that embeds this one links tokenworks from its own folder and must see the targets there.
if(NOT TARGET Threads::Threads)
    find_package(Threads QUIET GLOBAL)
endif()
if(TARGET Threads::Threads)
    list(APPEND tokenworks_libraries Threads::Threads)
else()
    set(tokenworks_missing "no thread library was found")
endif()

# No version is asked for in find_package: Eigen 5 and xsimd 9 and later would refuse the older number.
if(NOT TARGET Eigen3::Eigen)
    find_package(Eigen3 QUIET CONFIG GLOBAL)
    if(Eigen3_FOUND AND Eigen3_VERSION VERSION_LESS 3.4)
        set(tokenworks_missing "Eigen ${Eigen3_VERSION} in ${Eigen3_DIR} is too old, 3.4 or newer is needed")
    endif()
endif()
if(TARGET Eigen3::Eigen)
    list(APPEND tokenworks_libraries Eigen3::Eigen)
else()
    set(tokenworks_missing "Eigen 3.4 or newer is needed (Debian: libeigen3-dev)")
endif()

# Only the include folder of xsimd is used: Debian's target links xtl, which neither its package nor this library needs.
if(NOT TARGET xsimd)
    find_package(xsimd QUIET CONFIG GLOBAL)
    if(xsimd_FOUND AND xsimd_VERSION VERSION_LESS 8.1)
        set(tokenworks_missing "xsimd ${xsimd_VERSION} in ${xsimd_DIR} is too old, 8.1 or newer is needed")
    endif()
endif()
if(TARGET xsimd)
    get_target_property(tokenworks_include_directories xsimd INTERFACE_INCLUDE_DIRECTORIES)
else()
    find_path(TOKENWORKS_XSIMD_INCLUDE_DIR xsimd/xsimd.hpp)
    mark_as_advanced(TOKENWORKS_XSIMD_INCLUDE_DIR)
    if(TOKENWORKS_XSIMD_INCLUDE_DIR)
        set(tokenworks_include_directories "${TOKENWORKS_XSIMD_INCLUDE_DIR}")
    else()
        set(tokenworks_missing "xsimd 8.1 or newer is needed (Debian: libxsimd-dev)")
    endif()
endif()

# Optional: only the headers whose first lines name nlohmann-json need it (io/safetensors.hpp is one).
if(NOT TARGET nlohmann_json::nlohmann_json)
    find_package(nlohmann_json QUIET CONFIG GLOBAL)
endif()
if(TARGET nlohmann_json::nlohmann_json)
    list(APPEND tokenworks_libraries nlohmann_json::nlohmann_json)
endif()

# Optional too, and linked by those programs alone that include io/png.hpp or io/apng.hpp: PNG::PNG.
if(NOT TARGET PNG::PNG)
    find_package(PNG QUIET GLOBAL)
endif()
