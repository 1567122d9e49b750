// --isolate of programs, from outside: what they see, what they may do, and that they end as without it.
#include "outside.hpp"

#include "os/landlock.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>

using namespace outside;

namespace {

// Says on the screen what this machine refuses; a refusal must have words, and status 2.
bool granted(const std::string& isolation) {
  const Result r = run({"--cwd", "/tmp", "--isolate", isolation, "true", ":::", "1"});
  if (r.status == 0) return true;
  CHECK(r.status == 2);
  CHECK(contains(r.error, "cannot be had here"));
  std::cout << "skipped: " << r.error;
  return false;
}

bool there_is(const std::string& program) {
  if (!bulkhead::find_program(program).empty()) return true;
  std::cout << "skipped: there is no " << program << " here\n";
  return false;
}

// The task's shell itself counts what it sees.
constexpr const char* look_round = "set -- /proc/[0-9]*; echo $$ $#; : ";

Result isolated(const std::string& isolation, Words options, const std::string& script) {
  Words words{"-q", "--isolate", isolation};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"-c", script + "; : {}", ":::", "1"});
  return run(words);
}

std::string words_at_the_end(const std::string& isolation, const std::string& script, Words options = {}) {
  Words words{"--isolate", isolation};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"sh", "-c", script, ":::", "1"});
  return run(words).error;
}

}  // namespace

TEST_CASE("isolated by pid, a program sees its own processes alone", "[isolation]") {
  if (!granted("pid")) return;
  CHECK(isolated("pid", {}, look_round).output == "2 2\n");
  CHECK(isolated("contained", {}, look_round).output != "2 2\n");
  // Its parent is the first process of its namespace, which a signal from in there does not reach.
  CHECK(isolated("pid", {}, "kill -KILL $PPID; echo $PPID").output == "1\n");
  CHECK(sh("printf 'a\\nb\\n' | \"$0\" coprocess -qk --isolate pid -- "
           "sh -c 'set -- /proc/[0-9]*; while read -r x; do echo $x $$ $#; done'")
            .output == "a 2 2\nb 2 2\n");
}

TEST_CASE("isolated by pid, tasks at the same time do not see each other", "[isolation]") {
  if (!granted("pid")) return;
  const Directory d;
  const std::string meet = "touch {}; until [ -e a ] && [ -e b ]; do sleep 0.01; done; ";
  const std::string part = "; touch {}.seen; until [ -e a.seen ] && [ -e b.seen ]; do sleep 0.01; done";
  const Result r = run({"-q", "-j2", "--cwd", d.path(), "--isolate", "pid", "-c",
                        meet + "set -- /proc/[0-9]*; echo $#" + part, ":::", "a", "b"});
  CHECK(r.output == "2\n2\n");
}

TEST_CASE("isolated by pid or strictly, programs end as without it", "[isolation]") {
  for (const std::string isolation : {"pid", "strict"}) {
    if (!granted(isolation)) continue;
    const Directory d;
    INFO(isolation);
    const auto ended = [&](const std::string& script, Words options = {}) {
      options.insert(options.end(), {"--cwd", d.path()});
      return words_at_the_end(isolation, script, options);
    };
    CHECK(contains(ended("exit 3"), "EXIT 3"));
    CHECK(contains(ended("kill -SEGV $$"), "CRASH SIGSEGV"));
    CHECK(contains(ended("kill -TERM $$"), "CRASH SIGTERM"));
    CHECK(contains(ended("setsid sleep 1000 &"), "LEAK"));
    CHECK_FALSE(contains(ended("(sleep 0 &); sleep 0.1"), "LEAK"));
    CHECK(contains(ended("sleep 1000", {"--timeout", "200ms"}), "TIMEOUT 200ms"));
    CHECK(contains(ended("x=a; while :; do x=$x$x; done", {"--mem-max", "40M"}), "OOM"));
    CHECK(contains(ended("while :; do :; done", {"--cpu-time", "200ms"}), "CPU"));
    CHECK(contains(ended("head -c 9000 /dev/zero > f", {"--fsize", "4K"}), "FSIZE"));
    const Result none = run({"--cwd", d.path(), "--isolate", isolation, "/there/is/none", ":::", "1"});
    CHECK(contains(none.error, "CANNOT RUN: No such file or directory"));
    CHECK(isolated(isolation, {"--cwd", d.path()}, "echo $BULKHEAD_SEQ $BULKHEAD_SLOT $BULKHEAD_ATTEMPT").output ==
          "1 1 1\n");
  }
}

