// The article's URL list, processed in parallel by threads; results come in the order of the URLs.
#include "url_list.hpp"

#include <bulkhead/work.hpp>

int main(int argc, char** argv) {
  const std::vector<std::string> urls = urls_to_process(argc, argv);
  print(urls, bulkhead::do_threaded_work(urls, process_url));
}
