// Catch2 version 2 has no main of its own in Debian's package; version 3 does (see catch2.cmake).
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
