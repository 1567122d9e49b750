#include "command_line/manual_page.hpp"

#include "command_line/option_table.hpp"

#include <fmt/format.h>

#include <string_view>

namespace bulkhead::tool {

namespace {

// A dash is to be a dash that can be searched for, and no line may begin with what the formatter reads as its own.
std::string in_roff(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '\\')
      result += "\\e";
    else if (c == '-')
      result += "\\-";
    else if ((c == '.' || c == '\'') && (result.empty() || result.back() == '\n'))
      result += std::string("\\&") + c;
    else
      result += c;
  }
  return result;
}

std::string options_of(Subcommand which) {
  std::string text, group;
  for (const OptionEntry& option : option_table(which)) {
    if (option.group != group) text += fmt::format(".SS {}\n", in_roff(group = option.group));
    std::string names = option.short_name.empty() ? "" : fmt::format("\\fB{}\\fR", in_roff(option.short_name));
    if (!option.long_name.empty())
      names += fmt::format("{}\\fB{}\\fR", names.empty() ? "" : ", ", in_roff(option.long_name));
    if (!option.value.empty())
      names += fmt::format("{}\\fI{}\\fR", option.value_optional ? "" : " ", in_roff(option.value));
    text += fmt::format(".TP\n{}\n{}\n", names, in_roff(option.words));
  }
  return text;
}

}  // namespace

std::string manual_page() {
  std::string page = ".TH BULKHEAD 1 \"\" \"bulkhead " BULKHEAD_VERSION "\" \"User Commands\"\n";
  page += R"(.SH NAME
bulkhead \- runs work that may crash: a crash costs only its own task
.SH SYNOPSIS
.B bulkhead run
[\fIOPTIONS\fR] [\-\-] \fICOMMAND\fR [\fIARG\fR...] [::: \fIVALUE\fR...]
.br
.B bulkhead call
[\fIOPTIONS\fR] \fIPLUGIN.so\fR[:\fIFUNCTION\fR] [::: \fIVALUE\fR...]
.br
.B bulkhead coprocess
[\fIOPTIONS\fR] [\-\-] \fICOMMAND\fR [\fIARG\fR...]
.br
.B bulkhead report
[\-\-run \fIN\fR] \fIEVENTS.ndjson\fR \-o \fIREPORT.html\fR
.br
.B bulkhead replay
\fIJOBLOG SEQ\fR [\-\-gdb]
.br
.B bulkhead doctor
.br
.B bulkhead completions
bash|zsh|fish
.SH DESCRIPTION
Runs a program, or calls a compiled function, for every record, several at a time. Records are lines of standard input,
of files, or the words behind :::. A task that crashes, hangs or fails costs only itself.
.SH EXAMPLES
.nf
bulkhead run gzip \-9 ::: *.log
find . \-name '*.png' \-print0 | bulkhead run \-0 \-j50% optipng {}
bulkhead run \-\-timeout 30s \-\-retries 2 \-\-joblog jobs.tsv ./fetch {1} {2} ::: eu us ::: 2023 2024
bulkhead call \-k ./square.so ::: 1 2 3
.fi
)";
  page += ".SH OPTIONS OF RUN\n" + options_of(Subcommand::run);
  page += ".SH OPTIONS OF CALL\n" + options_of(Subcommand::call);
  page += ".SH OPTIONS OF COPROCESS\n" + options_of(Subcommand::coprocess);
  page += R"(.SH EXIT STATUS
0 all tasks succeeded; 1 some did not; 2 usage; 3 stopped by \-\-halt, \-\-fail\-fast or \-\-crash\-limit; 5 a log or
output could not be written; 70 internal error; 124 \-\-deadline; 128+n ended by signal n; 141 standard output's reader
has gone.
.SH SIGNALS
The first INT or TERM starts nothing more and ends what runs with grace; the second kills. HUP starts nothing more and
lets what runs come to its end. USR1 lists what runs. TSTP (Ctrl\-Z) stops the tasks and all they have started as well,
CONT lets them go on, and the time between counts for no timer.
)";
  return page;
}

}  // namespace bulkhead::tool
