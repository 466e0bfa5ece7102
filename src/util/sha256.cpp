#include "sdx/util/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <memory>

#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace {

/// SHA-256 of bytes that come in pieces.
class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    require(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void update(std::span<const std::byte> bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    require(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1 && size == 32);
    constexpr std::string_view kHexDigits = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += kHexDigits[digest[i] >> 4U];
      text += kHexDigits[digest[i] & 15U];
    }
    return text;
  }

 private:
  static void require(bool success) {
    if (!success) throw InternalError("OpenSSL cannot compute SHA-256");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256_hex(std::span<const std::byte> bytes) {
  Digest digest;
  digest.update(bytes);
  return digest.hex();
}

std::string sha256_hex(std::string_view text) {
  return sha256_hex(std::as_bytes(std::span(text.data(), text.size())));
}

std::string sha256_of_file(const std::filesystem::path& path, const std::function<void()>& heed) {
  Digest digest;
  read_file_in_pieces(path, [&](std::span<const std::byte> piece) {
    digest.update(piece);
    heed();
  });
  return digest.hex();
}

}  // namespace sdx
