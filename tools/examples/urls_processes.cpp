// The article's URL list, processed in parallel by processes: a URL that crashes its worker costs only its own result.
#include "url_list.hpp"

#include <bulkhead/work.hpp>

int main(int argc, char** argv) {
  const std::vector<std::string> urls = urls_to_process(argc, argv);
  print(urls, bulkhead::do_process_work(urls, process_url));
}
