// Catch2's runner, compiled once. Its signal handlers stay out: tests crash worker processes on purpose, and a forked
// child must die of its signal instead of reporting a failed test.
#define CATCH_CONFIG_RUNNER
#define CATCH_CONFIG_NO_POSIX_SIGNALS
#include "catch.hpp"

int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
