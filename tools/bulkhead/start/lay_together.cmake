# A program that runs once pays for the pages of its code, not for its instructions. What `bulkhead run` executes for one
# record is 100 KB, and came from 199 pages; so these functions are laid next to each other, first those of the worker, which
# has to find its pages anew. functions.txt names them, and how it was made. One that is renamed stays where the linker puts
# it.
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(bulkhead_tool PRIVATE -ffunction-sections)
  target_compile_options(bulkhead_program PRIVATE -ffunction-sections)
endif()

# The first section begins where a fault may map most at once: 64 KiB. In the second the few words that a newborn stores to
# lie together.
function(write_layout file)
  file(STRINGS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/functions.txt functions REGEX "^[^#]")
  list(TRANSFORM functions REPLACE "(.+)" "*(.text.\\1 .text.startup.\\1)")
  list(JOIN functions "\n    " functions)
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT [[
SECTIONS {
  .text.start : ALIGN(0x10000) {
    *(.text.hot.bulkhead)
    @functions@
  }
}
INSERT BEFORE .text;
SECTIONS {
  .bss.library : { *libbulkhead.a:*(.bss) }
}
INSERT BEFORE .bss;
]])
endfunction()

# Not every linker takes such a script, and which there is may change.
function(can_lay_together answer)
  include(CheckCXXSourceCompiles)
  set(probe ${CMAKE_CURRENT_BINARY_DIR}/layout_probe.ld)
  file(WRITE ${probe} "SECTIONS { .text.start : { *(.text.main) } }\nINSERT BEFORE .text;\n")
  set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,--gc-sections "SHELL:-T \"${probe}\"")
  string(MAKE_C_IDENTIFIER "BULKHEAD_CAN_LAY_TOGETHER ${CMAKE_EXE_LINKER_FLAGS}" cached)
  check_cxx_source_compiles("int main() {}" ${cached})
  set(${answer} ${${cached}} PARENT_SCOPE)
endfunction()

if(NOT BULKHEAD_SANITIZE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/functions.txt)
  set(layout ${CMAKE_CURRENT_BINARY_DIR}/start.ld)
  write_layout(${layout})
  can_lay_together(it_can)
  if(it_can)
    target_link_options(bulkhead_program PRIVATE -Wl,--gc-sections "SHELL:-T \"${layout}\"")
    set_property(TARGET bulkhead_program APPEND PROPERTY LINK_DEPENDS ${layout})
  else()
    message(STATUS "This linker lays no functions together: a run of one record takes a millisecond longer")
  endif()
endif()
