#include "os/landlock.hpp"

#include "os/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace bulkhead::os {

namespace {

// The kernel's interface, spelt out: <linux/landlock.h> is as old as the distribution's headers, and the kernel is not.
constexpr long create_ruleset = 444, add_rule = 445, restrict_self = 446;  // the same on every architecture
constexpr std::uint32_t ask_version = 1u << 0;
constexpr int rule_path_beneath = 1;

struct Ruleset {
  std::uint64_t files, network, scoped;
};
static_assert(sizeof(Ruleset) == 24);

struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed;
  std::int32_t parent;
};
static_assert(sizeof(PathBeneath) == 12);

constexpr std::uint64_t bit(int number) { return std::uint64_t{1} << number; }
constexpr std::uint64_t change_file = bit(1), truncate_file = bit(14), device_command = bit(15);
constexpr std::uint64_t move_between_directories = bit(13);
constexpr std::uint64_t remove_and_make = bit(4) | bit(5) |                              // directory, file
                                          bit(6) | bit(7) | bit(8) | bit(9) |            // char, dir, …
                                          bit(10) | bit(11) | bit(12);                   // …, symlink
constexpr std::uint64_t rights_of_files = change_file | truncate_file | device_command;  // or EINVAL
constexpr std::uint64_t scope_abstract_sockets = bit(0), scope_signals = bit(1);

// Reading and executing are not among them: what a ruleset does not handle stays as it was.
std::uint64_t rights_to_change(int abi) noexcept {
  std::uint64_t rights = change_file | remove_and_make;
  if (abi >= landlock_moves) rights |= move_between_directories;
  if (abi >= landlock_truncation) rights |= truncate_file;
  if (abi >= landlock_device_commands) rights |= device_command;
  return rights;
}

constexpr std::uint64_t make_devices = bit(6) | bit(11);

Fd create(int abi) {
  const Ruleset asked{rights_to_change(abi), 0, abi >= landlock_scopes ? scope_abstract_sockets | scope_signals : 0};
  // An older kernel takes the longer structure as long as what it does not know is zero.
  Fd ruleset(static_cast<int>(::syscall(create_ruleset, &asked, sizeof asked, 0)));
  if (!ruleset) throw_errno("landlock_create_ruleset");
  return ruleset;
}

void allow_below(const Fd& ruleset, const Fd& place, std::uint64_t rights) {
  struct stat info {};
  if (::fstat(place.get(), &info) != 0) throw_errno("fstat of a writable path");
  const PathBeneath rule{S_ISDIR(info.st_mode) ? rights : rights & rights_of_files, place.get()};
  if (::syscall(add_rule, ruleset.get(), rule_path_beneath, &rule, 0) != 0) throw_errno("landlock_add_rule");
}

Fd open_place(const char* path) noexcept { return Fd(::open(path, O_PATH | O_CLOEXEC)); }

void allow_all_below(const Fd& ruleset, const std::vector<std::string>& writable, std::uint64_t rights) {
  for (const std::string& path : writable) {
    const Fd place = open_place(path.c_str());
    if (!place) throw_errno(("open of the writable path " + path).c_str());
    allow_below(ruleset, place, rights);
  }
}

}  // namespace

LandlockVersion landlock_version() noexcept {
  const long abi = ::syscall(create_ruleset, nullptr, 0, ask_version);
  if (abi > 0) return {.abi = static_cast<int>(abi)};
  return {.error = abi < 0 ? errno : ENOSYS};
}

void restrict_writing(int abi, const std::vector<std::string>& writable) {
  const std::uint64_t rights = rights_to_change(abi);
  const Fd ruleset = create(abi);
  allow_all_below(ruleset, writable, rights);
  if (const Fd null = open_place("/dev/null")) allow_below(ruleset, null, rights);  // a bare chroot may have none
  if (!enforce(ruleset)) throw_errno("landlock_restrict_self");
}

Fd prepare_ruleset(int abi, const std::vector<std::string>& writable) {
  const std::uint64_t rights = rights_to_change(abi);
  Fd ruleset = create(abi);
  allow_all_below(ruleset, writable, rights & ~make_devices);
  for (const char* device : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"})
    if (const Fd place = open_place(device)) allow_below(ruleset, place, rights);
  return ruleset;
}

void add_writable_directory(const Fd& ruleset, int abi, const char* path) noexcept {
  const Fd place = open_place(path);
  const PathBeneath rule{rights_to_change(abi) & ~make_devices, place.get()};
  if (place) ::syscall(add_rule, ruleset.get(), rule_path_beneath, &rule, 0);
}

bool enforce(const Fd& ruleset) noexcept { return ::syscall(restrict_self, ruleset.get(), 0) == 0; }

}  // namespace bulkhead::os
