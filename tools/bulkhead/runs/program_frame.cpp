#include "runs/program_frame.hpp"

#include "words/usage_error.hpp"

#include <bulkhead/signals.hpp>

#include <cstdio>
#include <exception>
#include <system_error>

namespace bulkhead::tool {

int say(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 5;
}

int framed(const std::string& program, const std::function<int()>& body) {
  open_standard_streams();
  try {
    return body();
  } catch (const UsageError& error) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error.what());
    return 2;
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error.what());
    return 5;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: internal error: %s\n", program.c_str(), error.what());
    return 70;
  }
}

}  // namespace bulkhead::tool
