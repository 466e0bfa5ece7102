#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <fstream>

#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/torch_bytes.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using namespace sdx::test;

namespace {

const std::string kValue = pickle(wrap_in_dict(tensor(storage("0", 4), 0, {4}, {1})));
const std::string kFourFloats = floats({1, 2, 3, 4});
const std::vector<ZipPart> kParts = {{"archive/data.pkl", kValue}, {"archive/data/0", kFourFloats}};

std::string refusal(const std::string& bytes, sdx::TorchChecks checks = sdx::TorchChecks::kAll) {
  const TempFolder folder;
  try {
    sdx::read_torch_file(folder.file("made.pt", bytes), checks);
  } catch (const sdx::DataError& error) {
    return error.what();
  }
  return "accepted";
}

/// Why the usual archive is refused after `change` has been at its plan.
template <typename Change>
std::string refusal_after(Change&& change) {
  ZipPlan plan{kParts};
  change(plan);
  return refusal(zip(plan));
}

bool has_four_floats(const sdx::PickleValue& root) {
  return at::equal(*root.find("a")->tensor(), at::tensor({1.0F, 2.0F, 3.0F, 4.0F}));
}

/// A file that is a hole of `hole` bytes but for `before` and `after`.
void write_around_hole(const std::filesystem::path& path, const std::string& before,
                       std::uint64_t hole, const std::string& after) {
  std::ofstream(path, std::ios::binary) << before;
  std::filesystem::resize_file(path, before.size() + hole);
  std::ofstream(path, std::ios::binary | std::ios::app) << after;
}

/// A file from before torch 1.6: the value, the keys and, after them, the storages.
std::string legacy(const std::string& value, const std::string& keys, const std::string& storages,
                   const std::string& version = "M\xe9\x03", const std::string& little = "\x88") {
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + pickle(version) +
         pickle("}" + text("little_endian") + little + "s") + value + pickle(keys) + storages;
}

const std::string kLegacyValue =
    pickle(wrap_in_dict(tensor(tuple({text("storage"), global("torch", "FloatStorage"), text("7"),
                                      text("cpu"), integer(4), "N"}) +
                                   "Q",
                               0, {4}, {1})));
const std::string kLegacyKeys = "]" + text("7") + "a";
const std::string kLegacyStorage = raw(std::int64_t{4}) + kFourFloats;

/// A pickle in another protocol, of what pickle() made; from 4 on it says how long it is.
std::string in_protocol(int protocol, const std::string& of_protocol_2) {
  const std::string opcodes = of_protocol_2.substr(2);
  const std::string frame =
      protocol < 4 ? "" : "\x95" + raw(static_cast<std::uint64_t>(opcodes.size()));
  return "\x80" + std::string(1, static_cast<char>(protocol)) + frame + opcodes;
}

}  // namespace

TEST_CASE("tensor: the old container is read in each protocol of pickle", "[tensor]") {
  const TempFolder folder;
  const std::string magic = pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
  const std::string machine = pickle("}" + text("little_endian") + "\x88s");
  for (const int protocol : {2, 3, 4, 5}) {
    INFO(protocol);
    std::string bytes;
    for (const std::string& part :
         {magic, pickle("M\xe9\x03"), machine, kLegacyValue, pickle(kLegacyKeys)}) {
      bytes += in_protocol(protocol, part);
    }
    CHECK(has_four_floats(sdx::read_torch_file(folder.file("made.pt", bytes + kLegacyStorage))));
  }
}

TEST_CASE("tensor: a zip archive built by hand is read, 64-bit and misaligned too", "[tensor]") {
  const TempFolder folder;
  for (const bool zip64 : {false, true}) {
    for (const std::size_t shift : {0U, 1U, 2U, 3U}) {
      ZipPlan plan{kParts};
      plan.zip64 = zip64;
      plan.shift = shift;
      for (ZipPart& part : plan.parts) part.zip64 = zip64;
      plan.comment = zip64 ? "" : "PK\x05\x06 is not the end here, but a comment";
      const auto root = sdx::read_torch_file(folder.file("made.pt", zip(plan)));
      CHECK(has_four_floats(root));
      const void* data = root.find("a")->tensor()->data_ptr();
      CHECK(reinterpret_cast<std::uintptr_t>(data) % sizeof(float) == 0);
    }
  }
}