TEST_CASE("isolated by pid, a program is told to end before it is ended", "[isolation]") {
  if (!granted("pid")) return;
  const Result r = isolated("pid", {"--timeout", "200ms", "--term-seq", "TERM,60s,KILL"},
                            "trap 'echo told; exit 0' TERM; sleep 1000 & wait");
  CHECK(r.output == "told\n");
  // What ignores that ends by the last step, and what left its group and session with it.
  CHECK(contains(words_at_the_end("pid", "trap '' TERM; setsid sleep 1000 & sleep 1000",
                                  {"--timeout", "200ms", "--term-seq", "TERM,100ms,KILL"}),
                 "TIMEOUT"));
}

// A daemon has left the group and lost its parents. The pipe that it holds ends when it does.
TEST_CASE("isolated by pid, nothing outlives coordinator, fork server and worker killed at once", "[isolation]") {
  for (const std::string isolation : {"pid", "strict"}) {
    if (!granted(isolation)) continue;
    const Directory d;
    const Result r =
        sh("cd \"$1\"; mkfifo f; kids() { cat /proc/$1/task/*/children; }\n"
           "\"$0\" run -q --isolate $2 -c 'setsid sh -c \"echo ready >&9; exec sleep 1000\" & sleep 1000; : {}' "
           "::: 1 9> f &\n"
           "all=$!; exec 8< f; read -r word <&8\n"
           "server=$(kids $all); worker=$(kids $server); kill -STOP $all $server $worker\n"
           "kill -KILL $worker $server $all; cat <&8; echo $word gone",
           {d.path(), isolation});
    CHECK(r.output == "ready gone\n");
  }
}

TEST_CASE("strictly isolated, a program writes where it works and nowhere else", "[isolation]") {
  if (!granted("strict")) return;
  const Directory work, temporary, outside_of_both;
  outside_of_both.write("kept", "as it was");
  const auto tried = [&](const std::string& isolation, const std::string& script) {
    return isolated(isolation, {"--cwd", work.path(), "--env", "TMPDIR=" + temporary.path()},
                    "cd " + outside_of_both.path() + "; if " + script + "; then echo could; else echo could not; fi")
        .output;
  };
  for (const std::string script : {"echo x > made", "echo x > kept", "rm -f kept", "mkdir made", "mv kept made",
                                   "ln -s kept made", "chmod 600 kept", "touch kept"}) {
    INFO(script);
    CHECK(tried("strict", script) == "could not\n");
    CHECK(outside_of_both.read("kept") == "as it was");
    CHECK_FALSE(std::filesystem::exists(outside_of_both / "made"));
  }
  for (const std::string& place : {work.path(), temporary.path(), std::string("/dev/shm")}) {
    INFO(place);
    CHECK(tried("strict", "cd " + place +
                              " && mkdir d.x && echo x > d.x/f && chmod 600 d.x/f && touch d.x/f && mv d.x/f f.x && "
                              "rm -r d.x") == "could\n");
  }
  CHECK(work.read("f.x") == "x\n");
  CHECK(temporary.read("f.x") == "x\n");
  CHECK_FALSE(std::filesystem::exists("/dev/shm/f.x"));  // it was the task's own
  CHECK(tried("strict", "echo x > /dev/null && cat kept > /dev/null && echo x > /dev/stderr") == "could\n");
  CHECK(tried("pid", "touch kept") == "could\n");
}

TEST_CASE("strictly isolated, a program reaches no network, no devices and no other programs", "[isolation]") {
  if (!granted("strict") || !there_is("perl")) return;
  const Directory d;
  const auto outcome = [&](const std::string& isolation, const std::string& script) {
    return run({"-q", "--cwd", d.path(), "--isolate", isolation, "perl", "-MSocket", "-e", script, ":::", "1"}).output;
  };
  const auto made = [&](const std::string& isolation, const std::string& family) {
    return outcome(isolation, "print socket(my $s, " + family + ", SOCK_STREAM, 0) ? 'made' : 'not'");
  };
  CHECK(made("strict", "AF_INET") == "not");
  CHECK(made("strict", "AF_INET6") == "not");
  CHECK(made("strict", "AF_UNIX") == "made");
  CHECK(made("pid", "AF_INET") == "made");
  const std::string no_new_privileges = "open F, '/proc/self/status'; print grep /^(NoNewPrivs|Seccomp):/, <F>";
  CHECK(outcome("strict", no_new_privileges) == "NoNewPrivs:\t1\nSeccomp:\t2\n");
#if defined(__x86_64__)
  for (const auto& [name, call] : {std::pair("ptrace", "101, 0"), {"unshare", "272, 0x20000"}, {"bpf", "321, 0"}}) {
    INFO(name);
    CHECK(outcome("strict", "print syscall(" + std::string(call) +
                                ", 0, 0) == -1 && $!{EPERM} ? 'not' : 'let through'") == "not");
  }
#endif
  const std::string other = "print open(F, '<', '/proc/1/environ') && read(F, my $x, 1) ? 'read' : 'not'";
  CHECK(outcome("strict", other) == "not");
  if (bulkhead::os::landlock_version().abi == 0) {
    std::cout << "skipped: no Landlock here, and so devices are not guarded\n";
    return;
  }
  const std::string terminal = "print open(F, '+<', '/dev/ptmx') ? 'opened' : 'not'";
  CHECK(outcome("strict", terminal) == "not");
  CHECK(outcome("pid", terminal) == "opened");
}

