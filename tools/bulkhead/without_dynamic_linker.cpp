// What is loaded on demand, to name the lines of a crash, is not to be had in a program that is linked statically: it
// would bring another C library along. So here every such wish is refused, as where the file is not installed.
extern "C" void* __wrap_dlopen(const char*, int) {  // NOLINT(bugprone-reserved-identifier): named by --wrap
  return nullptr;
}
