// do_process_work and process_stream: the doors to the process executor.
#pragma once

#include <bulkhead/detail/coded_task.hpp>
#include <bulkhead/detail/item_source.hpp>
#include <bulkhead/detail/process_results.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/outcome.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace bulkhead {
namespace detail {

template <class Items, class F>
using WorkResult = TaskResult<std::remove_reference_t<F>, ItemOf<Items>>;

}  // namespace detail

/// Results of process_stream: an input range of Indexed<R>, one pass, move-only.
///
/// Lazy on both sides: items are pulled while results are taken, in the consumer's thread, and at most `window` of them
/// are under way or wait for their turn. For one thread, the one that made it: workers end when that thread ends.
/// Destroying it early ends the workers at once. What the items' range throws comes out of ++ or begin() after every
/// result of the items before.
template <class Items, class F>
class ProcessStream {
 public:
  using R = detail::WorkResult<Items, F>;
  static constexpr std::size_t window = detail::ProcessResults<Items, R>::window;              ///< tasks
  static constexpr std::size_t window_bytes = detail::ProcessResults<Items, R>::window_bytes;  ///< of encoded results

  ProcessStream(Items&& items, F&& func, const WorkOptions& options)
      : results_(std::make_unique<Results>(std::forward<Items>(items),
                                           std::make_unique<Body>(std::forward<F>(func), options), options)) {}

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Indexed<R>;
    using difference_type = std::ptrdiff_t;

    explicit iterator(ProcessStream& stream) noexcept : stream_(&stream) {}
    Indexed<R>& operator*() const noexcept { return stream_->results_->current(); }
    Indexed<R>* operator->() const noexcept { return &stream_->results_->current(); }
    iterator& operator++() {
      stream_->results_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept { return it.at_end(); }

   private:
    bool at_end() const noexcept { return stream_->results_->at_end(); }
    ProcessStream* stream_;
  };

  /// Starts the work. Call it once.
  iterator begin() {
    results_->start();
    results_->advance();
    return iterator(*this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

  /// True: the next ++ takes a result that has come already. False: it may have to wait, so this is the moment to flush
  /// what was made of the results so far.
  bool ready() const noexcept { return results_->ready(); }

  /// So far; also before begin() and after the last result. In the thread that takes the results.
  WorkStatistics statistics() const noexcept { return results_->statistics(); }

 private:
  using Results = detail::ProcessResults<Items, R>;
  using Body = detail::CodedTask<detail::ItemOf<Items>, R, std::decay_t<F>>;

  std::unique_ptr<Results> results_;
};

/// Runs `func` on every item in worker processes and returns an outcome for each: results[i] belongs to the i-th item
/// (with `preserve_result_ordering` false: in the order they ended). A task that crashes, hangs or exits costs itself
/// and nothing else.
///
/// `func` is any callable, captures included; it runs in forked children of the calling thread and may take a
/// std::stop_token second, or a StopRequest, which costs a worker less. Items and results are what cereal can
/// serialize; void results too. Fork-safe only as far as `func` is: it must not need a lock that another thread of the
/// host may hold (in hosts with threads use a ProcessPool). Blocks until all is done. Throws std::invalid_argument for
/// options that cannot be meant, std::system_error where set-up fails, and what the items' range throws, once the work
/// that had started is done.
///
/// The process twin of `do_threaded_work` of the article on threads, queues and processes.
template <class Items, class F>
auto do_process_work(Items&& items, F&& func, const WorkOptions& options = {})
    -> std::vector<Outcome<detail::WorkResult<Items, F>>> {
  using R = detail::WorkResult<Items, F>;
  using Body = detail::CodedTask<detail::ItemOf<Items>, R, std::remove_reference_t<F>&>;
  return detail::all_process_results<Items, R>(std::forward<Items>(items), std::make_unique<Body>(func, options),
                                               options);
}

/// The same as a range: see ProcessStream. Lvalue ranges are referred to, rvalues are moved in.
template <class Items, class F>
auto process_stream(Items&& items, F&& func, const WorkOptions& options = {}) -> ProcessStream<Items, F> {
  return ProcessStream<Items, F>(std::forward<Items>(items), std::forward<F>(func), options);
}

}  // namespace bulkhead
