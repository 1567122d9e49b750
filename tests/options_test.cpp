#include "catch.hpp"

#include <bulkhead/detail/check_options.hpp>

#include "cgroup_quota.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

using namespace bulkhead;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

// A made-up /sys/fs/cgroup with a made-up /proc/self/cgroup in it, gone at the end.
class ControlGroups {
 public:
  ControlGroups() {
    std::string name = (fs::temp_directory_path() / "bulkhead-cgroup-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    root_ = name;
  }
  ~ControlGroups() { fs::remove_all(root_); }
  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  std::optional<std::size_t> quota(const std::string& membership) const {
    write("membership", membership);
    return detail::quota_cores(root_ / "membership", root_);
  }

 private:
  fs::path root_;
};

void refused(const std::string& field, const WorkOptions& options) {
  CHECK_THROWS_AS(detail::check_common_options(options), std::invalid_argument);
  CHECK_THROWS_WITH(detail::check_common_options(options), Catch::StartsWith("WorkOptions::" + field + ":"));
}

}  // namespace

TEST_CASE("the default options pass", "[options]") {
  detail::check_common_options({});
  detail::check_thread_options({});
}

TEST_CASE("options that cannot be meant are refused by name", "[options]") {
  refused("per_sync_timeout", {.per_sync_timeout = 0ms});
  refused("per_sync_timeout", {.per_sync_timeout = -1ms});
  refused("task_timeout", {.task_timeout = -1ms});
  refused("kill_grace", {.kill_grace = -1ms});
  refused("cpu_time", {.cpu_time = -1ms});
  refused("retry.delay", {.retry = {.delay = -1ms}});
  refused("retry.max_delay", {.retry = {.max_delay = -1ms}});
  refused("retry.max_delay", {.retry = {.delay = 2s, .max_delay = 1s}});
  refused("respawn.period", {.respawn = {.period = -1ms}});
  refused("max_item_bytes", {.max_item_bytes = 0});
  refused("max_result_bytes", {.max_result_bytes = 0});
  refused("max_item_bytes", {.max_item_bytes = (std::uint64_t{2} << 30) + 1});
  detail::check_common_options({.max_result_bytes = std::uint64_t{2} << 30});
}

TEST_CASE("a version 2 quota counts, the tightest of a group and its parents", "[options]") {
  const ControlGroups groups;
  CHECK(groups.quota("0::/a/b\n") == std::nullopt);
  groups.write("a/b/cpu.max", "max 100000\n");
  CHECK(groups.quota("0::/a/b\n") == std::nullopt);
  groups.write("a/cpu.max", "250000 100000\n");
  CHECK(groups.quota("0::/a/b\n") == 3);
  groups.write("a/b/cpu.max", "10000 100000\n");
  CHECK(groups.quota("0::/a/b\n") == 1);
  CHECK(groups.quota("0::/elsewhere\n") == std::nullopt);
}

TEST_CASE("in a container the mount itself is the group", "[options]") {
  const ControlGroups groups;
  groups.write("cpu.max", "200000 100000\n");
  CHECK(groups.quota("0::/docker/1234\n") == 2);
  CHECK(groups.quota("0::/\n") == 2);
  CHECK(groups.quota("0::/../outside\n") == 2);
  CHECK(groups.quota("0::no/path\n") == std::nullopt);
}

TEST_CASE("a version 1 quota counts for the cpu controller only", "[options]") {
  const ControlGroups groups;
  groups.write("cpu,cpuacct/a/cpu.cfs_quota_us", "400000\n");
  groups.write("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  CHECK(groups.quota("7:memory:/a\n4:cpu,cpuacct:/a\n") == 4);
  CHECK(groups.quota("7:cpuset:/a\n") == std::nullopt);
  groups.write("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
  CHECK(groups.quota("4:cpu,cpuacct:/a\n") == std::nullopt);
}

TEST_CASE("nonsense in the files is no quota", "[options]") {
  const ControlGroups groups;
  groups.write("cpu.max", "lots\n");
  CHECK(groups.quota("0::/\n") == std::nullopt);
  CHECK(groups.quota("no colons\n\n:\n") == std::nullopt);
  groups.write("cpu.max", "100000 0\n");
  CHECK(groups.quota("0::/\n") == std::nullopt);
}
