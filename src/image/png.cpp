#include "sdx/image/png.h"

#include <png.h>
#include <zlib.h>

#include <csetjmp>
#include <cstdint>
#include <optional>
#include <vector>

#include "image/decoders.h"
#include "image/encoders.h"
#include "image/png_chunks.h"
#include "image/text_encoding.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {
namespace {

constexpr std::size_t kMaxPngBytes = std::size_t{1} << 30U;
constexpr std::size_t kMaxTextBytes = std::size_t{8} << 20U;
constexpr std::size_t kMaxKeywordBytes = 79;

struct Text {
  std::string keyword;
  std::string content;
  int compression;
};

/// What is shared with libpng's callbacks. They leave by longjmp, so nothing that has a destructor
/// is made between setjmp and libpng.
struct PngWriter {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string output;
  std::string failure;

  ~PngWriter() { png_destroy_write_struct(&png, &info); }
};

extern "C" {

void on_png_write_error(png_structp png, png_const_charp message) {
  static_cast<PngWriter*>(png_get_error_ptr(png))->failure = message;
  png_longjmp(png, 1);
}

void on_png_write(png_structp png, png_bytep bytes, std::size_t size) {
  auto& writer = *static_cast<PngWriter*>(png_get_io_ptr(png));
  bool out_of_memory = false;
  try {
    writer.output.append(reinterpret_cast<const char*>(bytes), size);
  } catch (...) {
    out_of_memory = true;  // an exception must not pass through libpng's frames
  }
  if (out_of_memory) png_error(png, "out of memory");
}

void on_png_flush(png_structp) {}

}  // extern "C"

bool encode(PngWriter& writer, png_uint_32 width, png_uint_32 height, png_bytepp rows,
            png_textp texts, int text_count) {
  if (setjmp(png_jmpbuf(writer.png)) != 0) return false;
  png_set_write_fn(writer.png, &writer, on_png_write, on_png_flush);
  png_set_IHDR(writer.png, writer.info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(writer.png, 6);
  if (text_count > 0) png_set_text(writer.png, writer.info, texts, text_count);
  png_write_info(writer.png, writer.info);
  png_write_image(writer.png, rows);
  png_write_end(writer.png, nullptr);
  return true;
}

std::string checked_keyword(const std::string& keyword) {
  const bool has_odd_byte =
      keyword.find_first_not_of(
          " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
          "abcdefghijklmnopqrstuvwxyz{|}~") != std::string::npos;
  if (keyword.empty() || keyword.size() > kMaxKeywordBytes || has_odd_byte ||
      keyword.front() == ' ' || keyword.back() == ' ' || keyword.find("  ") != std::string::npos) {
    throw InternalError("\"" + keyword + "\" cannot be the keyword of a PNG text");
  }
  return keyword;
}

/// Takes from `data` what stands before the next NUL.
std::string_view take_to_nul(std::string_view& data) {
  const std::size_t end = data.find('\0');
  if (end == std::string_view::npos) throw DataError("damaged PNG: a text chunk is incomplete");
  const std::string_view taken = data.substr(0, end);
  data.remove_prefix(end + 1);
  return taken;
}

/// Takes the next byte of `data`.
char take_byte(std::string_view& data) {
  if (data.empty()) throw DataError("damaged PNG: a text chunk is incomplete");
  const char byte = data.front();
  data.remove_prefix(1);
  return byte;
}

}  // namespace

std::string unpack_png_data(std::string_view packed, std::size_t& left) {
  z_stream stream = {};
  if (inflateInit(&stream) != Z_OK) throw InternalError("zlib cannot be started");
  // zlib does not write to its input, whatever its type says.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string text;
  int status = Z_OK;
  while (status == Z_OK && text.size() <= left) {
    char buffer[4096];
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof(buffer);
    status = inflate(&stream, Z_NO_FLUSH);
    if (status == Z_OK || status == Z_STREAM_END)
      text.append(buffer, sizeof(buffer) - stream.avail_out);
  }
  inflateEnd(&stream);
  if (text.size() > left) throw DataError("a compressed text of the PNG is too long");
  if (status != Z_STREAM_END) throw DataError("damaged PNG: a compressed text cannot be unpacked");
  left -= text.size();
  return text;
}

std::string encode_png(const Image& image, const std::map<std::string, std::string>& texts) {
  const std::size_t row_bytes = checked_row_bytes(image);
  std::vector<Text> contents;
  contents.reserve(texts.size());
  for (const auto& [keyword, text] : texts) {
    std::string utf8 = sanitised_utf8(text);
    std::optional<std::string> latin1 = keyword == kPngXmpKeyword ? std::nullopt : to_latin1(utf8);
    if (latin1 && is_utf8_beyond_ascii(*latin1)) latin1.reset();  // it would be read as UTF-8
    const int compression = latin1 ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    contents.push_back(
        {checked_keyword(keyword), latin1 ? std::move(*latin1) : std::move(utf8), compression});
  }
  std::vector<png_text> chunks(contents.size());
  for (std::size_t i = 0; i < contents.size(); ++i) {
    chunks[i].compression = contents[i].compression;
    chunks[i].key = contents[i].keyword.data();
    chunks[i].text = contents[i].content.data();
    chunks[i].text_length = contents[i].content.size();
  }
  std::vector<png_bytep> rows(static_cast<std::size_t>(image.height_px));
  for (std::size_t y = 0; y < rows.size(); ++y) {
    // libpng does not write to the rows, whatever its type says.
    rows[y] = const_cast<png_bytep>(image.rgb.data()) + y * row_bytes;
  }

  PngWriter writer;
  // Warnings end like errors: a picture that libpng frowns on is a mistake of ours.
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer, on_png_write_error,
                                       on_png_write_error);
  if (writer.png != nullptr) writer.info = png_create_info_struct(writer.png);
  if (writer.info == nullptr) throw InternalError("libpng cannot be started");
  if (!encode(writer, static_cast<png_uint_32>(image.width_px),
              static_cast<png_uint_32>(image.height_px), rows.data(), chunks.data(),
              static_cast<int>(chunks.size()))) {
    throw InternalError("libpng cannot write the picture: " + writer.failure);
  }
  return std::move(writer.output);
}

