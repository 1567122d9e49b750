#include "os/program_filter.hpp"

#include "os/filter_code.hpp"
#include "os/refused_calls.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

namespace bulkhead::os {

using namespace filter;

namespace {

void refuse_networks(Code& code) {
  for (const int call : {SYS_socket, SYS_socketpair})
    for_call(code, call, [](Code& body) {
      body = {load(argument(0)), when(BPF_JEQ, AF_UNIX), allow(), refuse(EAFNOSUPPORT)};
    });
}

void refuse_namespaces(Code& code) {
  for_call(code, SYS_clone, [](Code& body) {
    body = {load(argument(0)), when(BPF_JSET, new_namespaces), refuse(), allow()};
  });
  // Its flags lie in memory, where no filter can see them; told that there is no such call, the C library uses clone.
  refuse_always(code, SYS_clone3, ENOSYS);
}

// A descriptor that was handed down may have an owner outside.
void refuse_signals_by_descriptors(Code& code) {
  for_call(code, SYS_fcntl, [](Code& body) {
    body = {
        load(argument(1)), when(BPF_JEQ, F_SETFL, 3), load(argument(2)), when(BPF_JSET, O_ASYNC), refuse(), allow()};
  });
}

}  // namespace

std::vector<sock_filter> program_filter() {
  Code code;
  check_numbering(code);
  refuse_networks(code);
  refuse_namespaces(code);
  refuse_signals_by_descriptors(code);
  refuse_device_commands(code);
  for_call(code, SYS_prctl, [](Code& body) { refuse_only(body, 0, {share_core_cookie}); });
  for (const auto group : refused::to_programs)
    for (const int call : group) refuse_always(code, call);
  code.push_back(allow());
  return code;
}

}  // namespace bulkhead::os
