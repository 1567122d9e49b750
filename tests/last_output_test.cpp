// What a worker has printed and not flushed when it leaves in order.
#include "left_behind.hpp"

#include <bulkhead/work.hpp>

#include <stdio_ext.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ext/stdio_sync_filebuf.h>
#include <functional>
#include <iostream>
#include <streambuf>
#include <string>
#include <vector>

using namespace bulkhead;

namespace {

// Lets one worker's only task print, with its standard output and error in files, and returns what is in them then.
std::string printed_by(const std::function<void()>& print) {
  const NothingLeftBehind check;
  const int file = ::memfd_create("printed", 0);
  REQUIRE(file >= 0);
  const auto task = [&](int) {
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    print();
    return 0;
  };
  CHECK(do_process_work(std::vector{1}, task, {.num_workers = 1}).at(0));
  std::array<char, 256> text{};
  const ssize_t n = ::pread(file, text.data(), text.size(), 0);
  ::close(file);
  REQUIRE(n >= 0);
  return std::string(text.data(), static_cast<std::size_t>(n));
}

// Else it keeps nothing back.
void buffer_standard_error() { std::setvbuf(stderr, nullptr, _IOFBF, 4096); }
// A task that finds nothing kept back dies of it.
void require_kept_back() {
  if (::__fpending(stderr) == 0) std::abort();
}

// Whatever it is given goes to the C library's stream when it is flushed.
class IntoFile : public std::streambuf {
 public:
  explicit IntoFile(std::FILE* file) : file_(file) { setp(text_.data(), text_.data() + text_.size()); }
  int sync() override {
    std::fwrite(pbase(), 1, static_cast<std::size_t>(pptr() - pbase()), file_);
    setp(text_.data(), text_.data() + text_.size());
    return 0;
  }

 private:
  std::FILE* file_;
  std::array<char, 64> text_{};
};

}  // namespace

TEST_CASE("what a worker has printed is there when it has left", "[last_output]") {
  CHECK(printed_by([] { std::printf("by printf"); }) == "by printf");
  CHECK(printed_by([] { std::cout << "by cout"; }) == "by cout");
  CHECK(printed_by([] {
          buffer_standard_error();
          std::clog << "by clog";
          require_kept_back();
        }) == "by clog");
  CHECK(printed_by([] {
          buffer_standard_error();
          std::fprintf(stderr, "kept back");
          require_kept_back();
        }) == "kept back");
  CHECK(printed_by([] {}).empty());
}

TEST_CASE("what a worker has printed to a stream of its own making is there as well", "[last_output]") {
  CHECK(printed_by([] {
          std::ios::sync_with_stdio(false);
          std::cout << "cout, ";
          std::clog << "clog";
        }) == "cout, clog");
  CHECK(printed_by([] {
          static __gnu_cxx::stdio_sync_filebuf<char> other(::fdopen(::dup(STDOUT_FILENO), "w"));
          std::cout.rdbuf(&other);
          std::cout << "by another file";
        }) == "by another file");
  CHECK(printed_by([] {
          static IntoFile into(stdout);
          std::cout.rdbuf(&into);
          std::cout << "by way of stdout";
        }) == "by way of stdout");
  CHECK(printed_by([] {
          buffer_standard_error();
          static IntoFile into(stderr);
          std::cout.rdbuf(&into);
          std::cout << "by way of stderr";
        }) == "by way of stderr");
}
