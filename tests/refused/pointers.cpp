// Must not compile, and must say why: pointers inside of items and results, where cereal would carry them.
#include <bulkhead/codec.hpp>

#include <cereal/types/memory.hpp>

#include <map>
#include <memory>
#include <vector>

using Refused = REFUSED;  // std::unique_ptr<int>, std::shared_ptr<int>, int*

int main() {
  const std::map<int, std::vector<Refused>> value;
  return static_cast<int>(bulkhead::detail::encode_into({}, value));
}
