#include <bulkhead/stop_request.hpp>

#include <poll.h>

namespace bulkhead {

// Also where the other end has gone, as run_command() sees it; not where there is no such descriptor.
bool StopRequest::requested() const noexcept {
  if (token_.stop_requested()) return true;
  pollfd one{.fd = descriptor_, .events = POLLIN, .revents = 0};
  return descriptor_ >= 0 && ::poll(&one, 1, 0) > 0 && (one.revents & (POLLIN | POLLHUP | POLLERR)) != 0;
}

}  // namespace bulkhead