void write_png(const std::filesystem::path& path, const Image& image,
               const std::map<std::string, std::string>& texts) {
  write_file_atomically(path, encode_png(image, texts));
}

std::map<std::string, std::string> png_texts(std::string_view file) {
  std::map<std::string, std::string> texts;
  std::size_t left = kMaxTextBytes;
  for (const PngChunk& chunk : png_chunks(file)) {
    if (chunk.type != "tEXt" && chunk.type != "zTXt" && chunk.type != "iTXt") continue;
    std::string_view data = chunk.data;
    const std::string keyword = from_latin1(take_to_nul(data));
    std::string text;
    if (chunk.type == "tEXt") {
      text = from_latin1_or_utf8(data);
    } else if (chunk.type == "zTXt") {
      take_byte(data);  // the method; there is only one
      text = from_latin1_or_utf8(unpack_png_data(data, left));
    } else {
      const bool compressed = take_byte(data) != 0;
      take_byte(data);    // the method
      take_to_nul(data);  // language
      take_to_nul(data);  // the keyword in that language
      text = sanitised_utf8(compressed ? unpack_png_data(data, left) : data);
    }
    texts.emplace(keyword, std::move(text));  // the first of two with one keyword
  }
  return texts;
}

std::map<std::string, std::string> read_png_texts(const std::filesystem::path& path) {
  const std::string file = read_file(path, kMaxPngBytes);
  try {
    return png_texts(file);
  } catch (const DataError& error) {
    throw DataError(path.string() + ": " + error.what());
  }
}

}  // namespace sdx
