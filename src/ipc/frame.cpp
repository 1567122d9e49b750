#include "ipc/frame.hpp"

#include <algorithm>

namespace bulkhead::ipc {

namespace {

constexpr std::size_t max_words = 64u << 10;  // an exception text longer than this is cut

struct FailurePayload {
  Ending ending;
  std::uint8_t unused[3];
  std::uint32_t type_size;
};
static_assert(sizeof(FailurePayload) == 8);

bool reportable(Ending ending) {
  return ending == Ending::exception || ending == Ending::not_serializable || ending == Ending::too_large ||
         ending == Ending::out_of_memory || ending == Ending::limit_exceeded || ending == Ending::cancelled;
}

}  // namespace

std::string encode_failure(const Failure& failure) {
  const std::size_t type_size = std::min(failure.type.size(), max_words);
  const FailurePayload head{failure.ending, {}, static_cast<std::uint32_t>(type_size)};
  std::string payload(reinterpret_cast<const char*>(&head), sizeof head);
  payload.append(failure.type, 0, type_size);
  payload.append(failure.what, 0, max_words);
  return payload;
}

std::optional<Failure> decode_failure(std::span<const std::byte> payload) {
  FailurePayload head{};
  if (payload.size() < sizeof head) return std::nullopt;
  std::memcpy(static_cast<void*>(&head), payload.data(), sizeof head);
  const std::string words(reinterpret_cast<const char*>(payload.data()) + sizeof head, payload.size() - sizeof head);
  if (!reportable(head.ending) || head.type_size > words.size()) return std::nullopt;
  Failure failure;
  failure.ending = head.ending;
  failure.type = words.substr(0, head.type_size);
  failure.what = words.substr(head.type_size);
  return failure;
}

}  // namespace bulkhead::ipc
