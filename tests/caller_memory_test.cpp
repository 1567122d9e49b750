// Memory of the caller's: which of it workers do without, and how it is taken.
#include <bulkhead/detail/caller_memory.hpp>

#include "catch.hpp"
#include "os/caller_memory.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <utility>

using namespace bulkhead;
using os::huge_page_bytes;

namespace {

constexpr std::size_t page = 4096;

std::byte* at(std::size_t address) { return reinterpret_cast<std::byte*>(address); }

// Sixteen huge pages' worth of addresses that begin at one.
class Addresses {
 public:
  Addresses()
      : all_(::mmap(nullptr, bytes + huge_page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    REQUIRE(all_ != MAP_FAILED);
  }
  ~Addresses() { ::munmap(all_, bytes + huge_page_bytes); }
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;

  std::byte* begin() const {
    const auto address = reinterpret_cast<std::uintptr_t>(all_) + huge_page_bytes - 1;
    return at(address / huge_page_bytes * huge_page_bytes);
  }
  static constexpr std::size_t bytes = 16 * huge_page_bytes;

 private:
  void* all_;
};

// Whoever forks has it; whether its child does is what the kernel says of a look there.
bool is_inherited(const std::byte* address) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    unsigned char there = 0;
    ::_exit(::mincore(const_cast<std::byte*>(address), page, &there) == 0 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status) == 0;
}

// As glibc does: how long the piece is, and in the low bits what it is.
void note_length(std::byte* begin, std::size_t noted) {
  std::memcpy(begin + sizeof(std::size_t), &noted, sizeof noted);
}

}  // namespace

TEST_CASE("an allocation's pages are those that no other has a part of", "[caller-memory]") {
  const auto pages_of = [](std::size_t begin, std::size_t size) {
    const os::Pages pages = os::pages_of(at(begin), size);
    return std::pair(reinterpret_cast<std::size_t>(pages.begin), pages.size);
  };
  const std::size_t somewhere = 3 * page;  // where nothing is, nor looked at
  CHECK(pages_of(somewhere, 3 * page) == std::pair(somewhere, 3 * page));
  CHECK(pages_of(somewhere + 16, 3 * page) == std::pair(somewhere + page, 2 * page));
  CHECK(pages_of(somewhere + 16, page).second == 0);
  CHECK(pages_of(somewhere + 16, 100).second == 0);
  CHECK(pages_of(somewhere + 16, 4 * huge_page_bytes) == std::pair(somewhere + page, 4 * huge_page_bytes - page));
  CHECK(pages_of(huge_page_bytes + 16, 10 * page) == std::pair(huge_page_bytes + page, 9 * page));
}

TEST_CASE("an allocation that fills its mapping has the first page and the last, too", "[caller-memory]") {
  const Addresses addresses;
  std::byte* const begin = addresses.begin();
  constexpr std::size_t size = 3 * huge_page_bytes - 64;
  const auto is_whole = [&](std::size_t noted) {
    note_length(begin, noted);
    const os::Pages pages = os::pages_of(begin + 16, size);
    CHECK(pages.begin == (pages.is_mapping ? begin : begin + page));
    CHECK(pages.size == (pages.is_mapping ? 3 * huge_page_bytes : 3 * huge_page_bytes - 2 * page));
    return pages.is_mapping;
  };
  CHECK(is_whole(3 * huge_page_bytes | 2));
  CHECK_FALSE(is_whole(3 * huge_page_bytes));             // of a heap
  CHECK_FALSE(is_whole((3 * huge_page_bytes - 48) | 1));  // the same, behind another
  CHECK_FALSE(is_whole(4 * huge_page_bytes | 2));         // it does not end there
  CHECK_FALSE(os::pages_of(begin, size).is_mapping);      // nothing is noted before it
}

TEST_CASE("an allocation is made so long that it may be huge", "[caller-memory]") {
  CHECK(detail::huge_size(0) == 0);
  CHECK(detail::huge_size(huge_page_bytes - 1) == huge_page_bytes - 1);
  for (const std::size_t bytes : {huge_page_bytes, 48'000'000ul, 24 * huge_page_bytes - 64, 24 * huge_page_bytes}) {
    const std::size_t size = detail::huge_size(bytes);
    CAPTURE(bytes, size);
    CHECK(size >= bytes);
    CHECK(size - bytes < huge_page_bytes);
    CHECK((size + page - 1) / page * page % huge_page_bytes == 0);  // with what the allocator adds, too
    CHECK((size + 32 + page - 1) / page * page % huge_page_bytes == 0);
  }
}

TEST_CASE("a child has what is beside the caller's memory, and what is of it once that is free again",
          "[caller-memory]") {
  const Addresses addresses;
  for (const std::size_t offset : {std::size_t{0}, 5 * page}) {
    CAPTURE(offset);
    std::byte* const begin = addresses.begin() + 2 * huge_page_bytes + offset;
    constexpr std::size_t size = 8 * huge_page_bytes - 64;
    note_length(begin, 8 * huge_page_bytes | 2);
    const bool whole = offset == 0;
    {
      const detail::CallerMemory kept(begin + 16, size);
      CHECK(is_inherited(begin) != whole);
      CHECK_FALSE(is_inherited(begin + page));
      CHECK_FALSE(is_inherited(begin + size / page * page - page));
      CHECK(is_inherited(begin + size / page * page) != whole);
      CHECK(is_inherited(begin - page));
      CHECK(is_inherited(begin + 8 * huge_page_bytes));
    }
    for (std::byte* const at : {begin, begin + page, begin + size / page * page}) CHECK(is_inherited(at));
  }
}
