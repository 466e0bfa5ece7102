#include "model/linked_weights.h"

#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/sha256.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// Of a matrix that the file has with rows and columns exchanged.
constexpr const char* kTransposed = "transposed";
constexpr const char* kRemedy = "; import the model again, without `link` if the file may change";

/// Which of the files a tensor is a view of, and where it begins there.
Json describe_place(const std::string& name, const at::Tensor& tensor,
                    const std::vector<SourceFile>& files) {
  const auto* begin = static_cast<const std::byte*>(tensor.data_ptr());
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::span<std::byte> bytes = files[i].mapping->bytes();
    const bool inside =
        begin >= bytes.data() && begin + tensor.nbytes() <= bytes.data() + bytes.size();
    const bool is_transposed =
        tensor.dim() == 2 && !tensor.is_contiguous() && tensor.t().is_contiguous();
    if (inside && (tensor.is_contiguous() || is_transposed)) {
      const at::Tensor stored = is_transposed ? tensor.t() : tensor;
      Json place = {{"file", i},
                    {"offset", begin - bytes.data()},
                    {"dtype", dtype_name(tensor.scalar_type())},
                    {"shape", stored.sizes().vec()}};
      if (is_transposed) place[kTransposed] = true;
      return place;
    }
  }
  throw DataError("tensor \"" + name +
                  "\" does not lie in its file as the model needs it; import without `link`");
}

void check_unchanged(const Json& entry, const fs::path& link, bool always_hash) {
  const fs::path file = json_value<std::string>(entry, "path", link);
  if (!fs::is_regular_file(file)) {
    throw MissingInputError(file.string() + ": moved or deleted since it was linked to by " +
                            link.string() + kRemedy);
  }
  const auto bytes = json_value<std::uintmax_t>(entry, "bytes", link);
  if (fs::file_size(file) != bytes) {
    throw DataError(file.string() + ": changed since it was linked to: expected " +
                    std::to_string(bytes) + " bytes, found " + std::to_string(fs::file_size(file)) +
                    kRemedy);
  }
  const auto time = json_value<std::int64_t>(entry, "changed_ns", link);
  if (!always_hash && time_of_change_ns(file) == time) return;
  const auto expected = json_value<std::string>(entry, "sha256", link);
  if (const std::string found = sha256_of_file(file); found != expected) {
    throw DataError(file.string() + ": changed since it was linked to: expected SHA-256 " +
                    expected + ", found " + found + kRemedy);
  }
}

at::Tensor make_view(const std::string& name, const Json& place,
                     const std::vector<std::shared_ptr<MappedFile>>& files, const fs::path& link) {
  const auto index = json_value<std::size_t>(place, "file", link);
  const auto offset = json_value<std::uint64_t>(place, "offset", link);
  const auto shape = json_value<std::vector<std::int64_t>>(place, "shape", link);
  const auto dtype = parse_dtype(json_value<std::string>(place, "dtype", link));
  if (!dtype || index >= files.size()) {
    throw DataError(link.string() + ": tensor \"" + name + "\": unknown dtype or file");
  }
  std::uint64_t bytes = c10::elementSize(*dtype);
  for (const std::int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes)) {
      throw DataError(link.string() + ": tensor \"" + name + "\": impossible shape");
    }
  }
  const std::shared_ptr<MappedFile>& file = files[index];
  const std::uint64_t available = file->bytes().size();
  if (offset > available || bytes > available - offset) {
    throw DataError(link.string() + ": tensor \"" + name + "\" lies outside of its file");
  }
  const at::Tensor tensor = mapped_tensor(file, file->bytes().data() + offset, shape, *dtype);
  const bool is_transposed = json_value<bool>(place, kTransposed, link, false);
  return is_transposed && tensor.dim() == 2 ? tensor.t() : tensor;
}

}  // namespace

void write_linked_weights(const fs::path& path, const TensorMap& tensors,
                          const std::vector<SourceFile>& files, const std::function<void()>& heed) {
  Json link = {{"files", Json::array()}, {"tensors", Json::object()}};
  for (const SourceFile& file : files) {
    const fs::path absolute = fs::canonical(file.path);
    link["files"].push_back({{"path", absolute.string()},
                             {"bytes", fs::file_size(absolute)},
                             {"changed_ns", time_of_change_ns(absolute)},
                             {"sha256", sha256_of_file(absolute, heed)}});
  }
  for (const auto& [name, tensor] : tensors) {
    link["tensors"][name] = describe_place(name, tensor, files);
  }
  write_file_atomically(path, link.dump(1) + "\n");
}

TensorMap map_linked_weights(const fs::path& path) {
  const Json link = read_json_file(path);
  std::vector<std::shared_ptr<MappedFile>> files;
  for (const Json& entry : json_value<Json>(link, "files", path)) {
    check_unchanged(entry, path, /*always_hash=*/false);
    files.push_back(MappedFile::open(json_value<std::string>(entry, "path", path)));
  }
  TensorMap tensors;
  const Json places = json_value<Json>(link, "tensors", path);
  for (const auto& [name, place] : places.items()) {
    tensors[name] = make_view(name, place, files, path);
  }
  return tensors;
}

void verify_linked_weights(const fs::path& path) {
  for (const Json& entry : json_value<Json>(read_json_file(path), "files", path)) {
    check_unchanged(entry, path, /*always_hash=*/true);
  }
}

}  // namespace sdx
