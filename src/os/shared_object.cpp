#include "os/shared_object.hpp"

#include <dlfcn.h>

#include <new>

namespace bulkhead::os {

namespace {

using SetNewHandler = std::new_handler (*)(std::new_handler);
void (*throw_bad_alloc_there)() = nullptr;

// In the object's own runtime, whose exceptions are thrown by it and not by ours.
void pass_to_our_handler() {
  try {
    if (const std::new_handler ours = std::get_new_handler()) return ours();
  } catch (const std::bad_alloc&) {
  }
  throw_bad_alloc_there();
}

// A program may have a C++ runtime of its own, linked in. Then memory that is refused to the object is told to another
// runtime's handler, by the name that every one of them knows.
void hear_of_refused_memory(void* object) {
  const auto set = reinterpret_cast<SetNewHandler>(::dlsym(object, "_ZSt15set_new_handlerPFvvE"));
  const auto refuse = reinterpret_cast<void (*)()>(::dlsym(object, "_ZSt17__throw_bad_allocv"));
  if (!set || !refuse || set == static_cast<SetNewHandler>(&std::set_new_handler)) return;
  throw_bad_alloc_there = refuse;
  set(pass_to_our_handler);
}

}  // namespace

void* load_symbol(const std::string& path, const char* symbol, std::string& problem) {
  void* object = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!object) {
    problem = std::string("cannot load ") + ::dlerror();
    return nullptr;
  }
  hear_of_refused_memory(object);
  void* address = ::dlsym(object, symbol);
  if (!address) problem = path + " is no plugin: it has no " + symbol + "; make one with BULKHEAD_FUNCTION";
  return address;
}

}  // namespace bulkhead::os
