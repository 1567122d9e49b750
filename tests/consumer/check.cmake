# Installs the build in BINARY_DIR below WORK_DIR, then builds and runs the consumer against what was installed there.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}: ${result}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BINARY_DIR} --prefix ${WORK_DIR}/prefix)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK_DIR}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=${BUILD_TYPE}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix)
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${WORK_DIR}/build/consumer)
message("${output}")
run(${WORK_DIR}/prefix/bin/bulkhead --version)

# The manual page and the completions are those of this very program.
foreach(page "man/man1/bulkhead.1 man" "bash-completion/completions/bulkhead completions bash"
             "zsh/site-functions/_bulkhead completions zsh" "fish/vendor_completions.d/bulkhead.fish completions fish")
  separate_arguments(page)
  list(POP_FRONT page file)
  run(${WORK_DIR}/prefix/bin/bulkhead ${page})
  file(READ ${WORK_DIR}/prefix/share/${file} text)
  if(text STREQUAL "" OR NOT text STREQUAL "${output}")
    message(FATAL_ERROR "share/${file} is not what bulkhead ${page} says")
  endif()
endforeach()

# The installed files must not lead back to where they were made.
file(GLOB_RECURSE installed ${WORK_DIR}/prefix/*.cmake ${WORK_DIR}/prefix/*.hpp)
foreach(file IN LISTS installed)
  file(READ ${file} text)
  if(text MATCHES "boost/|Boost::")
    message(FATAL_ERROR "${file} asks its user for Boost")
  endif()
  string(FIND "${text}" "${SOURCE_DIR}" position)
  if(NOT position EQUAL -1)
    message(FATAL_ERROR "${file} names the source directory ${SOURCE_DIR}")
  endif()
endforeach()
file(REMOVE_RECURSE ${WORK_DIR})
