#include "os/shared_object.hpp"

#include <dlfcn.h>

namespace bulkhead::os {

void* load_symbol(const std::string& path, const char* symbol, std::string& problem) {
  void* object = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!object) {
    problem = std::string("cannot load ") + ::dlerror();
    return nullptr;
  }
  void* address = ::dlsym(object, symbol);
  if (!address) problem = path + " is no plugin: it has no " + symbol + "; make one with BULKHEAD_FUNCTION";
  return address;
}

}  // namespace bulkhead::os
