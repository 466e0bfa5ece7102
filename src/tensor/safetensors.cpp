#include "sdx/tensor/safetensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string_view>
#include <vector>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/stop.h"

namespace sdx {

namespace {

struct DtypeName {
  const char* name;
  at::ScalarType type;
};

constexpr std::array<DtypeName, 10> kDtypes = {{{"F64", at::kDouble},
                                                {"F32", at::kFloat},
                                                {"F16", at::kHalf},
                                                {"BF16", at::kBFloat16},
                                                {"I64", at::kLong},
                                                {"I32", at::kInt},
                                                {"I16", at::kShort},
                                                {"I8", at::kChar},
                                                {"U8", at::kByte},
                                                {"BOOL", at::kBool}}};

/// What the format has and libtorch's operations on a processor do not, or not all.
constexpr std::array<std::string_view, 10> kForeignDtypes = {
    "F8_E4M3", "F8_E5M2", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4", "C64", "U16", "U32", "U64"};

/// The entry of one tensor in the header, checked in itself.
struct Entry {
  std::string name;
  at::ScalarType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin;
  std::uint64_t end;
};

constexpr std::size_t kLengthBytes = 8;

class HeaderReader {
 public:
  HeaderReader(const std::filesystem::path& path, std::span<const std::byte> file,
               std::size_t max_header_bytes)
      : path_(path) {
    if (file.size() < kLengthBytes) {
      fail("expected at least 8 bytes, found " + std::to_string(file.size()));
    }
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, file.data(), kLengthBytes);
    const std::uint64_t available = file.size() - kLengthBytes;
    if (header_bytes > available) {
      fail("its header claims " + std::to_string(header_bytes) + " bytes, the file has " +
           std::to_string(available) + " left: truncated, or not a safetensors file");
    }
    if (header_bytes > max_header_bytes) {
      fail("its header is " + std::to_string(header_bytes) + " bytes long, at most " +
           std::to_string(max_header_bytes) + " are accepted");
    }
    data_bytes_ = available - header_bytes;
    data_offset_ = kLengthBytes + header_bytes;
    parse(std::string(reinterpret_cast<const char*>(file.data()) + kLengthBytes, header_bytes));
    check_ranges();
  }

  const std::vector<Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  std::uint64_t data_offset() const { return data_offset_; }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw DataError(path_.string() + ": not a sound safetensors file: " + reason);
  }

  /// Takes each entry as it is read and lets go of it: a header may have a million of them.
  void parse(const std::string& text) {
    // The parser would take it for the end of the text.
    if (text.find('\0') != text.npos) fail("its header is not JSON: it has a NUL byte in it");
    std::vector<std::set<std::string>> keys;
    std::string name;
    const auto observe = [&](int depth, Json::parse_event_t event, Json& value) {
      // Deep nesting would exhaust the stack of the parser's callers; headers have three levels.
      if (depth > 4) fail("its header is nested too deeply");
      if (event == Json::parse_event_t::object_start) keys.emplace_back();
      if (event == Json::parse_event_t::object_end) keys.pop_back();
      if (event == Json::parse_event_t::key) {
        const auto key = value.get<std::string>();
        if (!keys.back().insert(key).second) {
          fail("the key \"" + key + "\" stands in its header twice");
        }
        if (depth == 1) name = key;
      }
      const bool is_entry =
          depth == 1 && !keys.empty() &&
          (event == Json::parse_event_t::object_end || event == Json::parse_event_t::array_end ||
           event == Json::parse_event_t::value);
      if (!is_entry) return true;
      take_entry(name, value);
      return false;
    };
    Json header;
    try {
      header = Json::parse(text, observe);
    } catch (const Json::exception& error) {
      fail(std::string("its header is not JSON: ") + error.what());
    }
    if (!header.is_object()) fail("its header is not a JSON object");
  }

  void take_entry(const std::string& name, const Json& value) {
    // Only of headers that take long: a training that stops still writes and reads its embedding.
    constexpr std::size_t kEntriesUntilLong = 4096;
    const bool takes_long = entries_.size() >= kEntriesUntilLong;
    if (const int signal = takes_long ? stop_signal() : 0; signal != 0) {
      throw Error(static_cast<ExitCode>(128 + signal), "stopped while reading " + path_.string());
    }
    if (name != "__metadata__") {
      entries_.push_back(parse_entry(name, value));
    } else if (json_holds<std::map<std::string, std::string>>(value)) {
      metadata_ = value.get<std::map<std::string, std::string>>();
    } else if (!value.is_null()) {
      fail("__metadata__: expected an object of texts, found " + describe_json(value));
    }
  }

  /// A key of a tensor's entry. @throws DataError if it is missing or of another type.
  template <typename T>
  T read_key(const std::string& name, const Json& entry, const char* key) const {
    const auto found = entry.find(key);
    if (found == entry.end()) {
      fail("tensor \"" + name + "\": key \"" + key + "\" is missing");
    }
    if (!json_holds<T>(*found)) {
      fail("tensor \"" + name + "\": " + key + ": expected " + describe_json_type<T>() +
           ", found " + describe_json(*found));
    }
    return found->template get<T>();
  }

