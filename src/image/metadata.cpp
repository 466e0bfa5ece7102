#include "sdx/image/metadata.h"

#include <string>

#include "image/codec.h"
#include "image/decoders.h"
#include "sdx/util/error.h"

namespace sdx {

std::optional<std::string> read_parameters(const std::filesystem::path& path) {
  const std::string prefix = path.string() + ": ";
  try {
    const std::string file = read_image_file(path);
    return codec_for(image_format(file)).read_parameters(file);
  } catch (const DataError& error) {
    throw DataError(prefix + error.what());
  }
}

}  // namespace sdx
