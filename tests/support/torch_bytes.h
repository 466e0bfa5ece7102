#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace sdx::test {

/// The bytes of a number, little-endian.
template <typename T>
std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::string floats(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) bytes += raw(value);
  return bytes;
}

// ------------------------------------------------ pickles, opcode by opcode (protocol 2)

inline std::string pickle(const std::string& value) { return "\x80\x02" + value + "."; }
inline std::string text(const std::string& value) {
  return "X" + raw(static_cast<std::uint32_t>(value.size())) + value;
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string integer(std::int64_t value) { return "\x8a\x08" + raw(value); }
inline std::string tuple(const std::vector<std::string>& items) {
  std::string bytes = "(";
  for (const std::string& item : items) bytes += item;
  return bytes + "t";
}
inline std::string shape(const std::vector<std::int64_t>& sizes) {
  std::vector<std::string> items;
  for (const std::int64_t size : sizes) items.push_back(integer(size));
  return tuple(items);
}
/// The call of `function`, an opcode sequence, with `arguments`.
inline std::string call(const std::string& function, const std::vector<std::string>& arguments) {
  return function + tuple(arguments) + "R";
}
inline std::string storage(const std::string& key, std::int64_t values,
                           const std::string& storage_class = "FloatStorage") {
  return tuple({text("storage"), global("torch", storage_class), text(key), text("cuda:0"),
                integer(values)}) +
         "Q";
}
inline std::string tensor(const std::string& storage_of_it, std::int64_t offset,
                          const std::vector<std::int64_t>& sizes,
                          const std::vector<std::int64_t>& strides) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage_of_it, integer(offset), shape(sizes), shape(strides), "\x89",
               call(global("collections", "OrderedDict"), {})});
}
/// {"a": value}
inline std::string wrap_in_dict(const std::string& value) { return "}" + text("a") + value + "s"; }

// ------------------------------------------------ zip archives

/// An entry, and what is to be wrong with it.
struct ZipPart {
  std::string name;
  std::string bytes;
  std::string local_name = {};              ///< if it is another one
  std::uint16_t method = 0;                 ///< 8: deflated
  std::int64_t checksum = -1;               ///< if not the right one
  std::uint64_t claimed_size = UINT64_MAX;  ///< if not the right one
  bool zip64 = false;                       ///< whether sizes and offset are written in 64 bits
};

struct ZipPlan {
  std::vector<ZipPart> parts;
  std::size_t shift = 0;  ///< the bytes before and between the parts; filled with zeros
  bool zip64 = false;     ///< whether there is a zip64 end record
  std::int64_t more_entries = 0;
  std::string comment = {};
};

inline std::string zip_local_header(const ZipPart& part) {
  const std::string name = part.local_name.empty() ? part.name : part.local_name;
  return "PK\x03\x04" + std::string(22, '\0') + raw(static_cast<std::uint16_t>(name.size())) +
         raw(std::uint16_t{0}) + name;
}

inline std::string zip_central_header(const ZipPart& part, std::uint64_t offset) {
  const std::uint64_t size =
      part.claimed_size == UINT64_MAX ? part.bytes.size() : part.claimed_size;
  const auto checksum =
      part.checksum >= 0
          ? static_cast<std::uint32_t>(part.checksum)
          : static_cast<std::uint32_t>(::crc32_z(
                0, reinterpret_cast<const unsigned char*>(part.bytes.data()), part.bytes.size()));
  const auto narrow = [&](std::uint64_t value) {
    return raw(part.zip64 ? 0xffffffffU : static_cast<std::uint32_t>(value));
  };
  std::string extra;
  if (part.zip64) {
    extra = raw(std::uint16_t{1}) + raw(std::uint16_t{24}) + raw(size) + raw(size) + raw(offset);
  }
  return "PK\x01\x02" + std::string(6, '\0') + raw(part.method) + std::string(4, '\0') +
         raw(checksum) + narrow(size) + narrow(size) +
         raw(static_cast<std::uint16_t>(part.name.size())) +
         raw(static_cast<std::uint16_t>(extra.size())) + std::string(10, '\0') + narrow(offset) +
         part.name + extra;
}

/// What follows after the parts: directory and end records, for a directory at `offset`.
inline std::string zip_end(const std::string& directory, std::uint64_t offset,
                           std::uint64_t entries, const ZipPlan& plan) {
  std::string bytes = directory;
  entries += static_cast<std::uint64_t>(plan.more_entries);
  if (plan.zip64) {
    const std::uint64_t end64 = offset + directory.size();
    bytes += "PK\x06\x06" + raw(std::uint64_t{44}) + std::string(12, '\0') + raw(entries) +
             raw(entries) + raw(std::uint64_t{directory.size()}) + raw(offset);
    bytes += "PK\x06\x07" + std::string(4, '\0') + raw(end64) + raw(1U);
  }
  const std::uint16_t few = plan.zip64 ? 0xffff : static_cast<std::uint16_t>(entries);
  const std::uint32_t near = plan.zip64 ? 0xffffffffU : static_cast<std::uint32_t>(offset);
  return bytes + "PK\x05\x06" + std::string(4, '\0') + raw(few) + raw(few) +
         raw(static_cast<std::uint32_t>(directory.size())) + raw(near) +
         raw(static_cast<std::uint16_t>(plan.comment.size())) + plan.comment;
}

inline std::string zip(const ZipPlan& plan) {
  std::string bytes;
  std::string directory;
  for (const ZipPart& part : plan.parts) {
    directory += zip_central_header(part, bytes.size());
    bytes += zip_local_header(part) + part.bytes + std::string(plan.shift, '\0');
  }
  return bytes + zip_end(directory, bytes.size(), plan.parts.size(), plan);
}

/// A file of torch.save with this pickle, and storage "0" of these bytes.
inline std::string torch_zip(const std::string& pickle_bytes, const std::string& storage_bytes) {
  return zip({{{"archive/data.pkl", pickle_bytes}, {"archive/data/0", storage_bytes}}});
}

}  // namespace sdx::test
