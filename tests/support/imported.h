#pragma once

#include <filesystem>
#include <string>

#include "sdx/model/import/import.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

namespace sdx::test {

/// Imports a checkpoint as a model that is called "copy".
inline ImportReport import_copy(const std::filesystem::path& checkpoint,
                                const std::filesystem::path& destination,
                                ImportOptions options = {}) {
  options.name = "copy";
  return import_checkpoint(checkpoint, destination, options);
}

/// The message with which a single file of these tensors is refused, nothing left behind.
inline std::string import_refusal(const TensorMap& tensors) {
  const TempFolder folder;
  const std::filesystem::path file = folder.path() / "model.safetensors";
  write_safetensors(file, tensors);
  const std::string message =
      catch_message<DataError>([&] { import_copy(file, folder.path() / "bundle"); });
  CHECK(entries_in(folder.path()) == 1);
  CHECK_THAT(message, Catch::Matchers::ContainsSubstring("model.safetensors"));
  return message;
}

}  // namespace sdx::test
