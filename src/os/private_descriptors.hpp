// Descriptors that belong to this process alone: a forked child of ours closes them before anything of the user's runs.
#pragma once

#include <span>

namespace bulkhead::os {

/// Notes that no child of ours may keep `fd`. Thread-safe, takes no lock: another thread may be forking.
void mark_private(int fd) noexcept;
/// It is about to be closed. Harmless for one that was never marked.
void unmark_private(int fd) noexcept;

/// In a fresh child: closes every descriptor that was marked, whoever made it in this process, but for `except`.
void close_private_descriptors(std::span<const int> except) noexcept;

}  // namespace bulkhead::os
