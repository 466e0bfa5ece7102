#include "sdx/tensor/safetensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <chrono>
#include <cstring>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::test::TempFolder;

namespace {

/// A file with this header and this many bytes of data.
std::filesystem::path file_with(const TempFolder& folder, const std::string& header,
                                std::size_t data_bytes) {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, sizeof length);
  const auto path = folder.path() / "made.safetensors";
  sdx::write_file_atomically(path, bytes + header + std::string(data_bytes, '\0'));
  return path;
}

std::string refusal(const std::filesystem::path& path) {
  try {
    sdx::map_safetensors(path, 10'000);
  } catch (const sdx::DataError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("tensor: safetensors come back as they were written", "[tensor]") {
  const TempFolder folder;
  const auto path = folder.path() / "a.safetensors";
  sdx::TensorMap tensors;
  for (const auto type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
                          at::kShort, at::kChar, at::kByte}) {
    tensors[std::string("t.") + c10::toString(type)] = at::arange(15).to(type).reshape({3, 5});
  }
  tensors["strided"] = at::arange(12, at::kFloat).reshape({3, 4}).t();
  tensors["empty"] = at::zeros({0, 4}, at::kFloat);
  tensors["scalar"] = at::zeros({}, at::kFloat) + 3;
  sdx::write_safetensors(path, tensors, {{"format", "pt"}, {"who", "Ünal"}});

  const sdx::Safetensors back = sdx::map_safetensors(path);
  REQUIRE(back.tensors.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    INFO(name);
    CHECK(back.tensors.at(name).scalar_type() == tensor.scalar_type());
    CHECK(at::equal(back.tensors.at(name), tensor));
  }
  CHECK(back.metadata.at("who") == "Ünal");
}

TEST_CASE("tensor: writing twice gives the same bytes", "[tensor]") {
  const TempFolder folder;
  const sdx::TensorMap tensors = {{"a", at::arange(5, at::kFloat)}};
  sdx::write_safetensors(folder.path() / "1", tensors, {{"k", "v"}});
  sdx::write_safetensors(folder.path() / "2", tensors, {{"k", "v"}});
  CHECK(sdx::read_file(folder.path() / "1") == sdx::read_file(folder.path() / "2"));
}

TEST_CASE("tensor: views keep the mapping alive and never reach the file", "[tensor]") {
  const TempFolder folder;
  const auto path = folder.path() / "a.safetensors";
  sdx::write_safetensors(path, {{"a", at::arange(5, at::kFloat)}});
  at::Tensor view = sdx::map_safetensors(path).tensors.at("a");
  view.fill_(7);
  CHECK(at::equal(sdx::map_safetensors(path).tensors.at("a"), at::arange(5, at::kFloat)));
}

TEST_CASE("tensor: the last view of a mapped tensor gives its pages back", "[tensor]") {
  const TempFolder folder;
  const auto path = folder.path() / "large.safetensors";
  const at::Tensor ones = at::ones({16 * 1024});
  sdx::write_safetensors(path, {{"a", ones}, {"b", ones}});
  sdx::Safetensors mapped = sdx::map_safetensors(path);
  at::Tensor a = mapped.tensors.at("a");
  const at::Tensor b = mapped.tensors.at("b");
  const float* middle = a.const_data_ptr<float>() + a.numel() / 2;
  a.fill_(2);  // in memory only: a page that is given back is the file's again
  b.fill_(2);
  mapped.tensors.clear();
  CHECK(*middle == 2);
  a = at::Tensor();
  CHECK(*middle == 1);
  CHECK(at::equal(b, 2 * ones));  // the neighbour's, to its first and last number
}

TEST_CASE("tensor: damaged safetensors are refused with their reason", "[tensor]") {
  using Catch::Matchers::ContainsSubstring;
  const TempFolder folder;
  const auto with = [&](const std::string& header, std::size_t bytes = 8) {
    return refusal(file_with(folder, header, bytes));
  };
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  REQUIRE(with(good) == "accepted");

  sdx::write_file_atomically(folder.path() / "short", "abc");
  CHECK_THAT(refusal(folder.path() / "short"), ContainsSubstring("at least 8 bytes, found 3"));
  sdx::write_file_atomically(folder.path() / "text", "This is no tensor file at all.");
  CHECK_THAT(refusal(folder.path() / "text"), ContainsSubstring("truncated, or not a safetensors"));
  CHECK_THAT(with(good + std::string(20'000, ' ')), ContainsSubstring("at most 10000"));
  CHECK_THAT(with("{\"a\": nonsense}"), ContainsSubstring("not JSON"));
  CHECK_THAT(with("{\"\xff\": 1}"), ContainsSubstring("not JSON"));
  CHECK_THAT(with("[1, 2]"), ContainsSubstring("not a JSON object"));
  CHECK_THAT(with("{\"a\": 3}"), ContainsSubstring("not an object"));
  CHECK_THAT(with(R"({"a":{"x":{"y":{"z":{"q":{"r":1}}}}}})"),
             ContainsSubstring("nested too deeply"));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                  R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
             ContainsSubstring("twice"));
  CHECK_THAT(with(R"({"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}})"),
             ContainsSubstring("unknown dtype \"Q4\""));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"),
             ContainsSubstring("needs 12 bytes"));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})"),
             ContainsSubstring("impossible shape"));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})"),
             ContainsSubstring("impossible shape"));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})"),
             ContainsSubstring("impossible data_offsets"));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12),
             ContainsSubstring("begins at byte 4"));
  CHECK_THAT(with(good, 4), ContainsSubstring("the file has 4"));
  CHECK_THAT(with(good, 12), ContainsSubstring("the file has 12"));
  CHECK_THAT(with(R"({"a":{"shape":[2],"data_offsets":[0,8]}})"),
             ContainsSubstring("tensor \"a\": key \"dtype\" is missing"));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}})"),
             ContainsSubstring("tensor \"a\": shape: expected a list, each of it a whole number, "
                               "found [2.5]"));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})"),
             ContainsSubstring("shape: expected a list"));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":[true,2],"data_offsets":[0,8]}})"),
             ContainsSubstring("shape: expected a list"));
  CHECK_THAT(with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8.5]}})"),
             ContainsSubstring("data_offsets: expected a list"));
  CHECK_THAT(with(R"({"a":{"dtype":1,"shape":[2],"data_offsets":[0,8]}})"),
             ContainsSubstring("dtype: expected a text, found 1"));
  CHECK_THAT(with(good + std::string(3, '\0')), ContainsSubstring("a NUL byte"));
  CHECK_THAT(with("{\"__metadata__\":{\"a\":1}}", 0),
             ContainsSubstring("__metadata__: expected an object of texts, found {\"a\":1}"));
  for (const char* type : {"F8_E4M3", "F8_E5M2"}) {
    CHECK_THAT(
        with(R"({"a":{"dtype":")" + std::string(type) + R"(","shape":[8],"data_offsets":[0,8]}})"),
        ContainsSubstring("tensor \"a\" is of the type " + std::string(type) + " (float8)"));
  }
  CHECK_THAT(with(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})"),
             ContainsSubstring("is of the type C64, which cannot be read here"));
}

