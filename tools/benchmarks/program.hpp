// Running other programs and measuring them from outside.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

struct Command {
  std::vector<std::string> words;   ///< the program is looked for in the PATH
  std::string input = "/dev/null";  ///< the file that is its standard input
  std::string output = "/dev/null";
  std::function<void(std::string_view)> reader{};  ///< gets its standard output instead, piece by piece
  bool watch_peak = false;                         ///< looks every 5 ms; what it needs in its last 5 ms is not seen
  bool quiet = false;                              ///< nobody reads its standard error
};

struct Run {
  double seconds = 0;   ///< from before its start to after its end
  double peak_mib = 0;  ///< of the process itself, not of its children; 0 unless it is watched
};

/// Runs it and waits. Its standard error is passed on unless it is quiet. Throws std::runtime_error unless it leaves
/// with 0.
Run run(const Command& command);

/// Starts it in a process group of its own and returns its process id. Throws std::runtime_error where it cannot.
int start(const Command& command);

/// The first line that the command prints, or nothing where it cannot be run: for versions.
std::string first_line_of(const std::string& shell_command);

/// Whether the PATH has the program.
bool is_installed(const std::string& program);

/// The bulkhead program of this build, and the programs that stand beside the subjects.
std::string bulkhead_program();
std::string beside(const std::string& name);

/// A directory in $TMPDIR or /tmp that is removed at the end with all it holds.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string path(const std::string& name) const { return path_ + '/' + name; }
  /// Writes a file with one line for each i below `lines`: what `line(i)` returns. Returns its path.
  std::string file(const std::string& name, std::size_t lines, const std::function<std::string(std::size_t)>& line);

 private:
  std::string path_;
};

}  // namespace bench
