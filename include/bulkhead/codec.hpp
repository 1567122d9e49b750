// How items and results become bytes and values again: cereal, over spans. The one header that includes cereal.
//
// Whatever cereal can serialize travels: arithmetic types, the standard containers included below, and any type with a
// serialize (or save/load) function, pointers excepted. Decoding trusts nothing: sizes are held against the bytes that
// are left, nesting is bounded, and all bytes must be used.
#pragma once

#include <cereal/cereal.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>
#include <type_traits>

namespace bulkhead::detail {

/// Bytes that do not decode as the type that was asked for.
class DecodeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A cereal archive that writes into a span and counts on when that is full: one pass tells the size of anything.
class SpanWriter : public cereal::OutputArchive<SpanWriter, cereal::AllowEmptyClassElision> {
 public:
  explicit SpanWriter(std::span<std::byte> into)
      : OutputArchive(this), position_(into.data()), end_(into.data() + into.size()), begin_(into.data()) {}

  void write(const void* data, std::size_t size) {
    if (size == 0) return;  // an empty container may have no memory at all
    if (static_cast<std::size_t>(end_ - position_) >= size && beyond_ == 0) {
      std::memcpy(position_, data, size);
      position_ += size;
    } else {
      beyond_ += size;
    }
  }
  /// Of everything written, the bytes that found no place included.
  std::size_t size() const noexcept { return static_cast<std::size_t>(position_ - begin_) + beyond_; }

 private:
  std::byte* position_;
  std::byte* end_;
  std::byte* begin_;
  std::size_t beyond_ = 0;
};

/// A cereal archive that reads from a span and never beyond it.
class SpanReader : public cereal::InputArchive<SpanReader, cereal::AllowEmptyClassElision> {
 public:
  explicit SpanReader(std::span<const std::byte> from)
      : InputArchive(this), left_(from), unclaimed_(from.size() + credit) {}

  void read(void* data, std::size_t size) {
    if (size == 0) return;
    if (size > left_.size()) throw DecodeError("the bytes end in the middle of a value");
    std::memcpy(data, left_.data(), size);
    left_ = left_.subspan(size);
  }
  /// Bools follow: any byte but 0 and 1 in one is undefined behaviour.
  void check_bools(std::size_t count) const {
    for (const std::byte byte : left_.first(std::min(count, left_.size())))
      if (byte > std::byte{1}) throw DecodeError("a bool is neither 0 nor 1");
  }
  /// That many elements follow. All the elements of a value together are no more than its bytes, however they nest:
  /// else a few bytes a level would claim memory for all the rest at every level. Those that take no bytes at all get a
  /// little credit.
  void claim(cereal::size_type count) {
    if ((count > left_.size() && count > credit) || count > unclaimed_)
      throw DecodeError("a size is larger than the bytes that are left");
    unclaimed_ -= count;
  }
  void enter() {
    if (++depth_ > max_depth) throw DecodeError("values are nested too deep");
  }
  void leave() noexcept { --depth_; }
  std::size_t left() const noexcept { return left_.size(); }