TEST_CASE("tensor: a torch file beyond 4 GB is read, and only where it is needed", "[tensor]") {
  const TempFolder folder;
  const auto path = folder.file("large.ckpt");
  constexpr std::int64_t kValues = 1'200'000'000;  // of 4 bytes
  ZipPart data{"archive/data/0", ""};
  data.zip64 = true;
  data.claimed_size = kValues * 4;
  data.checksum = 1;  // wrong, and not looked at
  ZipPart value{"archive/data.pkl",
                pickle(wrap_in_dict(tensor(storage("0", kValues), kValues - 1, {1}, {1})))};
  value.zip64 = true;
  const std::string before = zip_local_header(data);
  const std::uint64_t value_offset = before.size() + data.claimed_size;
  const std::string record = zip_local_header(value) + value.bytes;
  ZipPlan plan;
  plan.zip64 = true;
  write_around_hole(
      path, before, data.claimed_size,
      record + zip_end(zip_central_header(data, 0) + zip_central_header(value, value_offset),
                       value_offset + record.size(), 2, plan));
  const auto root = sdx::read_torch_file(path, sdx::TorchChecks::kPickleOnly);
  CHECK(root.find("a")->tensor()->item<float>() == 0);
}

TEST_CASE("tensor: a pickle of a quarter of a gigabyte is refused before it is read", "[tensor]") {
  const TempFolder folder;
  const auto path = folder.file("large.pt");
  ZipPart value{"archive/data.pkl", ""};
  value.claimed_size = (std::uint64_t{256} << 20U) + 1;
  const std::string before = zip_local_header(value);
  write_around_hole(
      path, before, value.claimed_size,
      zip_end(zip_central_header(value, 0), before.size() + value.claimed_size, 1, {}));
  CHECK_THROWS_WITH(sdx::read_torch_file(path), ContainsSubstring("at most 268435456"));
}

TEST_CASE("tensor: archives that torch.save would not write are refused", "[tensor]") {
  CHECK(refusal(zip({kParts})) == "accepted");
  CHECK_THAT(refusal_after([](ZipPlan& plan) { plan.parts[1].method = 8; }),
             ContainsSubstring("\"archive/data/0\" is compressed or encrypted"));
  CHECK_THAT(refusal_after([](ZipPlan& plan) { plan.parts[1].local_name = "archive/data/1"; }),
             ContainsSubstring("another name"));
  CHECK_THAT(refusal_after([](ZipPlan& plan) { plan.parts[1].name = "archive/data/1"; }),
             ContainsSubstring("\"data/0\" is missing"));
  CHECK_THAT(refusal_after([](ZipPlan& plan) { plan.parts.push_back(plan.parts[1]); }),
             ContainsSubstring("holds \"archive/data/0\" twice"));
  CHECK_THAT(refusal_after([](ZipPlan& plan) { plan.parts[0].name = "a/b/data.pkl"; }),
             ContainsSubstring("not one of torch.save"));
  CHECK_THAT(refusal_after([](ZipPlan& plan) {
               plan.parts.push_back({"b/data.pkl", kValue});
             }),
             ContainsSubstring("several data.pkl"));
  CHECK_THAT(refusal_after([](ZipPlan& plan) {
               plan.parts.push_back({"archive/constants.pkl", ""});
             }),
             ContainsSubstring("a TorchScript program"));
  CHECK_THAT(refusal_after([](ZipPlan& plan) {
               plan.parts.push_back({"archive/byteorder", "big"});
             }),
             ContainsSubstring("big-endian"));
  CHECK(refusal_after([](ZipPlan& plan) {
          plan.parts.push_back({"archive/byteorder", "little"});
        }) == "accepted");
}

