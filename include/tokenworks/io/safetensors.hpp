// safetensors files, read and written. Needs nlohmann-json.
#pragma once

#include <tokenworks/io/safetensors_index.hpp>
#include <tokenworks/io/safetensors_parser.hpp>
#include <tokenworks/io/safetensors_reader.hpp>
#include <tokenworks/io/safetensors_writer.hpp>
