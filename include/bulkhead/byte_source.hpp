// Bytes from a file or a pipe, read only when there are some.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace bulkhead {

/// A file opened for reading, or standard input. Move-only; one thread at a time.
class ByteSource {
 public:
  /// Throws std::system_error naming the file.
  static ByteSource open(const std::string& path);
  static ByteSource standard_input();

  ByteSource(ByteSource&& other) noexcept;
  ByteSource& operator=(ByteSource&& other) noexcept;
  ~ByteSource();

  const std::string& name() const noexcept { return name_; }
  /// To be polled together with other descriptors. A regular file is always readable.
  int descriptor() const noexcept { return descriptor_; }
  /// True: read() returns without waiting, be it with bytes, with the end or with an error.
  bool readable() const noexcept;
  /// Waits for bytes; 0 means the end. Throws std::system_error naming the file.
  std::size_t read(std::span<char> into);

 private:
  ByteSource(std::string name, int descriptor, bool owned);

  std::string name_;
  int descriptor_;
  bool owned_;
};

}  // namespace bulkhead
