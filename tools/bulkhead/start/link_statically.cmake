# A program that is linked statically starts in a millisecond less: there is no dynamic linker to load, nor a C library to
# be found, mapped and bound, and what is forked and ended later is smaller. What loads plugins must be linked to the C
# library that these are linked to: it is a program of its own then.
option(BULKHEAD_STATIC_PROGRAM "Link the program statically, where that can be; bulkhead call is a program of its own then"
       ON)

function(can_link_statically answer)
  set(${answer} OFF PARENT_SCOPE)
  if(NOT BULKHEAD_STATIC_PROGRAM OR BULKHEAD_SANITIZE OR NOT library_type STREQUAL "STATIC_LIBRARY")
    return()
  endif()
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_FLAGS -fPIE)
  set(CMAKE_REQUIRED_LINK_OPTIONS -static-pie)
  string(MAKE_C_IDENTIFIER "BULKHEAD_CAN_LINK_STATICALLY ${CMAKE_EXE_LINKER_FLAGS}" cached)
  # Before 2.34 glibc's threads were a library of their own, of which a static program may get a part.
  check_cxx_source_compiles("#include <thread>
    #if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 34)
    #error its threads come in parts
    #endif
    int main() { std::thread([] {}).join(); }" ${cached})
  set(${answer} ${${cached}} PARENT_SCOPE)
endfunction()

can_link_statically(it_can)
if(it_can)
  set_target_properties(bulkhead_program PROPERTIES POSITION_INDEPENDENT_CODE ON BULKHEAD_WITHOUT_LOGGER ON)
  target_sources(bulkhead_program PRIVATE without_dynamic_linker.cpp)
  target_link_options(bulkhead_program PRIVATE -static-pie -Wl,--wrap=dlopen -Wl,-z,now)

  add_executable(bulkhead_call_program call_main.cpp)
  list(APPEND programs bulkhead_call_program)
  set(plugin_host bulkhead_call_program)
  add_dependencies(bulkhead_program bulkhead_call_program) # who builds the program can call
  # As installed, wherever that was moved; as built; and where it was meant to be installed.
  file(RELATIVE_PATH beside ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBEXECDIR}/bulkhead/bulkhead-call)
  set(places "${beside}" "../libexec/bulkhead/bulkhead-call" "${CMAKE_INSTALL_FULL_LIBEXECDIR}/bulkhead/bulkhead-call")
  list(REMOVE_DUPLICATES places)
  list(JOIN places "\",\"" places)
  target_compile_definitions(bulkhead_program PRIVATE BULKHEAD_CALL_PROGRAM_PLACES="${places}")
  set_target_properties(bulkhead_call_program PROPERTIES OUTPUT_NAME bulkhead-call
                                                         RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/libexec/bulkhead)
  install(TARGETS bulkhead_call_program DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/bulkhead)
endif()
