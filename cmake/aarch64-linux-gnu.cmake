# Cross-compiles for 64-bit Arm on Debian and runs the tests under qemu-user. Packages: g++-aarch64-linux-gnu qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64;-L;/usr/aarch64-linux-gnu")

# The header-only dependencies are the host's. /usr/include itself must not be searched, since the host's C library lives
# there too, so the folders that are needed are linked into one of our own.
set(cross_include "${CMAKE_BINARY_DIR}/cross-include")
file(MAKE_DIRECTORY "${cross_include}")
foreach(folder xsimd nlohmann CLI catch2)
    if(EXISTS "/usr/include/${folder}" AND NOT EXISTS "${cross_include}/${folder}")
        file(CREATE_LINK "/usr/include/${folder}" "${cross_include}/${folder}" SYMBOLIC)
    endif()
endforeach()
set(CMAKE_CXX_STANDARD_INCLUDE_DIRECTORIES "${cross_include}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
