// A memory fence that one side pays for both: for the rare side of a protocol whose other side runs all the time.
#pragma once

namespace bulkhead::os {

/// Whether the kernel has them (membarrier, since 4.16). Asked once: forked children know what their parent knew.
bool has_remote_fences() noexcept;
/// From here on fence_remotely(), called anywhere, acts on this process too. Cheap while it has one thread. False: it
/// will not, and must fence by itself.
bool accept_remote_fences() noexcept;
/// As if the calling thread, and every thread of all processes that accept it, executed a full fence now: what such a
/// thread had stored before is visible to us, or what we had stored before is to all that it loads from now on. Takes
/// some microseconds. False: it cannot be had now.
bool fence_remotely() noexcept;

}  // namespace bulkhead::os
