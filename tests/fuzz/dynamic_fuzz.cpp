// A dynamic prompt, and behind a byte 0 each the wildcard files "a" and "b/c".

#include "sdx/prompt/dynamic.h"

#include "fuzz/target.h"
#include "sdx/util/error.h"

using namespace sdx;

SDX_FUZZ_TARGET(dynamic) {
  const std::string text(fuzz::take_section(bytes));
  fuzz::make_file("wildcards/a.txt", fuzz::take_section(bytes));
  fuzz::make_file("wildcards/b/c.txt", bytes);
  const Wildcards wildcards = read_wildcards(fuzz::scratch_folder() / "wildcards");
  try {
    expand_random(text, wildcards, 7);
    count_combinations(text, wildcards);
  } catch (const Error& error) {
    if (error.exit_code() == ExitCode::kInternal) throw;
  }
  all_combinations(text, wildcards, 100);
}
