// Time that passes. Not to wait for something: the time itself is what matters.
#pragma once

#include <poll.h>

#include <chrono>

inline void let_pass(std::chrono::milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }
