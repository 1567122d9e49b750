// The words of which seccomp filters are made, for those who write them: what is loaded, compared and answered.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace bulkhead::os::filter {

#if defined(__x86_64__)
constexpr std::uint32_t native = AUDIT_ARCH_X86_64;
#elif defined(__AARCH64EL__)
constexpr std::uint32_t native = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t native = 0;  // not known here: syscall_filter_refusal() says so
#endif

// Every argument that is looked at is a 32-bit one: the kernel drops the upper half, and so must the comparison, or a
// call with dirt in that half would slip through.
static_assert(native == 0 || std::endian::native == std::endian::little, "the lower half is taken to come first");
constexpr std::uint32_t argument(unsigned index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * index);
}

using Code = std::vector<sock_filter>;
using Values = std::initializer_list<std::uint32_t>;

inline sock_filter answer(std::uint32_t what) { return BPF_STMT(BPF_RET | BPF_K, what); }
inline sock_filter allow() { return answer(SECCOMP_RET_ALLOW); }
inline sock_filter refuse(int error = EPERM) { return answer(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)); }
inline sock_filter load(std::uint32_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }

// The next `count` instructions are for when the comparison holds; or for when it does not.
inline sock_filter when(int comparison, std::uint32_t value, std::size_t count = 1) {
  return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | comparison | BPF_K), value, 0, static_cast<std::uint8_t>(count));
}
inline sock_filter unless(int comparison, std::uint32_t value) {
  return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | comparison | BPF_K), value, 1, 0);
}

// Each of these ends with an answer: an argument has taken the place of the call's number.
inline void allow_only(Code& code, unsigned index, Values values) {
  code.push_back(load(argument(index)));
  for (const std::uint32_t value : values) code.insert(code.end(), {when(BPF_JEQ, value), allow()});
  code.push_back(refuse());
}
inline void refuse_only(Code& code, unsigned index, Values values) {
  code.push_back(load(argument(index)));
  for (const std::uint32_t value : values) code.insert(code.end(), {when(BPF_JEQ, value), refuse()});
  code.push_back(allow());
}

template <class Body>
void for_call(Code& code, int number, Body&& body) {
  Code inner;
  body(inner);
  code.push_back(when(BPF_JEQ, static_cast<std::uint32_t>(number), inner.size()));
  code.insert(code.end(), inner.begin(), inner.end());
}

inline void check_numbering(Code& code) {
  code = {load(offsetof(seccomp_data, arch)), unless(BPF_JEQ, native), answer(SECCOMP_RET_KILL_PROCESS),
          load(offsetof(seccomp_data, nr))};
#if defined(__x86_64__)
  constexpr std::uint32_t x32 = 0x40000000;  // the same architecture to the kernel, with other numbers
  code.insert(code.end(), {when(BPF_JGE, x32), refuse(ENOSYS)});
#endif
}

inline constexpr std::uint32_t new_namespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
inline constexpr std::uint32_t share_core_cookie = 62;  // PR_SCHED_CORE, with a process id

inline void refuse_always(Code& code, int number, int error = EPERM) {
  for_call(code, number, [error](Code& body) { body = {refuse(error)}; });
}

inline void refuse_device_commands(Code& code) {
  for_call(code, SYS_ioctl, [](Code& body) {
    refuse_only(body, 1,
                {TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD,                // words put into the terminal's mouth
                 TIOCSPGRP, TIOCSCTTY, FIOASYNC, FIOSETOWN, SIOCSPGRP,  // who gets a descriptor's signals
                 FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR});                  // what files are, apart from their contents
  });
}

}  // namespace bulkhead::os::filter
