// greeting.cpp - C++ without a C++ library: an object that is constructed before
// main(), a table of virtual functions, and another constructed at first use
#include "routes.h"

namespace {

class Words {
  public:
    virtual const char *first() const { return "nothing"; }
};

class Greeting : public Words {
  public:
    Greeting() : count(1) {}
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
