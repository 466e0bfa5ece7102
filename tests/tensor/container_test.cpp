#include "sdx/tensor/container.h"

#include <ATen/ops/zeros.h>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "support/torch_bytes.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::TensorContainer;
using sdx::test::TempFolder;

TEST_CASE("tensor: what a file of tensors is, its content says and not its name") {
  const TempFolder folder;
  sdx::write_safetensors(folder.path() / "a.ckpt", {{"a", at::zeros({2})}});
  CHECK(sdx::find_container(folder.path() / "a.ckpt") == TensorContainer::kSafetensors);
  const auto torch = folder.file("b.safetensors", sdx::test::torch_zip("N.", ""));
  CHECK(sdx::find_container(torch) == TensorContainer::kTorch);
  // The old container, in each protocol of pickle that Python can be asked for.
  const std::string magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  for (const std::string& start : {std::string("\x80\x02"), std::string("\x80\x03"),
                                   std::string("\x80\x04\x95\x0d\0\0\0\0\0\0\0", 11),
                                   std::string("\x80\x05\x95\x0d\0\0\0\0\0\0\0", 11)}) {
    CHECK(sdx::find_container(folder.file("c.PT", start + magic)) == TensorContainer::kTorch);
  }
  // Neither: its reader says what is wrong.
  CHECK(sdx::find_container(folder.file("d", "\x01\x02\x03")) == TensorContainer::kSafetensors);
  CHECK_THROWS_AS(sdx::find_container("no/such/file"), sdx::MissingInputError);
}

TEST_CASE("tensor: files that hold no tensors are called what they are") {
  const TempFolder folder;
  const auto found = [&folder](const std::string& bytes) {
    const auto file = folder.file("model.safetensors", bytes);
    return sdx::test::catch_message<sdx::DataError>([&] { sdx::find_container(file); });
  };
  CHECK_THAT(found("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 42\n"),
             ContainsSubstring("model.safetensors: this is a Git LFS pointer") &&
                 ContainsSubstring("git lfs pull"));
  CHECK_THAT(found("/annex/objects/SHA256E-s42--4d7a.safetensors\n"),
             ContainsSubstring("git-annex"));
  CHECK_THAT(found("<!DOCTYPE html>\n<html><title>Sign in</title>"),
             ContainsSubstring("a web page (\"<!DOCTYPE html>\")"));
  CHECK_THAT(found("\xEF\xBB\xBF\r\n  <html lang=\"en\">"), ContainsSubstring("a web page"));
  CHECK_THAT(found("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"),
             ContainsSubstring("a web page") && ContainsSubstring("AccessDenied"));
  CHECK_THAT(found(R"({"error": "Access to model x is restricted"})"),
             ContainsSubstring("JSON") && ContainsSubstring("restricted"));
  CHECK_THAT(found("[1, 2, 3, 4, 5]"), ContainsSubstring("JSON"));
  CHECK_THAT(found("Entry not found"), ContainsSubstring("text (\"Entry not found\")"));
  CHECK_THAT(found("GGUF\x03"), ContainsSubstring("GGUF"));
  CHECK_THAT(found("\xff\xd8\xff\xe0 JFIF"), ContainsSubstring("a picture"));
  CHECK_THAT(found("7z\xbc\xaf\x27\x1c"), ContainsSubstring("a compressed archive"));
  std::string tar(300, '\0');
  tar.replace(257, 5, "ustar");
  CHECK_THAT(found(tar), ContainsSubstring("a compressed archive"));
  CHECK_THAT(found("\x80\x04\x95\x10"), ContainsSubstring("a pickle of Python, but not one of"));
  CHECK_THAT(found("\x93NUMPY\x01"), ContainsSubstring("NumPy"));
  CHECK_THAT(found(std::string(600, '\0')), ContainsSubstring("did not end"));
  CHECK_THAT(found(""), ContainsSubstring("an empty file"));
}
