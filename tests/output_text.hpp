// What a program wrote, read back as text.
#pragma once

#include <bulkhead/task_output.hpp>

#include <string>

inline std::string text_of(const bulkhead::TaskOutput& file, bulkhead::ByteRange range) {
  std::string text(range.size(), '\0');
  text.resize(file.read(range.begin, text));
  return text;
}