 private:
  static constexpr int max_depth = 500;  // a few frames of stack each: well within the smallest usual stack
  static constexpr cereal::size_type credit = 4096;
  std::span<const std::byte> left_;
  cereal::size_type unclaimed_;
  int depth_ = 0;
};

// What cereal asks of an archive: arithmetic values, names, sizes and blocks of bytes; found by argument-dependent
// lookup.
template <class T>
requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(SpanWriter& archive, const T& value) { archive.write(&value, sizeof value); }
template <class T>
requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(SpanReader& archive, T& value) {
  if constexpr (std::is_same_v<T, bool>) archive.check_bools(1);
  archive.read(&value, sizeof value);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(SpanWriter& archive, const cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(SpanReader& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(SpanWriter& archive, const cereal::SizeTag<T>& tag) {
  archive(tag.size);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(SpanReader& archive, cereal::SizeTag<T>& tag) {
  archive(tag.size);
  archive.claim(static_cast<cereal::size_type>(tag.size));
}
// Of an array that travels as one block: cereal gives it as a pointer or by its own type.
template <class T>
using ElementOf = std::remove_cv_t<std::remove_all_extents_t<std::remove_pointer_t<std::remove_reference_t<T>>>>;
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(SpanWriter& archive, const cereal::BinaryData<T>& data) {
  archive.write(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(SpanReader& archive, cereal::BinaryData<T>& data) {
  if constexpr (std::is_same_v<ElementOf<T>, bool>) archive.check_bools(static_cast<std::size_t>(data.size));
  archive.read(data.data, static_cast<std::size_t>(data.size));
}

// A pointer means nothing in another process. What it points to could travel, but shared and polymorphic pointers name
// objects and types by numbers that the bytes would choose.
template <class T>
inline constexpr bool is_a_pointer = std::is_pointer_v<T>;
template <class T, class Deleter>
inline constexpr bool is_a_pointer<std::unique_ptr<T, Deleter>> = true;
template <class T>
inline constexpr bool is_a_pointer<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool is_a_pointer<std::weak_ptr<T>> = true;

template <class T>
constexpr void refuse_pointers() noexcept {
  static_assert(
      !is_a_pointer<T>,
      "Bulkhead: items and results hold no raw, unique, shared or weak pointers, at any depth: send what they "
      "point to, in a std::optional, std::variant or container");
}

// Called by cereal around every value it descends into.
template <class T>
void prologue(SpanWriter&, const T&) noexcept {
  refuse_pointers<T>();
}
template <class T>
requires(!std::is_arithmetic_v<T>) void prologue(SpanReader& archive, const T&) {
  refuse_pointers<T>();
  archive.enter();
}
template <class T>
requires(!std::is_arithmetic_v<T>) void epilogue(SpanReader& archive, const T&) { archive.leave(); }

/// A type that has both of these encodes itself, and cereal is not asked: for formats that know better (flatbuffers,
/// your own), and for what is sent by the million, since an archive costs 50 ns.
///
/// `encode_into(bytes)` writes nothing where the whole does not fit, and returns the size of the whole either way.
/// `decode_from(bytes)` is given those bytes, and must not believe them: it throws where they are damaged.
template <class T>
concept EncodesItself = requires(const T& value, std::span<std::byte> into, std::span<const std::byte> bytes) {
  { value.encode_into(into) } -> std::same_as<std::size_t>;
  { T::decode_from(bytes) } -> std::same_as<T>;
};

template <class T>
inline constexpr bool is_text = std::is_same_v<T, std::string_view> || std::is_same_v<T, std::string>;

/// Encodes into `into` as far as it fits; returns the size of the whole. Throws what the type's own functions throw.
template <class T>
std::size_t encode_into(std::span<std::byte> into, const T& value) {
  if constexpr (EncodesItself<T>) {
    return value.encode_into(into);
  } else if constexpr (std::is_arithmetic_v<T>) {
    if (into.size() >= sizeof value) std::memcpy(into.data(), &value, sizeof value);
    return sizeof value;
  } else if constexpr (is_text<T>) {
    if (!value.empty() && into.size() >= value.size()) std::memcpy(into.data(), value.data(), value.size());
    return value.size();
  } else if constexpr (std::is_empty_v<T> && std::is_trivially_copyable_v<T>) {
    return 0;
  } else {
    SpanWriter writer(into);
    writer(value);
    return writer.size();
  }
}

/// Apart from decode(), which is inlined where numbers come by the million.
[[noreturn, gnu::cold, gnu::noinline]] inline void refuse_number() {
  throw DecodeError("not the size of the number that was expected");
}

/// The value that `bytes` encode. A std::string_view refers to the bytes themselves. Throws DecodeError, and what the
/// type's own functions throw.
template <class T>
T decode(std::span<const std::byte> bytes) {
  if constexpr (EncodesItself<T>) {
    return T::decode_from(bytes);
  } else if constexpr (is_text<T>) {
    return T(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } else if constexpr (std::is_empty_v<T> && std::is_trivially_copyable_v<T>) {
    if (!bytes.empty()) throw DecodeError("bytes where none belong");
    return {};
  } else if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
    if (bytes.size() != sizeof(T)) [[unlikely]]
      refuse_number();
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  } else {
    static_assert(std::is_default_constructible_v<T>, "items and results are decoded into a default-made value");
    T value{};
    SpanReader reader(bytes);
    reader(value);
    if (reader.left() != 0) throw DecodeError("bytes are left over behind the value");
    return value;
  }
}

/// Whether a type can be an item or a result of work in processes.
template <class T>
concept Encodable = EncodesItself<T> || std::is_arithmetic_v<T> || std::is_same_v<T, std::string_view> ||
                    (std::is_empty_v<T>&& std::is_trivially_copyable_v<T>) ||
                    (!is_a_pointer<T> && cereal::traits::is_output_serializable<T, SpanWriter>::value &&
                     cereal::traits::is_input_serializable<T, SpanReader>::value);

}  // namespace bulkhead::detail

CEREAL_SETUP_ARCHIVE_TRAITS(bulkhead::detail::SpanReader, bulkhead::detail::SpanWriter)
