// What nearly every test includes, compiled once. A test still includes what it uses: that each header of the library
// stands alone is held by another test, which knows nothing of this file.
#pragma once

#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <xsimd/xsimd.hpp>
