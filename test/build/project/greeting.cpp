// greeting.cpp - C++ without a C++ library: an object that is constructed before
// main() and has a destructor, a table of virtual functions, and another object
// that is constructed at first use
#include "routes.h"

namespace {

class Words {
  public:
    virtual const char *first() const = 0;
};

class Greeting : public Words {
  public:
    Greeting() : count(1) {}
    ~Greeting() { count = 0; }
    const char *first() const override { return count == 1 ? "Hello" : "?"; }

  private:
    volatile int count;
};

Greeting greeting;
const Words *volatile words = &greeting;

} // namespace

const char *say_greeting(void)
{
    static const Greeting later;

    return words->first() == later.first() ? words->first() : "others";
}
