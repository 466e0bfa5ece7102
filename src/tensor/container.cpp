#include "sdx/tensor/container.h"

#include <algorithm>
#include <array>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"
#include "tensor/torch_legacy.h"

namespace sdx {

namespace {

/// What is looked at: a tar archive has its mark at byte 257.
constexpr std::size_t kStartBytes = 512;

struct ForeignMark {
  std::string_view mark;
  std::string_view what;
};

constexpr std::string_view kArchive = "a compressed archive; unpack it, and give the file inside";
constexpr std::string_view kImage = "a picture, which holds no tensors";
constexpr std::string_view kLfs =
    "a Git LFS pointer, not the file itself; fetch it with `git lfs pull` in the repository, or "
    "download the file";

/// Files that people have in the place of the one that they meant.
constexpr std::array<ForeignMark, 19> kForeign = {{
    {"version https://git-lfs.", kLfs},
    {"version https://hawser.", kLfs},
    {"# xet version", "a Xet pointer, not the file itself; download the file"},
    {"/annex/objects/", "a git-annex pointer, not the file itself; fetch it with `git annex get`"},
    {"GGUF", "a GGUF file, whose weights are quantised; the original .safetensors is needed"},
    {"\x89PNG", kImage},
    {"\xff\xd8\xff", kImage},
    {"GIF8", kImage},
    {"RIFF", kImage},
    {"%PDF", "a PDF document"},
    {"\x1f\x8b", kArchive},
    {"BZh", kArchive},
    {"\xfd\x37zXZ", kArchive},
    {"7z\xbc\xaf", kArchive},
    {"Rar!", kArchive},
    {"\x28\xb5\x2f\xfd", kArchive},
    {"\x89HDF", "an HDF5 file (Keras, TensorFlow); one of PyTorch's is needed"},
    {"\x93NUMPY", "a NumPy array"},
    {"\x7f\x45LF", "a program"},
}};

bool is_text_byte(char byte) { return static_cast<unsigned char>(byte) >= ' ' || is_blank(byte); }

/// Of a file of text: web pages and JSON are what servers send in place of a file.
std::string describe_text(std::string_view start) {
  const std::string text = trim(without_byte_order_mark(start));
  const std::string first_line = text.substr(0, text.find('\n'));
  if (text.starts_with('<')) {
    return "a web page (" + in_quotes(first_line) +
           "), which a server sent in place of the file: a login or an error; download it again";
  }
  if (text.starts_with('{') || text.starts_with('[')) {
    return "JSON (" + in_quotes(first_line) + "), which holds no tensors";
  }
  return "text (" + in_quotes(first_line) + "), which holds no tensors; download the file again";
}

bool is_torch(std::string_view start) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(start.data());
  return start.starts_with("PK\x03\x04") || is_torch_legacy({bytes, start.size()});
}

/// The length of a header, less than 4 GiB, stands before its brace.
bool is_safetensors(std::string_view start) {
  constexpr std::size_t kLengthBytes = 8;
  return start.size() > kLengthBytes && start[kLengthBytes] == '{' &&
         start.substr(4, 4) == std::string_view("\0\0\0\0", 4);
}

}  // namespace

std::string describe_foreign_file(std::string_view start) {
  if (start.empty()) return "an empty file; download it again";
  for (const ForeignMark& each : kForeign) {
    if (start.starts_with(each.mark)) return std::string(each.what);
  }
  if (start.size() > 2 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5) {
    return "a pickle of Python, but not one of torch.save; save it with torch.save or as "
           "safetensors";
  }
  constexpr std::size_t kTarMark = 257;
  if (start.size() > kTarMark && start.substr(kTarMark).starts_with("ustar")) {
    return std::string(kArchive);
  }
  if (std::ranges::all_of(start, [](char byte) { return byte == '\0'; })) {
    return "zeros: a download that did not end; download it again";
  }
  // A few letters may be the beginning of anything.
  constexpr std::size_t kEnoughLetters = 9;
  if (start.size() >= kEnoughLetters && std::ranges::all_of(start, is_text_byte)) {
    return describe_text(start);
  }
  return "";
}

TensorContainer find_container(const std::filesystem::path& file) {
  const std::string start = read_file_start(file, kStartBytes);
  if (is_torch(start)) return TensorContainer::kTorch;
  if (!is_safetensors(start)) {
    if (const std::string what = describe_foreign_file(start); !what.empty()) {
      throw DataError(file.string() + ": this is " + what);
    }
  }
  return TensorContainer::kSafetensors;
}

}  // namespace sdx
