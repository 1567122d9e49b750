// What both forms of the URL example do with a URL, and the URLs they do it with.
#pragma once

#include <algorithm>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

// "http://host:port/path?query" in its parts; what is no such URL throws, and the exception is that URL's outcome.
inline std::string process_url(const std::string& url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string::npos || scheme_end == 0) throw std::invalid_argument("no scheme");
  const std::size_t host_start = scheme_end + 3;
  const std::size_t host_end = std::min(url.find_first_of("/?#", host_start), url.size());
  if (host_end == host_start) throw std::invalid_argument("no host");
  const std::string path = url.substr(host_end);
  return "host " + url.substr(host_start, host_end - host_start) + ", path " + (path.empty() ? "/" : path);
}

// The arguments, or a few of our own.
inline std::vector<std::string> urls_to_process(int argc, char** argv) {
  if (argc > 1) return {argv + 1, argv + argc};
  return {"https://www.example.org/tech-python/url/index.html", "http://localhost:8080/queue?item=1",
          "https://example.com", "not a url"};
}

template <class Outcomes>
void print(const std::vector<std::string>& urls, const Outcomes& results) {
  for (std::size_t i = 0; i < results.size(); ++i)
    std::cout << urls[i] << ": " << (results[i] ? *results[i] : results[i].error().describe()) << '\n';
}
