// capitals.cpp - a handler in C++17 with its standard library: a static table
// and std::string. GET /?of=France, or all of them
#include "http.h"

#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::literals;

namespace {

// Constructed once, before main(): it serves each invocation of the process.
const std::map<std::string, std::string, std::less<>> capitals = {
    {"France"s, "Paris"s}, {"Japan"s, "Tōkyō"s}, {"Kenya"s, "Nairobi"s}};

void quote(http_stream *out, std::string_view text)
{
    lambda_quote(&out->text, text.data(), text.size());
}

} // namespace

// No exception may leave it: its caller is C.
int handler_invoke(const invocation *in, http_stream *out) try {
    lambda_request request{};
    std::string of(100, '\0');
    int rc = lambda_read_request(&request, in, out);

    if (rc < 0)
        return rc;
    if (rc > 0) {
        rc = lambda_query(&request, "of", of.data(), of.size());
        of.resize(of.find('\0'));
        http_status(out, rc < 0 ? 400 : 200);
    }
    http_header(out, "Content-Type", "application/json");
    for (const auto &[country, capital] : capitals)
        if (rc == 0)
            quote(out, country + ": " + capital);
    if (rc > 0)
        quote(out, capitals.at(of));
    http_append(&out->text, "\n", 1);
    return 0;
} catch (const std::out_of_range &) {
    http_status(out, 404);
    return http_write(out, "null\n", 5);
} catch (const std::exception &e) {
    return lambda_fail(out, "Function.Exception", e.what());
}
