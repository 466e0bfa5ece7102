#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sdx {

// The GPUs of one machine, by their numbers: those of --device cuda:N, from 0.

/// How many GPUs libtorch can use. Opens none: no memory is taken on them.
int count_gpus();

/// The GPUs that a person asks for.
/// @param text    "all", "none", or numbers with commas between, "0,1"
/// @param present how many GPUs this machine has
/// @return in the order of the text; none is twice
/// @throws SettingError (64) for another text; UnavailableError (69) for a GPU that is not there.
std::vector<int> choose_gpus(const std::string& text, int present);

/// The value of --device for one of them: "cuda:1".
std::string name_gpu(int gpu);

/// Name and value of the variable by which another process sees this GPU only, as its first one.
/// Where this process sees a part of the GPUs, as a task of a cluster does, so does the other.
std::pair<std::string, std::string> make_visible(int gpu);

}  // namespace sdx
