// Templates, quoting and the words of a command: hostile values stay values.
#include "catch.hpp"

#include "records/template.hpp"
#include "words/nearest.hpp"
#include "words/quantity.hpp"
#include "words/shell_quote.hpp"
#include "words/usage_error.hpp"

#include <chrono>

using namespace bulkhead::tool;
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

namespace {

Texts filled(const Texts& words, const Texts& fields, const TemplateRules& rules = {}) {
  return CommandTemplate(words, rules).arguments({.fields = fields, .sequence = 7, .slot = 2});
}
std::string shell_line(const std::string& text, const Texts& fields) {
  return filled({text}, fields, {.shell = true}).back();
}

}  // namespace

TEST_CASE("every placeholder stands for what the manual says", "[template]") {
  const Texts record{"dir/sub/file.tar.gz"};
  const auto one = [&](const std::string& word) { return filled({"p", word}, record).at(1); };
  CHECK(one("{}") == "dir/sub/file.tar.gz");
  CHECK(one("{.}") == "dir/sub/file.tar");
  CHECK(one("{/}") == "file.tar.gz");
  CHECK(one("{//}") == "dir/sub");
  CHECK(one("{/.}") == "file.tar");
  CHECK(one("{#}") == "7");
  CHECK(one("{%}") == "2");
  CHECK(one("a{}b{#}c") == "adir/sub/file.tar.gzb7c");
  const Texts fields{"x/a.c", "y/b.d"};
  CHECK(filled({"{1}", "{2}", "{2.}", "{2/}", "{2//}", "{2/.}", "{-1}", "{-2}"}, fields) ==
        Texts{"x/a.c", "y/b.d", "y/b", "b.d", "y", "b", "y/b.d", "x/a.c"});
  CHECK(filled({"p", "{3}", "{-3}"}, fields) == Texts{"p", "", ""});
}

TEST_CASE("other braces are left as they are", "[template]") {
  for (const std::string& word : Texts{"{a}", "{0}", "{-0}", "{1x}", "{", "}", "{{", "{ }", "{-}", "{...}", "{1,2}"})
    CHECK(filled({word, "{}"}, {"v"}) == Texts{word, "v"});
  CHECK(filled({"{{}}"}, {"v"}) == Texts{"{v}"});
  CHECK(filled({"{}", "@@", "{.}"}, {"v.w"}, {.replace = "@@"}) == Texts{"{}", "v.w", "v"});
}

TEST_CASE("a command without a placeholder gets the record as its last argument", "[template]") {
  CHECK(filled({"echo", "a"}, {"v w"}) == Texts{"echo", "a", "v w"});
  CHECK(filled({"echo"}, {"v", "w"}) == Texts{"echo", "v", "w"});
  CHECK(filled({"echo", "{#}"}, {"v"}) == Texts{"echo", "7"});
  CHECK(shell_line("cat -n", {"a b"}) == "cat -n 'a b'");
}

TEST_CASE("several fields are several arguments, and one text inside a word", "[template]") {
  CHECK(filled({"p", "{}"}, {"a", "b c"}) == Texts{"p", "a", "b c"});
  CHECK(filled({"p", "x{}"}, {"a", "b"}) == Texts{"p", "xa b"});
}

TEST_CASE("no command: the record is a shell command line", "[template]") {
  CHECK(filled({}, {"echo {} | tr a b"}) == Texts{"/bin/sh", "-c", "echo {} | tr a b"});
  CHECK(CommandTemplate({}, {}).shown({.fields = Texts{}, .sequence = 1, .slot = 1}).empty());
}

TEST_CASE("values are never scanned again", "[template]") {
  CHECK(filled({"p", "{} {#}"}, {"{#}{%}"}).at(1) == "{#}{%} 7");
  CHECK(shell_line("echo {}", {"{}"}) == "echo '{}'");
}

TEST_CASE("values for a shell are one quoted word, whatever they hold", "[template]") {
  CHECK(shell_line("echo {}", {"; rm -rf /"}) == "echo '; rm -rf /'");
  CHECK(shell_line("echo {}", {"a'b"}) == R"(echo 'a'\''b')");
  CHECK(shell_line("echo {}", {""}) == "echo ''");
  CHECK(shell_line("echo {}", {"$(id)`id`\n"}) == "echo '$(id)`id`\n'");
  CHECK(shell_line("echo {}", {"\xff\xfe"}) == "echo '\xff\xfe'");
}

TEST_CASE("a placeholder where a quoted value could break out is refused", "[template]") {
  for (const char* line :
       {"echo \"{}\"", "echo '{}'", "echo `ls {}`", "echo \\{}", "cat <<EOF\n{}\nEOF", "echo a # {}", "echo $'a{}'",
        "echo ${}", "echo $((1+{}))", "echo \"$(cat {})\"", "((x={}))", "echo \\\n# {}", "a[{}]=1", "echo $'a\\'{}",
        "cat <\\\n<EOF\n{}\nEOF", "echo \"a\" \"{/}\""}) {
    INFO(line);
    CHECK_THROWS_AS(shell_line(line, {"v"}), UsageError);
  }
}

