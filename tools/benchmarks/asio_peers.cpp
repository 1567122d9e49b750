#include "tiny_peers.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/version.hpp>

#include <future>

namespace bench {
namespace {

double run_posting(std::vector<std::uint64_t>& results) {
  boost::asio::thread_pool pool(workers);
  return ns_per_task(results.size(), [&] {
    for (std::size_t i = 0; i < results.size(); ++i) boost::asio::post(pool, [&results, i] { results[i] = square(i); });
    pool.join();
  });
}

double run_futures(std::vector<std::uint64_t>& results) {
  std::vector<std::future<std::uint64_t>> futures;
  futures.reserve(results.size());
  boost::asio::thread_pool pool(workers);
  return ns_per_task(results.size(), [&] {
    for (std::size_t i = 0; i < results.size(); ++i)
      futures.push_back(boost::asio::post(pool, boost::asio::use_future([i] { return square(i); })));
    for (std::size_t i = 0; i < results.size(); ++i) results[i] = futures[i].get();
  });
}

}  // namespace

std::vector<Peer> asio_peers(const Setting& setting) {
  const std::size_t tasks = setting.count(200'000);
  const std::string version = "Boost " BOOST_LIB_VERSION;
  return {squares_peer("threads: Boost.Asio thread_pool, no future", tasks, run_posting, version),
          squares_peer("threads: Boost.Asio thread_pool, futures kept", tasks, run_futures, version)};
}

}  // namespace bench
