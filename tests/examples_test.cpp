// The article's programs, in both forms, print what it says they print; and the quickstart's job holds its promise.
#include "built_paths.hpp"
#include "catch.hpp"

#include <array>
#include <cstdio>
#include <string>

namespace {

struct ExampleRun {
  std::string out;
  int status = -1;
};

// An example's standard output and wait status.
ExampleRun run_example(const std::string& example) {
  ExampleRun run;
  std::FILE* pipe = ::popen((BULKHEAD_EXAMPLES "/" + example).c_str(), "r");
  REQUIRE(pipe);
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) run.out.append(buffer.data(), got);
  run.status = ::pclose(pipe);
  return run;
}

}  // namespace

TEST_CASE("the summing example gives the same sum by threads and by processes", "[examples]") {
  const char* form = GENERATE("summing_threads", "summing_processes");
  CAPTURE(form);
  const ExampleRun summing = run_example(form);
  CHECK(summing.status == 0);
  CHECK(summing.out == "499999500000\n");
}

TEST_CASE("the URL example answers in the order of the URLs by threads and by processes", "[examples]") {
  const char* form = GENERATE("urls_threads", "urls_processes");
  CAPTURE(form);
  const ExampleRun urls =
      run_example(form + std::string(" http://b.example/2 '' https://a.example http://c.example:80/?q"));
  CHECK(urls.status == 0);
  CHECK(urls.out ==
        "http://b.example/2: host b.example, path /2\n"
        ": std::invalid_argument: no scheme\n"
        "https://a.example: host a.example, path /\n"
        "http://c.example:80/?q: host c.example:80, path /?q\n");
}

TEST_CASE("the symbol count loses no whole file to the damaged ones", "[examples]") {
#if defined(__SANITIZE_ADDRESS__)  // whose files have several times as many symbols
  const std::string damaged = "10";
#else
  const std::string damaged = "40";
#endif
  const ExampleRun symbols = run_example("elf_symbols " + damaged + " " BULKHEAD_EXAMPLES " 2>/dev/null");
  CAPTURE(symbols.out);
  CHECK(symbols.status == 0);
  CHECK(symbols.out.find("agree with a plain loop") != std::string::npos);
  CHECK(symbols.out.find("LOST") == std::string::npos);
  CHECK(symbols.out.find(" 0 failed") == std::string::npos);  // the damage does bite
}
