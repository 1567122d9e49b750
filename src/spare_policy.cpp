#include "spare_policy.hpp"

#include <algorithm>
#include <utility>

namespace bulkhead {

namespace {

using namespace std::chrono_literals;

constexpr auto young = 10ms;  // a fork, a birth and an end take 0.5 ms on a good day, and 4 on a bad one
constexpr auto pause = 40ms;  // between deaths on the heels of each other there are a life and a birth at most
// Births are ordered ahead of the deaths by which they are judged: as many as there are workers.
constexpr std::size_t warm_up = 4, counted = 12;
constexpr unsigned between_trials = 64;  // of the slower way: with one worker once in a thousand deaths
constexpr double worth_it = 0.9;         // for half the processor time in turn is kept where it is hardly slower

}  // namespace

void SparePolicy::note_death(std::chrono::nanoseconds oldest, std::chrono::nanoseconds now) noexcept {
  if (oldest >= young || now >= pressed_until_) deaths_ = 0;  // what passed meanwhile says nothing of either way
  pressed_until_ = oldest >= young ? now : now + pause;
  if (oldest >= young) return;
  ++deaths_;
  const std::size_t first = warm_up + num_workers_;
  if (deaths_ == first) counted_from_ = now;
  if (deaths_ == first + counted + num_workers_)
    judge((now - counted_from_) / static_cast<int>(counted + num_workers_));
}

void SparePolicy::judge(std::chrono::nanoseconds each) noexcept {
  // Of two, the better: a machine that is busy elsewhere for a moment makes a way look slow, and never fast.
  const auto way = static_cast<std::size_t>(way_);
  each_[way] = std::min(each, std::exchange(last_[way], each));
  deaths_ = 0;
  const auto [in_turn, ahead] = each_;
  if (in_turn == untried || ahead == untried || ++judged_ % between_trials == 0)
    way_ = other(way_);
  else
    way_ = ahead < in_turn * worth_it ? Way::ahead : Way::in_turn;
}

}  // namespace bulkhead
