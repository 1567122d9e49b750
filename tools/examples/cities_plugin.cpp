// A plugin whose functions need a table that is loaded once a worker, and whose records are JSON:
//
//     export CITIES=cities.tsv          # lines of name, latitude, longitude, with TABs between
//     echo '{"latitude":48.1,"longitude":11.5}' | bulkhead call ./cities_plugin.so:nearest_city
//     bulkhead call ./cities_plugin.so:distance ::: Vienna ::: Berlin Paris
#include <bulkhead/plugin.hpp>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numbers>
#include <sstream>
#include <stdexcept>
#include <string>

namespace {

struct Place {
  double latitude = 0, longitude = 0;  // degrees

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(latitude), CEREAL_NVP(longitude));
  }
};

struct Found {
  std::string city{};
  double kilometres = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(city), CEREAL_NVP(kilometres));
  }
};

std::map<std::string, Place> cities;

// In every fresh worker before its first record. What it throws is reported, and no record is charged.
void load_cities() {
  const char* const name = std::getenv("CITIES");
  if (!name) throw std::runtime_error("set CITIES to the file of cities");
  std::ifstream file(name);
  if (!file) throw std::runtime_error("cannot open " + std::string(name));
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string city;
    Place place;
    if (std::getline(fields, city, '\t') && fields >> place.latitude >> place.longitude) cities[city] = place;
  }
  if (cities.empty()) throw std::runtime_error("no city in " + std::string(name));
}

// On a sphere, by the haversine formula.
double kilometres_between(const Place& a, const Place& b) {
  constexpr double radius = 6371, degree = std::numbers::pi / 180;
  const auto half_sine = [](double angle) { return std::pow(std::sin(angle * degree / 2), 2); };
  const double h = half_sine(b.latitude - a.latitude) +
                   std::cos(a.latitude * degree) * std::cos(b.latitude * degree) * half_sine(b.longitude - a.longitude);
  return std::round(2 * radius * std::asin(std::sqrt(h)));
}

Found nearest_city(const Place& place) {
  Found best;
  for (const auto& [city, where] : cities) {
    const double kilometres = kilometres_between(place, where);
    if (best.city.empty() || kilometres < best.kilometres) best = {city, kilometres};
  }
  return best;
}

const Place& place_of(const std::string& city) {
  const auto found = cities.find(city);
  if (found == cities.end()) throw std::invalid_argument("there is no city " + city);
  return found->second;
}

double distance(const std::string& from, const std::string& to) {
  return kilometres_between(place_of(from), place_of(to));
}

}  // namespace

BULKHEAD_WORKER_INIT(load_cities)
BULKHEAD_FUNCTION(nearest_city, nearest_city)
BULKHEAD_FUNCTION(distance, distance)
