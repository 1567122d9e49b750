// What is around every program of ours: its streams, and its last words.
#pragma once

#include <functional>
#include <string>

namespace bulkhead::tool {

/// Prints on standard output. Returns the exit status.
int say(const std::string& text);

/// Runs `body` and returns its status, or that of the exception that left it, said in the name of `program`.
int framed(const std::string& program, const std::function<int()>& body);

}  // namespace bulkhead::tool
