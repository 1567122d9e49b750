# A program that runs once pays for the pages of its code, not for its instructions. What `bulkhead run` executes for one
# record is 100 KB, and came from 199 pages; so these functions are laid next to each other, first those of the worker, which
# has to find its pages anew. functions.txt names them, and how it was made; of the C library, which is compiled by other
# rules, whole objects. What is renamed stays where the linker puts it, and so does what another processor chooses: the list
# names memmove for AVX-512.

# The first section begins with its segment, and that where a fault may map most at once: 64 KiB. The few words that are
# stored to around a fork lie together on one page. Variables of templates have sections of their own: .data._Z*, and Boost's
# page_size_holder.
function(write_layout file)
  file(STRINGS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/functions.txt functions REGEX "^[^#]")
  list(TRANSFORM functions REPLACE ".+" "*(.text.\\0 .text.startup.\\0)" REGEX "^[^:]+$")
  list(TRANSFORM functions REPLACE ".+" "*\\0(.text .text.*)" REGEX ":") # of an archive, whole objects
  list(JOIN functions "\n    " functions)
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT [[
SECTIONS {
  .text.start : {
    *(.text.hot.bulkhead)
    @functions@
  }
}
INSERT BEFORE .text;
SECTIONS {
  .data.library : ALIGN(0x1000) { *libbulkhead.a:*(.data .data._Z*) }
}
INSERT AFTER .data;
SECTIONS {
  .bss.library : { *libbulkhead.a:*(.bss .bss.*page_size_holder*) *(.bss.last) }
}
INSERT BEFORE .bss;
SECTIONS {
  .bss.apart : { *(.bss.apart) }
}
INSERT AFTER .bss;
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

# For these programs, and what they are made of.
function(lay_together)
  if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    foreach(target IN LISTS ARGN ITEMS bulkhead_tool)
      target_compile_options(${target} PRIVATE -ffunction-sections)
    endforeach()
  endif()
  if(BULKHEAD_SANITIZE)
    return()
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/functions.txt)
  set(layout ${CMAKE_CURRENT_BINARY_DIR}/start.ld)
  write_layout(${layout})
  can_lay_together(it_can)
  if(NOT it_can)
    message(STATUS "This linker lays no functions together: a run of one record takes a millisecond longer")
    return()
  endif()
  foreach(program IN LISTS ARGN)
    target_link_options(${program} PRIVATE -Wl,--gc-sections -Wl,-z,max-page-size=0x10000 "SHELL:-T \"${layout}\"")
    set_property(TARGET ${program} APPEND PROPERTY LINK_DEPENDS ${layout})
  endforeach()
endfunction()
