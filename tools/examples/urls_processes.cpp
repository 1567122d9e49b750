// The article's URL list, processed in parallel by processes: a URL that crashes its worker costs only its own result.
// urls_threads.cpp is the same with threads.
#include <bulkhead/work.hpp>

#include <algorithm>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// "http://host:port/path?query" in its parts; what is no such URL throws, and the exception is that URL's outcome.
std::string process_url(const std::string& url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string::npos || scheme_end == 0) throw std::invalid_argument("no scheme");
  const std::size_t host_start = scheme_end + 3;
  const std::size_t host_end = std::min(url.find_first_of("/?#", host_start), url.size());
  if (host_end == host_start) throw std::invalid_argument("no host");
  const std::string path = url.substr(host_end);
  return "host " + url.substr(host_start, host_end - host_start) + ", path " + (path.empty() ? "/" : path);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> urls_to_process(argv + 1, argv + argc);
  if (urls_to_process.empty())
    urls_to_process = {"https://www.example.org/tech-python/url/index.html", "http://localhost:8080/queue?item=1",
                       "https://example.com", "not a url"};

  const auto results = bulkhead::do_process_work(urls_to_process, process_url);
  for (std::size_t i = 0; i < results.size(); ++i)
    std::cout << urls_to_process[i] << ": " << (results[i] ? *results[i] : results[i].error().describe()) << '\n';
}
