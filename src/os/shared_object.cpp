#include "os/shared_object.hpp"

#include <dlfcn.h>

#include <new>

namespace bulkhead::os {

namespace {

using SetNewHandler = std::new_handler (*)(std::new_handler);
void (*throw_bad_alloc_there)() = nullptr;
std::new_handler handler_there = nullptr;

// Called by the object's own runtime, whose exceptions are thrown by it and not by ours. Ours comes before one of its
// own, as it does where there is one runtime for both.
void pass_to_our_handler() {
  const std::new_handler ours = std::get_new_handler();
  if (!ours && handler_there) return handler_there();
  try {
    if (ours && ours != pass_to_our_handler) return ours();
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
  const std::new_handler before = set(pass_to_our_handler);
  if (before != pass_to_our_handler) handler_there = before;
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
