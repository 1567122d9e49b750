// Outcomes of a threaded run that cannot be handed over when they come.
#pragma once

#include <bulkhead/detail/reorder.hpp>
#include <bulkhead/outcome.hpp>

#include <cstddef>
#include <deque>
#include <utility>

namespace bulkhead::detail {

/// The driver's alone. In order: what came before its turn. As they come: what ended while another was asked for.
template <class R>
class ThreadDeliveries {
 public:
  explicit ThreadDeliveries(bool ordered) : ordered_(ordered) {}

  bool ordered() const noexcept { return ordered_; }
  /// Whether this one would be handed over at once.
  bool is_next(std::size_t index) const noexcept { return !ordered_ || waiting_.is_next(index); }
  bool has_one() const noexcept { return !aside_.empty() || waiting_.front_is_there(); }

  [[gnu::noinline]] void keep(std::size_t index, Outcome<R>&& outcome) {
    if (ordered_)
      waiting_.put(index, std::move(outcome), 0);
    else
      aside_.push_back({index, std::move(outcome)});
  }
  /// One whose turn it is. False: there is none.
  bool take(Indexed<R>& into) {
    if (waiting_.take_front(into.outcome)) {
      into.index = static_cast<std::size_t>(waiting_.front_index() - 1);
      return true;
    }
    if (aside_.empty()) return false;
    into = std::move(aside_.front());
    aside_.pop_front();
    return true;
  }
  /// This one, or what has its turn now. False: there is none yet, and this one is kept.
  bool pass(std::size_t index, Outcome<R>&& outcome, Indexed<R>& into) {
    if (!is_next(index)) {
      keep(index, std::move(outcome));
      return take(into);
    }
    if (ordered_) waiting_.pass_front();
    into.index = index;
    into.outcome = std::move(outcome);
    return true;
  }

 private:
  const bool ordered_;
  Reorder<R> waiting_;
  std::deque<Indexed<R>> aside_;
};

}  // namespace bulkhead::detail
