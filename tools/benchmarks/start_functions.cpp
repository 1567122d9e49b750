// Which functions a program runs from its start to its end, and which are run by those that it forks: each instruction
// is stepped over, so that it takes a thousand times as long. Programs that they start are left alone. Prints the list
// that tools/bulkhead/start/lay_together.cmake reads:
//   start_functions [--archive NAME] PROGRAM [ARG...] > tools/bulkhead/start/functions.txt
// Of an archive that the program is linked with, like libc.a, whole objects are named: its functions have no sections
// of their own. The compiler is asked where it lies.
#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

using Address = std::uint64_t;

struct Function {
  Address begin = 0, end = 0;
  std::vector<std::string> names{};  // a constructor has two, and one of them is its section's
  bool by_forked = false, seen = false;
};

constexpr const char* kinds_of_code = "tTwWi";  // i: chosen as the program starts, like memmove

// What a shell command says, line by line.
template <class Take>
void each_line_of(const std::string& command, Take&& take) {
  std::FILE* const lines = ::popen(command.c_str(), "r");
  if (lines == nullptr) throw std::runtime_error("cannot start " + command);
  char line[8192];
  while (std::fgets(line, sizeof line, lines) != nullptr) take(std::istringstream(line));
  if (::pclose(lines) != 0) throw std::runtime_error("failed: " + command);
}

std::vector<Function> functions_of(const std::string& program) {
  std::map<Address, Function> found;
  each_line_of("nm -S --defined-only '" + program + "'", [&](std::istringstream words) {
    Address begin = 0, size = 0;
    std::string kind, name;
    if (!(words >> std::hex >> begin >> size >> kind >> name) || kind.find_first_of(kinds_of_code) != 0) return;
    Function& function = found[begin];
    function.begin = begin;
    function.end = std::max(function.end, begin + size);
    if (!name.ends_with(".cold")) function.names.push_back(name);  // these lie with what is never run
  });
  if (found.empty())
    throw std::runtime_error("nm finds no functions in " + program + ": take one that was not stripped");
  std::vector<Function> functions;
  for (auto& [begin, function] : found) functions.push_back(std::move(function));
  return functions;
}

// By the names of its functions the objects of an archive, as a linker's script has them: libc.a:malloc.o
std::map<std::string, std::string> objects_of(const std::string& archive) {
  std::map<std::string, std::string> objects;
  const std::string file = "\"$(g++ -print-file-name='" + archive + "')\"";
  each_line_of("nm -A --quiet --defined-only " + file, [&](std::istringstream words) {
    std::string place, kind, name;  // of ARCHIVE:OBJECT:ADDRESS
    if (!(words >> place >> kind >> name) || kind.find_first_of(kinds_of_code) != 0) return;
    const std::size_t end = place.rfind(':'), begin = place.rfind(':', end - 1);
    if (begin < end) objects.emplace(name, archive + place.substr(begin, end - begin));
  });
  return objects;
}

// Where a process has the program's first byte.
Address base_of(pid_t process, const std::string& program) {
  std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.ends_with(" " + program)) return std::stoull(line, nullptr, 16);
  throw std::runtime_error(program + " is not where its process has its code: a link?");
}

Address instruction_of(pid_t process) {
  user_regs_struct registers{};
  iovec place{&registers, sizeof registers};
  if (::ptrace(PTRACE_GETREGSET, process, NT_PRSTATUS, &place) != 0) return 0;
#if defined(__x86_64__)
  return registers.rip;
#else
  return registers.pc;
#endif
}

class Walk {
 public:
  explicit Walk(std::vector<Function>& functions) : functions_(functions) {}

  /// Of a child that is about to become `program`, which is to end with status 0.
  void from(pid_t first, const std::string& program) {
    int status = 0;
    if (::waitpid(first, &status, 0) != first || !WIFSTOPPED(status))
      throw std::runtime_error(program + " cannot be started, or not be traced (ptrace)");
    ::ptrace(PTRACE_SETOPTIONS, first, 0,
             PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
    base_ = base_of(first, program);  // of all: they are forked
    ::ptrace(PTRACE_SINGLESTEP, first, 0, 0);
    for (pid_t process; (process = ::waitpid(-1, &status, __WALL)) > 0;) {
      if (WIFSTOPPED(status))
        step(process, status, process != first);
      else if (process == first && status != 0)
        throw std::runtime_error(program + " failed: its list would be that of a failure");
    }
  }

  const std::vector<Function*>& in_their_order() const noexcept { return order_; }

 private:
  void step(pid_t process, int status, bool is_forked) {
    const int event = status >> 16, signal = WSTOPSIG(status);
    if (event == PTRACE_EVENT_EXEC) {
      ::ptrace(PTRACE_DETACH, process, 0, 0);
      return;
    }
    if (event == 0) note(instruction_of(process) - base_, is_forked);
    const bool of_stepping = event != 0 || signal == SIGTRAP || signal == SIGSTOP;
    ::ptrace(PTRACE_SINGLESTEP, process, 0, of_stepping ? 0 : signal);
  }

  void note(Address at, bool by_forked) {
    if (!noted_[by_forked ? 1 : 0].insert(at).second) return;
    auto next = std::upper_bound(functions_.begin(), functions_.end(), at,
                                 [](Address address, const Function& f) { return address < f.begin; });
    if (next == functions_.begin() || at >= (--next)->end) return;
    next->by_forked |= by_forked;
    if (!std::exchange(next->seen, true)) order_.push_back(&*next);
  }

  std::vector<Function>& functions_;
  Address base_ = 0;
  std::unordered_set<Address> noted_[2];
  std::vector<Function*> order_;
};

pid_t start_traced(const std::string& program, char** words) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int nowhere = ::open("/dev/null", O_WRONLY);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, stream);
  ::ptrace(PTRACE_TRACEME, 0, 0, 0);
  ::execv(program.c_str(), words);
  ::_exit(127);
}

void print(const std::vector<Function*>& functions, const std::map<std::string, std::string>& objects, int argc,
           char** argv) {
  std::cout << "# Made by: build/ci/bin/benchmarks/start_functions";
  for (int i = 1; i < argc; ++i) std::cout << ' ' << argv[i];
  std::cout << "\n# First what the forked run, then what the program does, each in the order of its first time.\n";
  std::set<std::string> named;  // a local function's name may be that of several
  for (const bool by_forked : {true, false})
    for (const Function* const function : functions)
      if (function->by_forked == by_forked)
        for (const std::string& name : function->names) {
          const auto object = objects.find(name);
          const std::string& place = object == objects.end() ? name : object->second;
          if (named.insert(place).second) std::cout << place << '\n';
        }
}

}  // namespace

int main(int argc, char** argv) {
  const bool with_archive = argc > 2 && argv[1] == std::string("--archive");
  char** const words = argv + (with_archive ? 3 : 1);
  if (words >= argv + argc) {
    std::cerr << "usage: start_functions [--archive NAME] PROGRAM [ARG...]\n";
    return 2;
  }
  try {
    const std::string program = std::filesystem::canonical(words[0]);
    std::vector<Function> functions = functions_of(program);
    std::map<std::string, std::string> objects;
    if (with_archive) objects = objects_of(argv[2]);
    Walk walk(functions);
    walk.from(start_traced(program, words), program);
    if (walk.in_their_order().empty())
      throw std::runtime_error("none of the functions was run: " + program +
                               " may be linked for one address (-no-pie)");
    print(walk.in_their_order(), objects, argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "start_functions: " << e.what() << '\n';
    return 1;
  }
  return 0;
}