TEST_CASE("strictly isolated, co-processes answer, and write where they work alone", "[isolation]") {
  if (!granted("strict")) return;
  const Directory work, elsewhere;
  const Result r =
      sh("cd \"$1\"; export TMPDIR=\"$1\"; printf 'a\\nb\\n' | \"$0\" coprocess -kq -j1 --isolate strict -- sh -c '"
         "touch in; touch $1/out 2> /dev/null; while read -r x; do echo $$ $x; done' sh \"$2\"",
         {work.path(), elsewhere.path()});
  CHECK(r.status == 0);
  CHECK(r.output == "2 a\n2 b\n");
  CHECK(std::filesystem::exists(work / "in"));
  CHECK(std::filesystem::is_empty(elsewhere.path()));
}

TEST_CASE("strict isolation that would guard nothing is refused", "[isolation]") {
  const Result everything = run({"--cwd", "/", "--isolate", "strict", "true", ":::", "1"});
  CHECK(everything.status == 2);
  if (granted("strict")) CHECK(contains(everything.error, "--cwd"));
  CHECK(run({"--cwd", "/there/is/none", "--isolate", "strict", "true", ":::", "1"}).status == 2);
  CHECK(run({"--isolate", "tightly", "true", ":::", "1"}).status == 2);
}

TEST_CASE("where no namespace is granted, isolation is refused with the remedy", "[isolation]") {
  if (!granted("pid") || !there_is("unshare")) return;
  const std::string bounded = "unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_pid_namespaces && ";
  if (sh(bounded + "true'").status != 0) {
    std::cout << "skipped: no user namespace in which the sysctl may be set\n";
    return;
  }
  for (const std::string command : {"run --isolate pid true", "run --isolate strict --cwd /tmp true",
                                    "coprocess --isolate pid cat", "call --isolate pid \"$1\""}) {
    INFO(command);
    const Result r = sh(bounded + "exec \"$0\" " + command + " ::: 1' \"$0\" \"$1\"", {BULKHEAD_SQUARE_PLUGIN});
    CHECK(r.status == 2);
    CHECK(contains(r.error, "user.max_pid_namespaces"));
    CHECK(r.output.empty());
  }
}

TEST_CASE("isolation of programs is granted to an ordinary user, too", "[isolation]") {
  if (::geteuid() != 0) {
    std::cout << "skipped: only root can become an ordinary user\n";
    return;
  }
  if (!there_is("setpriv")) return;
  const Directory d;
  std::filesystem::copy_file(BULKHEAD_TOOL, d / "bulkhead");
  std::filesystem::create_directory(d / "w");
  ::chmod(d.path().c_str(), 0755);
  ::chmod((d / "bulkhead").c_str(), 0755);
  ::chmod((d / "w").c_str(), 0777);
  const std::string ordinary = "cd \"$1/w\" && setpriv --reuid 65534 --regid 65534 --clear-groups ../bulkhead run ";
  const Result may = sh(ordinary + "--isolate pid true ::: 1", {d.path()});
  if (may.status == 2) {
    CHECK(contains(may.error, "cannot be had here"));
    std::cout << "skipped: " << may.error;
    return;
  }
  CHECK(
      sh(ordinary + "-q --isolate pid -c 'set -- /proc/[0-9]*; echo $$ $# $(id -u); : {}' ::: 1", {d.path()}).output ==
      "2 2 65534\n");
  CHECK(sh(ordinary + "-q --isolate strict -c 'echo x > in; echo y > ../out; cat in; grep CapEff /proc/self/status; "
                      "exit 4; : {}' ::: 1 2> /dev/null; echo $?; ls ../out",
           {d.path()})
            .output == "x\nCapEff:\t0000000000000000\n1\n");
}
