#include "embedding/dialects.h"

#include <ATen/ops/full.h>

#include <set>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/embedding/embedding_writer.h"
#include "support/temp_folder.h"

#include "support/catch.h"

TEST_CASE("embedding: each row of the dialects that are read is complete", "[embedding]") {
  std::set<std::string_view> marks;
  for (const auto& text : sdx::kEnumTexts<sdx::EmbeddingFormat>) {
    INFO(text.text);
    CHECK(sdx::dialect_row(text.value).format == text.value);
  }
  for (const sdx::ReadableDialect& row : sdx::readable_dialects()) {
    for (const std::string_view mark : row.marks) {
      if (!mark.empty()) CHECK(marks.insert(mark).second);
    }
  }
  CHECK(sdx::readable_dialects().size() == sdx::kEnumTexts<sdx::EmbeddingFormat>.size());
}

TEST_CASE("embedding: each row of the dialects that are written writes what is read",
          "[embedding]") {
  CHECK(sdx::writable_dialects().size() == sdx::kEnumTexts<sdx::EmbeddingDialect>.size());
  const sdx::test::TempFolder folder;
  for (const auto& text : sdx::kEnumTexts<sdx::EmbeddingDialect>) {
    INFO(text.text);
    const sdx::WritableDialect& row = sdx::dialect_row(text.value);
    CHECK(row.dialect == text.value);
    REQUIRE(row.write != nullptr);
    const auto file = folder.path() / (std::string(text.text) + std::string(row.extension));
    sdx::write_embedding(file, {"Ada", at::full({2, 8}, 0.5), {}, {}, {}}, text.value);
    const sdx::Embedding back = sdx::read_embedding(file);
    CHECK(back.vectors.only().equal(at::full({2, 8}, 0.5)));
    CHECK(back.name == (row.holds_name ? "Ada" : std::string(text.text)));
  }
}

TEST_CASE("embedding: a text encoder is told by its width", "[embedding]") {
  CHECK(sdx::text_encoder_kind(768) == sdx::TextEncoderKind::kSd1);
  CHECK(sdx::text_encoder_kind(1024) == sdx::TextEncoderKind::kSd2);
  CHECK(sdx::text_encoder_kind(1280) == sdx::TextEncoderKind::kSdxlSecond);
  CHECK(sdx::text_encoder_kind(128) == sdx::TextEncoderKind::kOther);
  CHECK(sdx::made_for(1024) == "SD 2.x");
  CHECK(sdx::made_for(128) == "a model of width 128");
}
