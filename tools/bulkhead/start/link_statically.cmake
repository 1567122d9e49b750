# A program that is linked statically starts in a millisecond less: there is no dynamic linker to load, nor a C library to
# be found, mapped and bound, and what is forked and ended later is smaller. What loads plugins must be linked to the C
# library that these are linked to: it is a program of its own then.
option(BULKHEAD_STATIC_PROGRAM "Link the program statically, where that can be; bulkhead call is a program of its own then"
       ON)
set(BULKHEAD_PROGRAM_IS_STATIC OFF)
if(BULKHEAD_STATIC_PROGRAM AND NOT BULKHEAD_SANITIZE AND library_type STREQUAL "STATIC_LIBRARY")
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_FLAGS -fPIE)
  set(CMAKE_REQUIRED_LINK_OPTIONS -static-pie)
  check_cxx_source_compiles("#include <thread>\nint main() { std::thread([] {}).join(); }" BULKHEAD_CAN_LINK_STATICALLY)
  unset(CMAKE_REQUIRED_FLAGS)
  unset(CMAKE_REQUIRED_LINK_OPTIONS)
  set(BULKHEAD_PROGRAM_IS_STATIC ${BULKHEAD_CAN_LINK_STATICALLY})
endif()
if(BULKHEAD_PROGRAM_IS_STATIC)
  set_target_properties(bulkhead_program PROPERTIES POSITION_INDEPENDENT_CODE ON LINKED_STATICALLY ON)
  target_sources(bulkhead_program PRIVATE without_dynamic_linker.cpp)
  target_link_options(bulkhead_program PRIVATE -static-pie -Wl,--wrap=dlopen)
endif()
