// `bulkhead report`: the events of a run as one self-contained page.
#pragma once

#include <string>
#include <vector>

namespace bulkhead::tool {

/// The words behind the subcommand's name; `help` is filled in instead where it is asked for. Returns the exit status.
/// Throws UsageError naming the file that is missing or the line that is no event, std::system_error for a page that
/// cannot be written.
int report(const std::vector<std::string>& words, std::string& help);

/// The page in two halves, between which the data stands as JSON. Made from report_page/ when the program is built.
extern const char* const report_page_head;
extern const char* const report_page_tail;

}  // namespace bulkhead::tool
