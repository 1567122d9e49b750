#include <bulkhead/plugin_loader.hpp>

#include "os/shared_object.hpp"

#include <algorithm>

namespace bulkhead {

LoadedPlugin::LoadedPlugin(const std::string& path) : path_(path) {
  std::string problem;
  const bool bare = path.find('/') == std::string::npos;
  void* address = os::load_symbol(bare ? "./" + path : path, "bulkhead_plugin_functions", problem);
  if (!address) throw PluginError(problem);
  functions_ = reinterpret_cast<const plugin::Function* (*)()>(address)();
  if (functions_ && functions_->version != plugin::abi_version)
    throw PluginError(path + " was built for version " + std::to_string(functions_->version) +
                      " of the plugin interface, this is version " + std::to_string(plugin::abi_version) +
                      "; build it again with this <bulkhead/plugin.hpp>");
}

std::vector<std::string> LoadedPlugin::names() const {
  std::vector<std::string> all;
  for (const plugin::Function* f = functions_; f; f = f->next) all.emplace_back(f->name);
  std::sort(all.begin(), all.end());
  return all;
}

void LoadedPlugin::select(std::string_view name) {
  for (const plugin::Function* f = functions_; f; f = f->next)
    if (name == f->name) selected_ = f;
  if (selected_ && name == selected_->name) return;
  std::string offered;
  for (const std::string& n : names()) offered += (offered.empty() ? "" : ", ") + n;
  throw PluginError(path_ + " has no function " + std::string(name) + "; it offers " +
                    (offered.empty() ? "none" : offered));
}

std::string LoadedPlugin::call(std::string_view record) const {
  if (!selected_) throw std::logic_error("bulkhead::LoadedPlugin::call(): select() a function first");
  std::string result;
  const auto append = [](void* context, const char* data, std::size_t size) {
    static_cast<std::string*>(context)->append(data, size);
  };
  if (selected_->call(record.data(), record.size(), append, &result) != 0) throw std::runtime_error(result);
  return result;
}

}  // namespace bulkhead
