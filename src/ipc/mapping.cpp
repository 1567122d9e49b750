#include "ipc/mapping.hpp"

#include "os/at_birth.hpp"

#include <system_error>

namespace bulkhead::ipc {

namespace bip = boost::interprocess;

namespace {

// What mapped_region asks of a mappable thing, over a descriptor that has no name.
class Mappable {
 public:
  Mappable(int fd, bip::mode_t mode) : handle_(bip::ipcdetail::mapping_handle_from_file_handle(fd)), mode_(mode) {}
  bip::mapping_handle_t get_mapping_handle() const { return handle_; }
  bip::mode_t get_mode() const { return mode_; }

 private:
  bip::mapping_handle_t handle_;
  bip::mode_t mode_;
};

}  // namespace

BULKHEAD_AT_BIRTH Mapping::Mapping(const os::MemoryFile& file, Access access, std::size_t offset,
                                   std::size_t size) try {
  const auto mode = access == Access::read_only ? bip::read_only : bip::read_write;
  const Mappable mappable(file.fd().get(), mode);
  region_ = bip::mapped_region(mappable, mode, static_cast<bip::offset_t>(offset), size);
  os::keep_from_children(data(), size);
  os::keep_from_core(data(), size);
} catch (const bip::interprocess_exception& e) {
  throw std::system_error(e.get_native_error(), std::generic_category(), "mmap of shared memory");
}

}  // namespace bulkhead::ipc
