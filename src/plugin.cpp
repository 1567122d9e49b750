#include <bulkhead/plugin_loader.hpp>

#include "os/shared_object.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

void append(void* context, const char* data, std::size_t size) {
  static_cast<std::string*>(context)->append(data, size);
}

void run_all(const plugin::Hook* first) {
  for (const plugin::Hook* hook = first; hook; hook = hook->next) {
    std::string words;
    if (hook->run(append, &words) == plugin::threw) throw PluginError(words);
  }
}

}  // namespace

LoadedPlugin::LoadedPlugin(const std::string& path) : path_(path) {
  std::string problem;
  const bool bare = path.find('/') == std::string::npos;
  void* address = os::load_symbol(bare ? "./" + path : path, "bulkhead_plugin_functions", problem);
  if (!address) throw PluginError(problem);
  contents_ = reinterpret_cast<const plugin::Contents* (*)()>(address)();
  if (!contents_) throw PluginError(path + " offers nothing; build it again with this <bulkhead/plugin.hpp>");
  if (contents_->version != plugin::abi_version)
    throw PluginError(path + " was built for version " + std::to_string(contents_->version) +
                      " of the plugin interface, this is version " + std::to_string(plugin::abi_version) +
                      "; build it again with this <bulkhead/plugin.hpp>");
}

std::vector<std::string> LoadedPlugin::names() const {
  std::vector<std::string> all;
  for (const plugin::Function* f = contents_->functions; f; f = f->next) all.emplace_back(f->name);
  std::sort(all.begin(), all.end());
  return all;
}

void LoadedPlugin::select(std::string_view name) {
  for (const plugin::Function* f = contents_->functions; f; f = f->next)
    if (name == f->name) selected_ = f;
  if (selected_ && name == selected_->name) return;
  std::string offered;
  for (const std::string& n : names()) offered += (offered.empty() ? "" : ", ") + n;
  throw PluginError(path_ + " has no function " + std::string(name) + "; it offers " +
                    (offered.empty() ? "none" : offered));
}

std::optional<std::string> LoadedPlugin::call(std::span<const std::string> columns) const {
  if (!selected_) throw std::logic_error("bulkhead::LoadedPlugin::call(): select() a function first");
  std::vector<plugin::Column> borrowed;
  borrowed.reserve(columns.size());
  for (const std::string& column : columns) borrowed.push_back({column.data(), column.size()});
  std::string result;
  const int status = selected_->call(borrowed.data(), borrowed.size(), append, &result);
  if (status == plugin::threw) throw std::runtime_error(result);
  if (status == plugin::nothing) return std::nullopt;
  return result;
}

void LoadedPlugin::worker_init() const { run_all(contents_->worker_init); }
void LoadedPlugin::worker_exit() const { run_all(contents_->worker_exit); }

}  // namespace bulkhead
