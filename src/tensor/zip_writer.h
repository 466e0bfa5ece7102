#pragma once

#include <string>
#include <vector>

namespace sdx {

/// A file that goes into a zip archive.
struct ZipPart {
  std::string name;  ///< ASCII, with "/" between folders
  std::string bytes;
};

/// The bytes of a zip archive of these files in this order, stored as they are, without time stamps
/// or rights, so that the same files give the same archive. The bytes of each file begin at a
/// multiple of 64, as PyTorch's archives have it: its readers map them into memory. Held in memory
/// as a whole: for small files.
/// Source: the ZIP file format specification (APPNOTE.TXT), sections 4.3.7 to 4.3.16; the padding
/// stands in an extra field "FB", as in caffe2/serialize/inline_container.cc.
/// @throws InternalError beyond 4 GB or 65535 files, which would need zip64.
std::string zip_archive(const std::vector<ZipPart>& parts);

}  // namespace sdx
