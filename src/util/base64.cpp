#include "sdx/util/base64.h"

#include <openssl/evp.h>

#include "sdx/util/error.h"

namespace sdx {

namespace {

const unsigned char* unsigned_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* unsigned_bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a NUL
  EVP_EncodeBlock(unsigned_bytes(text), unsigned_bytes(bytes), static_cast<int>(bytes.size()));
  text.pop_back();
  return text;
}

std::string from_base64(std::string_view text) {
  std::string padded(text.substr(0, text.find('=')));
  const std::size_t padding = (4 - padded.size() % 4) % 4;
  padded.append(padding, '=');
  std::string bytes(padded.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(unsigned_bytes(bytes), unsigned_bytes(padded),
                                   static_cast<int>(padded.size()));
  // One digit of a group is less than a byte. OpenSSL passes over blanks at the ends.
  if (padding == 3 || size != static_cast<int>(bytes.size())) {
    throw DataError("its text is not base64: damaged");
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace sdx
