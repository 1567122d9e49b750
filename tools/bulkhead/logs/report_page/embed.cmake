# Writes the page of `bulkhead report` as a C++ source: page.html with its style and scripts in their places, in two
# halves, between which the data goes.
#   cmake -DPAGE_DIR=… -DSCRIPTS=a.js,b.js -DOUTPUT=report_page.cpp -P embed.cmake
cmake_minimum_required(VERSION 3.25)
file(READ "${PAGE_DIR}/page.html" page)
file(READ "${PAGE_DIR}/style.css" style)
set(script "")
string(REPLACE "," ";" scripts "${SCRIPTS}")
foreach(name IN LISTS scripts)
  file(READ "${PAGE_DIR}/${name}" text)
  string(APPEND script "${text}")
endforeach()
string(REPLACE "@style@" "${style}" page "${page}")
string(REPLACE "@script@" "${script}" page "${page}")
string(REPLACE "@data@" ")page~\";\nconst char* const report_page_tail = R\"page~(" page "${page}")
file(WRITE "${OUTPUT}" "// Generated from ${PAGE_DIR}; change what stands there.
#include \"logs/report.hpp\"

namespace bulkhead::tool {

const char* const report_page_head = R\"page~(${page})page~\";

}  // namespace bulkhead::tool
")