TEST_CASE("tensor: entries beyond the archive or over each other are refused", "[tensor]") {
  for (const bool zip64 : {false, true}) {
    CHECK_THAT(refusal_after([&](ZipPlan& plan) {
                 plan.parts[1].zip64 = zip64;
                 plan.parts[1].claimed_size = 400'000'000;
               }),
               ContainsSubstring("claims 400000000 bytes, the file has"));
  }
  CHECK_THAT(refusal_after([](ZipPlan& plan) {
               plan.parts[1].zip64 = true;
               plan.parts[1].claimed_size = UINT64_MAX - 10;
             }),
             ContainsSubstring("the file has"));
  CHECK_THAT(refusal_after([](ZipPlan& plan) { plan.parts[0].claimed_size = kValue.size() + 60; }),
             ContainsSubstring("overlap"));
  CHECK_THAT(refusal_after([](ZipPlan& plan) { plan.more_entries = 1; }),
             ContainsSubstring("claims 3 entries, it has 2"));
  const std::string sound = zip({kParts});
  // Headers that lie elsewhere: the offset of the first entry, and of the directory.
  std::string moved = sound;
  moved[sound.find("PK\x01\x02") + 42] = 1;
  CHECK_THAT(refusal(moved), ContainsSubstring("is not where the directory says"));
  moved = sound;
  moved[sound.size() - 6] = static_cast<char>(moved[sound.size() - 6] + 1);
  CHECK_THAT(refusal(moved), ContainsSubstring("damaged"));
  // Every length that a download may have stopped at.
  for (std::size_t length = 4; length < sound.size(); ++length) {
    INFO(length);
    CHECK_THAT(refusal(sound.substr(0, length)), ContainsSubstring("truncated"));
  }
}

TEST_CASE("tensor: a changed byte of a torch file is noticed by its checksum", "[tensor]") {
  ZipPlan plan{kParts};
  plan.parts[1].checksum = 1;
  CHECK_THAT(refusal(zip(plan)), ContainsSubstring("checksum (CRC) of the record \"data/0\""));
  CHECK(refusal(zip(plan), sdx::TorchChecks::kPickleOnly) == "accepted");
  plan.parts[0].checksum = 1;
  CHECK_THAT(refusal(zip(plan), sdx::TorchChecks::kPickleOnly),
             ContainsSubstring("checksum (CRC) of the record \"data.pkl\""));
  plan.parts[0].checksum = plan.parts[1].checksum = 0;  // the writer computed none
  CHECK(refusal(zip(plan)) == "accepted");
}

TEST_CASE("tensor: the container before torch 1.6 is read, and refused when damaged", "[tensor]") {
  const std::string sound = legacy(kLegacyValue, kLegacyKeys, kLegacyStorage);
  const TempFolder folder;
  CHECK(has_four_floats(sdx::read_torch_file(folder.file("old.pt", sound))));

  for (std::size_t length = 15; length < sound.size(); ++length) {
    INFO(length);
    CHECK_THAT(refusal(sound.substr(0, length)), ContainsSubstring("truncated"));
  }
  CHECK_THAT(refusal(sound + "x"), ContainsSubstring("1 bytes follow after its end"));
  CHECK_THAT(refusal(legacy(kLegacyValue, "]", "")), ContainsSubstring("keys of 1 storages"));
  CHECK_THAT(refusal(legacy(kLegacyValue, "]" + text("8") + "a", kLegacyStorage)),
             ContainsSubstring("expected the key of a storage, each once, found the text \"8\""));
  CHECK_THAT(refusal(legacy(pickle("(" + storage("7", 4) + storage("8", 4) + "t"),
                            "](" + text("7") + text("7") + "e", kLegacyStorage + kLegacyStorage)),
             ContainsSubstring("each once, found the text \"7\""));
  CHECK_THAT(
      refusal(legacy(kLegacyValue, kLegacyKeys, raw(std::int64_t{5}) + kFourFloats + "1234")),
      ContainsSubstring("claims 4 values, found 5"));
  CHECK_THAT(refusal(legacy(kLegacyValue, kLegacyKeys, kLegacyStorage, "M\xe8\x03")),
             ContainsSubstring("expected version 1001"));
  CHECK_THAT(refusal(legacy(kLegacyValue, kLegacyKeys, kLegacyStorage, "M\xe9\x03", "\x89")),
             ContainsSubstring("not little-endian"));
  CHECK_THAT(refusal(legacy(kLegacyValue, storage("7", 4), kLegacyStorage)),
             ContainsSubstring("stands where none should be"));
  CHECK_THAT(refusal(legacy(pickle(global("os", "system")), "]", "")),
             ContainsSubstring("\"os.system\""));
  CHECK_THAT(
      refusal(legacy(pickle(wrap_in_dict(tensor(storage("7", 1'000'000'000'000), 0, {4}, {1}))),
                     kLegacyKeys, raw(std::int64_t{1'000'000'000'000}) + kFourFloats)),
      ContainsSubstring("4000000000000 bytes are needed"));
}
