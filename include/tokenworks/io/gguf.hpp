// GGUF model files, read and written.
#pragma once

#include <tokenworks/io/gguf_parser.hpp>
#include <tokenworks/io/gguf_reader.hpp>
#include <tokenworks/io/gguf_value.hpp>
#include <tokenworks/io/gguf_writer.hpp>