TEST_CASE("a placeholder outside of quotes is not refused", "[template]") {
  for (const char* line : {"echo {}", "echo 'a'{}\"b\"", "echo \"it's\" {}", "echo $(cat {})", "x={} y", "a#b {}",
                           "echo '{#}' {}", "echo \"{%}\" {}", "ls f[0-9] {}", "echo a\\\n {}", "echo x > {}"}) {
    INFO(line);
    CHECK_NOTHROW(shell_line(line, {"v"}));
  }
}

TEST_CASE("path transforms", "[template]") {
  CHECK(without_extension(".bashrc") == ".bashrc");
  CHECK(without_extension("a.b/c") == "a.b/c");
  CHECK(without_extension("a/..") == "a/..");
  CHECK(without_extension("x.") == "x");
  CHECK(base_name("a/b/") == "b");
  CHECK(base_name("/") == "/");
  CHECK(base_name("").empty());
  CHECK(directory_name("f") == ".");
  CHECK(directory_name("/f") == "/");
  CHECK(directory_name("a//b//") == "a");
  CHECK(directory_name("").compare(".") == 0);
}

TEST_CASE("commands are shown as one would type them", "[template]") {
  const Texts fields{"a b"};
  CHECK(CommandTemplate({"echo", "x=1"}, {}).shown({.fields = fields, .sequence = 1, .slot = 1}) == "echo x=1 'a b'");
  CHECK(shell_join({"A=b", "c"}) == "'A=b' c");
}

TEST_CASE("what goes to a terminal cannot steer it", "[template]") {
  CHECK(printable("a\x1b[31m\tb\r\n") == "a\\x1b[31m\\tb\\r\\n");
  CHECK(printable("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
  CHECK(printable("\xc3") == "\\xc3");
  CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");  // the one-byte form of ESC [
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(printable(std::string(300, 'a'), 10) == "aaaaaaaaaa...");
}

TEST_CASE("durations", "[quantity]") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("10s") == 10s);
  CHECK(parse_duration("1m30s") == 90s);
  CHECK(parse_duration("2h") == 2h);
  CHECK(parse_duration("1.5") == 1500ms);
  CHECK(parse_duration(".5") == 500ms);
  CHECK(parse_duration("1.") == 1s);
  CHECK(parse_duration("1.1s") == 1100ms);  // not the 1101 that a sum of tenths would be
  CHECK(parse_duration("0.1ms") == 1ms);    // never less than was asked for
  CHECK(parse_duration("0.33333333333333333333s") == 334ms);
  CHECK(parse_duration("0") == 0ms);
  for (const char* bad : {"", "-1", "1x", "s", "1m30", "1e3", "1..2", "nan", "inf", "10 s", "99999999999999999999h",
                          "+1", ".", "1.2.3s"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration(bad).has_value());
  }
  CHECK(format_duration(90s) == "1m30s");
  CHECK(format_duration(30s) == "30s");
  CHECK(format_duration(250ms) == "250ms");
}

TEST_CASE("slots", "[quantity]") {
  CHECK(parse_jobs("4", 8) == 4u);
  CHECK(parse_jobs("50%", 8) == 4u);
  CHECK(parse_jobs("1%", 8) == 1u);
  CHECK(parse_jobs("+2", 8) == 10u);
  CHECK(parse_jobs("-2", 8) == 6u);
  CHECK(parse_jobs("-9", 8) == 1u);
  for (const char* bad : {"", "0", "x", "4x", "--1", "%", "1.5", "99999999999999999999"}) {
    INFO(bad);
    CHECK_FALSE(parse_jobs(bad, 8).has_value());
  }
}

TEST_CASE("C escapes", "[quantity]") {
  CHECK(unescape("\\t\\n\\0") == std::string("\t\n\0", 3));
  CHECK(unescape("a\\x1fb\\033\\\\") ==
        "a\x1f"
        "b\033\\");
  CHECK(unescape("") == "");
  for (const char* bad : {"\\", "\\q", "\\x", "\\xg", "\\777"}) {
    INFO(bad);
    CHECK_FALSE(unescape(bad).has_value());
  }
}

TEST_CASE("the name that was meant", "[nearest]") {
  const Texts names{"--jobs", "--joblog", "--halt", "--retries", "--progress"};
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(nearest("--jbos", names) == "--jobs");
  CHECK(nearest("--prog", names) == "--progress");
  CHECK(nearest("--retires", names) == "--retries");
  CHECK(nearest("--completely-else", names).empty());
}
