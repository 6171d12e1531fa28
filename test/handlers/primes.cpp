// primes.cpp - a handler in C++17 without a library: a table made by the
// compiler, a class, a template
#include "http.h"

namespace {

template <int N> struct Sieve {
    bool composite[N]{};
    constexpr Sieve()
    {
        for (int i = 2; i < N; i++)
            for (int k = 2 * i; k < N; k += i)
                composite[k] = true;
    }
};

constexpr Sieve<100> sieve;

class List {
  public:
    explicit List(http_stream *to) : out(to) {}
    ~List() { http_format(&out->text, " and no more\n"); }
    List &operator<<(int n)
    {
        http_format(&out->text, count++ > 0 ? ", %d" : "%d", n);
        return *this;
    }

  private:
    http_stream *out;
    int count = 0;
};

} // namespace

int handler_invoke(const invocation *, http_stream *out)
{
    List list(out);

    for (int n = 2; n < 100; n++)
        if (!sieve.composite[n])
            list << n;
    return 0;
}
