#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace sdx {

/// The two forms in which files hold tensors.
enum class TensorContainer {
  kSafetensors,  ///< see map_safetensors()
  kTorch,        ///< what torch.save wrote, old or new: see read_torch_file()
};

/// Tells by its first bytes which of them a file is. Its name says nothing: people rename files,
/// and a `.ckpt` may well be safetensors.
///
/// A file that is clearly something else is called by its name, with what to do: a Git LFS pointer,
/// a web page in place of the download, JSON, text, a picture, an archive. What is neither known
/// nor one of the two counts as safetensors, whose reader says what is wrong with it.
/// @throws DataError naming the file, and what it is instead; MissingInputError, PermissionError,
///         IoError.
TensorContainer find_container(const std::filesystem::path& file);

/// Says what kind of file begins so and holds no tensors, with what to do about it: "a Git LFS
/// pointer, not the file itself; …". Empty if it is not known.
std::string describe_foreign_file(std::string_view start);

}  // namespace sdx