TEST_CASE("tensor: a header may say that there are no metadata", "[tensor]") {
  const TempFolder folder;
  const auto file = file_with(
      folder, R"({"__metadata__":null,"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  const sdx::Safetensors content = sdx::map_safetensors(file);
  CHECK(content.metadata.empty());
  CHECK(content.tensors.at("a").sizes() == at::IntArrayRef({2}));
}

TEST_CASE("tensor: the time for a header grows with its length and no faster", "[tensor]") {
  const TempFolder folder;
  std::string header = "{";
  constexpr int kEntries = 80'000;
  for (int i = 0; i < kEntries; ++i) {
    header += (i > 0 ? ",\"t" : "\"t") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) + "," +
              std::to_string(i + 1) + "]}";
  }
  const auto file = file_with(folder, header + "}", kEntries);
  const auto start = std::chrono::steady_clock::now();
  CHECK(sdx::map_safetensors(file).tensors.size() == kEntries);
  const auto taken = std::chrono::steady_clock::now() - start;
  // Some 0.3 s; comparing each key with all took 17.
  CHECK(std::chrono::duration<double>(taken).count() < 5);
}

TEST_CASE("tensor: a missing safetensors file is a missing input", "[tensor]") {
  CHECK_THROWS_AS(sdx::map_safetensors("no/such/file"), sdx::MissingInputError);
}
