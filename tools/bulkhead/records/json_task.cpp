#include "records/json_task.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>
#include <utility>

namespace bulkhead::tool {

namespace {

using Json = nlohmann::json;

std::string text_of(const Json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  throw std::invalid_argument(where + " is no string");
}

void fill(Task& task, const Json& object) {
  if (!object.is_object()) throw std::invalid_argument("it is no JSON object");
  std::vector<std::string> arguments;
  for (const auto& [key, value] : object.items()) {
    if (key == "argv") {
      if (!value.is_array()) throw std::invalid_argument("\"argv\" is no list");
      for (const Json& word : value) arguments.push_back(text_of(word, "a word of \"argv\""));
    } else if (key == "env") {
      if (!value.is_object()) throw std::invalid_argument("\"env\" is no object");
      for (const auto& [name, text] : value.items()) {
        if (name.empty() || name.find('=') != std::string::npos)
          throw std::invalid_argument("\"env\" has a name that cannot be one");
        task.own_extras().environment.push_back(name + "=" + text_of(text, "\"env\": " + name));
      }
    } else if (key == "stdin") {
      task.own_extras().input = text_of(value, "\"stdin\"");
    } else if (key == "id") {
      task.own_extras().id = text_of(value, "\"id\"");
    } else {
      throw std::invalid_argument("there is no \"" + key + "\"; it takes argv, env, stdin and id");
    }
  }
  if (arguments.empty()) throw std::invalid_argument("it has no \"argv\"");
  task.fields = std::move(arguments);
}

}  // namespace

void read_task(Task& task) {
  try {
    fill(task, Json::parse(task.fields.front()));
  } catch (const std::exception& error) {  // of the parser too
    TaskExtras& extras = task.own_extras();
    extras.problem = error.what();
    extras.environment.clear();
    extras.input.clear();
  }
}

}  // namespace bulkhead::tool
