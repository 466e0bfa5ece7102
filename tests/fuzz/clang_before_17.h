// Clang before version 17 cannot deduce the argument of an aggregate's template (C++20, P1816).
// The fuzz build includes this file before all others; nothing else needs it.

#pragma once

#include "sdx/util/enum_text.h"

namespace sdx {

template <typename E, typename... Texts>
EnumText(E, Texts...) -> EnumText<E>;

}  // namespace sdx
