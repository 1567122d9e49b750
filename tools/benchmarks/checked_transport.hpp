// The floor of small items and results whose takers own them.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace bench {

/// What nobody can go below that hands over outcomes: the bare transport, made and ended within the call, whose workers
/// make a string of each item, say which they have in hand, and sign what they send, and whose results are checked,
/// made strings of their own and handed over in order. Items of `bytes`, below 32 KiB.
void run_checked_transport(std::size_t bytes, std::size_t count,
                           const std::function<const std::string&(std::size_t)>& item,
                           const std::function<void(std::size_t, const std::string&)>& take);

}  // namespace bench
