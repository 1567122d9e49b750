// The other side of plugin.hpp: loading a plugin and calling what it offers.
#pragma once

#include <bulkhead/detail/plugin_interface.hpp>

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// Thrown where a plugin cannot be used; the words say why.
struct PluginError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A shared object made with BULKHEAD_FUNCTION. Loading runs its constructors, which may crash: do it in a worker.
/// It stays loaded until the process ends. Calls are as thread-safe as its functions are.
class LoadedPlugin {
 public:
  /// A path without a slash is taken from the current directory. Throws PluginError.
  explicit LoadedPlugin(const std::string& path);

  /// The functions' names, in alphabetical order.
  std::vector<std::string> names() const;
  /// Throws PluginError naming what there is if there is no such function.
  void select(std::string_view name);
  /// Calls the selected function with the columns of a record; nullopt: it is void. Throws std::runtime_error with the
  /// words of an exception that leaves it.
  std::optional<std::string> call(std::span<const std::string> columns) const;

  /// Runs what BULKHEAD_WORKER_INIT and BULKHEAD_WORKER_EXIT name. Throw PluginError with the words of an exception.
  void worker_init() const;
  void worker_exit() const;

 private:
  std::string path_;
  const plugin::Contents* contents_ = nullptr;
  const plugin::Function* selected_ = nullptr;
};

}  // namespace bulkhead
