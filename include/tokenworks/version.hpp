// The version of the library. CMake reads it from here.
#pragma once

#define TOKENWORKS_VERSION_MAJOR 0
#define TOKENWORKS_VERSION_MINOR 1
#define TOKENWORKS_VERSION_PATCH 0
#define TOKENWORKS_VERSION_STRING "0.1.0"
