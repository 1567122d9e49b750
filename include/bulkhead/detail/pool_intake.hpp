// What callers hand to a pool, from any thread, and what the pool's one thread makes of it.
#pragma once

#include <bulkhead/detail/service_thread.hpp>
#include <bulkhead/outcome.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <iterator>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// Where an outcome goes: to a future, or to its place in the vector of a map().
template <class R>
class Addressee {
 public:
  struct Mapped {
    std::vector<Outcome<R>> outcomes;
    std::size_t missing = 0;
    std::mutex mutex;
    std::condition_variable all_there;

    std::size_t add_place() {
      const std::lock_guard lock(mutex);
      outcomes.emplace_back();
      ++missing;
      return outcomes.size() - 1;
    }
    void wait() {
      std::unique_lock lock(mutex);
      all_there.wait(lock, [&] { return missing == 0; });
    }
  };

  explicit Addressee(std::promise<Outcome<R>> promise) : promise_(std::move(promise)) {}
  Addressee(Mapped& map, std::size_t place) noexcept : map_(&map), place_(place) {}

  void deliver(Outcome<R> outcome) {
    if (promise_) return promise_->set_value(std::move(outcome));
    const std::lock_guard lock(map_->mutex);  // also notified under it: the waiter may be gone at once
    map_->outcomes[place_] = std::move(outcome);
    if (--map_->missing == 0) map_->all_there.notify_all();
  }

 private:
  std::optional<std::promise<Outcome<R>>> promise_;
  Mapped* map_ = nullptr;
  std::size_t place_ = 0;
};

/// The queue between them. The pool's thread reads it as the input range of its work: one that can be waited for.
template <class R, class Item>
class PoolIntake {
 public:
  struct Submission {
    Item item;
    Addressee<R> addressee;
  };

  // Callers' side, any thread.

  /// Answered at once where the pool is closed.
  void put(Submission submission) {
    {
      const std::lock_guard lock(mutex_);
      if (!refusal_) {
        waiting_.push_back(std::move(submission));
        if (std::exchange(asleep_, false)) bell_.ring();
        return;
      }
    }
    submission.addressee.deliver(Outcome<R>(*refusal_));  // written once, before anyone could see it
  }
  /// What is put from here on ends with this. The first call counts.
  void close(Failure refusal) {
    const std::lock_guard lock(mutex_);
    if (!refusal_) refusal_ = std::move(refusal);
    if (std::exchange(asleep_, false)) bell_.ring();
  }

  // The pool's thread: an input range of items, whose addressees wait in `addressees` by the order they came in.

  bool ready() {
    const std::lock_guard lock(mutex_);
    asleep_ = waiting_.empty() && !refusal_;
    if (asleep_) bell_.quiet();
    return !asleep_;
  }
  int wait_descriptor() const noexcept { return bell_.descriptor(); }

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    explicit iterator(PoolIntake& intake) noexcept : intake_(&intake) {}
    Item& operator*() const noexcept { return *intake_->current_; }
    iterator& operator++() {
      intake_->step();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept { return it.at_end(); }

   private:
    bool at_end() const noexcept { return !intake_->current_; }
    PoolIntake* intake_;
  };
  iterator begin() {
    step();
    return iterator(*this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

  /// Of item number `index`, counted as the range gave them out.
  Addressee<R> take_addressee(std::uint64_t index) {
    std::optional<Addressee<R>>& place = addressees_[static_cast<std::size_t>(index - first_)];
    Addressee<R> addressee = *std::exchange(place, std::nullopt);
    while (!addressees_.empty() && !addressees_.front()) addressees_.pop_front(), ++first_;
    return addressee;
  }
  /// Ends whatever is left with `failure`, once closed.
  void end_all(const Failure& failure) {
    for (auto& addressee : addressees_)
      if (addressee) addressee->deliver(Outcome<R>(failure));
    addressees_.clear();
    std::deque<Submission> left;
    {
      const std::lock_guard lock(mutex_);
      left.swap(waiting_);
    }
    for (Submission& submission : left) submission.addressee.deliver(Outcome<R>(failure));
  }

 private:
  // Called when ready: there is one, or there will never be another.
  void step() {
    const std::lock_guard lock(mutex_);
    current_.reset();
    if (waiting_.empty()) return;
    current_.emplace(std::move(waiting_.front().item));
    addressees_.emplace_back(std::move(waiting_.front().addressee));
    waiting_.pop_front();
  }

  std::mutex mutex_;
  std::deque<Submission> waiting_;
  std::optional<Failure> refusal_;  // closed
  bool asleep_ = false;             // the pool's thread waits for the bell
  Doorbell bell_;

  std::optional<Item> current_;
  std::deque<std::optional<Addressee<R>>> addressees_;  // of items from first_ on; empty: answered
  std::uint64_t first_ = 0;
};

}  // namespace bulkhead::detail