  at::ScalarType read_dtype(const std::string& name, const Json& entry) const {
    const auto text = read_key<std::string>(name, entry, "dtype");
    if (const auto dtype = parse_dtype(text)) return *dtype;
    if (std::find(kForeignDtypes.begin(), kForeignDtypes.end(), text) != kForeignDtypes.end()) {
      throw DataError(path_.string() + ": tensor \"" + name + "\" is of the type " + text +
                      (text.starts_with("F8") ? " (float8)" : "") +
                      ", which cannot be read here: expected one of 16, 32 or 64 bits; ask for the "
                      "file in fp16 or fp32");
    }
    fail("tensor \"" + name + "\" has the unknown dtype \"" + text + "\"");
  }

  Entry parse_entry(const std::string& name, const Json& value) const {
    if (!value.is_object()) fail("the entry of tensor \"" + name + "\" is not an object");
    const std::optional<at::ScalarType> dtype = read_dtype(name, value);
    Entry entry{name, *dtype, read_key<std::vector<std::int64_t>>(name, value, "shape"), 0, 0};
    const auto offsets = read_key<std::vector<std::uint64_t>>(name, value, "data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1]) {
      fail("tensor \"" + name + "\" has impossible data_offsets");
    }
    entry.begin = offsets[0];
    entry.end = offsets[1];
    std::uint64_t bytes = c10::elementSize(*dtype);
    for (const std::int64_t size : entry.shape) {
      if (size < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes)) {
        fail("tensor \"" + name + "\" has an impossible shape");
      }
    }
    if (bytes != entry.end - entry.begin) {
      fail("tensor \"" + name + "\": its shape needs " + std::to_string(bytes) +
           " bytes, its data_offsets give " + std::to_string(entry.end - entry.begin));
    }
    return entry;
  }

  /// The ranges, in order, must tile the data exactly.
  void check_ranges() {
    std::vector<const Entry*> ordered;
    for (const Entry& entry : entries_) ordered.push_back(&entry);
    std::sort(ordered.begin(), ordered.end(), [](const Entry* a, const Entry* b) {
      return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
    });
    std::uint64_t position = 0;
    for (const Entry* entry : ordered) {
      if (entry->begin != position) {
        fail("tensor \"" + entry->name + "\" begins at byte " + std::to_string(entry->begin) +
             " of the data, expected " + std::to_string(position));
      }
      position = entry->end;
    }
    if (position != data_bytes_) {
      fail("its tensors need " + std::to_string(position) + " bytes of data, the file has " +
           std::to_string(data_bytes_));
    }
  }

  std::filesystem::path path_;
  std::uint64_t data_bytes_ = 0;
  std::uint64_t data_offset_ = 0;
  std::vector<Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace

std::optional<at::ScalarType> parse_dtype(const std::string& name) {
  for (const DtypeName& dtype : kDtypes) {
    if (name == dtype.name) return dtype.type;
  }
  return std::nullopt;
}

std::string dtype_name(at::ScalarType type) {
  for (const DtypeName& dtype : kDtypes) {
    if (type == dtype.type) return dtype.name;
  }
  throw InternalError(std::string("safetensors has no name for the dtype ") + c10::toString(type));
}

Safetensors map_safetensors(const std::filesystem::path& path, std::size_t max_header_bytes) {
  const std::shared_ptr<MappedFile> file = MappedFile::open(path);
  const HeaderReader header(path, file->bytes(), max_header_bytes);
  Safetensors result;
  result.metadata = header.metadata();
  result.file = file;
  for (const Entry& entry : header.entries()) {
    void* data = file->bytes().data() + header.data_offset() + entry.begin;
    // Files with a header of odd length exist; a misaligned view would be undefined behaviour.
    const bool aligned =
        reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(entry.dtype) == 0;
    if (aligned) {
      result.tensors[entry.name] = mapped_tensor(file, data, entry.shape, entry.dtype);
    } else {
      at::Tensor copy = at::empty(entry.shape, at::TensorOptions(entry.dtype));
      if (copy.nbytes() > 0) std::memcpy(copy.data_ptr(), data, copy.nbytes());
      result.tensors[entry.name] = copy;
    }
  }
  return result;
}

at::Tensor mapped_tensor(const std::shared_ptr<MappedFile>& file, void* data, at::IntArrayRef shape,
                         at::ScalarType dtype) {
  const std::size_t bytes =
      static_cast<std::size_t>(c10::multiply_integers(shape)) * c10::elementSize(dtype);
  const auto give_back = [file, bytes](void* first) {
    file->release({static_cast<std::byte*>(first), bytes});
  };
  return at::from_blob(data, shape, give_back, at::TensorOptions(dtype));
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata,
                       const WriteOptions& options) {
  const auto written_dtype = [&options](const at::Tensor& tensor) {
    return tensor.is_floating_point() ? options.float_dtype.value_or(tensor.scalar_type())
                                      : tensor.scalar_type();
  };
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t position = 0;
  for (const auto& [name, tensor] : tensors) {
    const at::ScalarType dtype = written_dtype(tensor);
    const std::uint64_t end =
        position + static_cast<std::uint64_t>(tensor.numel()) * c10::elementSize(dtype);
    header[name] = {{"dtype", dtype_name(dtype)},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the format allows trailing spaces, for alignment
  const std::uint64_t length = text.size();

  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor data = tensor.detach().cpu().to(written_dtype(tensor)).contiguous();
    file.write(std::span(static_cast<const std::byte*>(data.data_ptr()), data.nbytes()));
    if (options.observe) options.observe(name, data);
  }
  file.commit();
}

}  // namespace sdx
