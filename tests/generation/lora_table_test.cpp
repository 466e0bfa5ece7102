#include "sdx/generation/lora_table.h"

#include <ATen/ops/ones.h>

#include <filesystem>

#include "sdx/generation/image_options.h"
#include "sdx/util/error.h"
#include "support/lora_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using Catch::Matchers::ContainsSubstring;
using test::catch_message;
namespace fs = std::filesystem;

namespace {

/// A folder with "style", "detail" in a folder of it, and what is no LoRA.
class Folder {
 public:
  Folder() {
    fs::create_directories(folder_.path() / "more");
    fs::copy(test::lora_file("sd1-kohya"), file("style"));
    fs::copy(test::lora_file("sd1-locon"), file("more/detail"));
    folder_.file("notes.txt", "none");
    folder_.file("broken.safetensors", "none");
  }
  fs::path file(const std::string& name) const { return folder_.path() / (name + ".safetensors"); }
  LoraTable table() const {
    LoraTable table;
    table.add_from(folder_.path());
    return table;
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  test::TempFolder folder_;
};

ImageRequest resolved(const std::string& prompt, const std::vector<std::string>& asked,
                      LoraTable table) {
  ImageOptions options;
  options.prompt = prompt;
  options.loras = asked;
  return make_request(options, {7}, &table);
}

}  // namespace

TEST_CASE("generation: LoRAs are found by their files' names, in folders of a folder too") {
  const Folder folder;
  LoraTable table = folder.table();
  CHECK(table.contains("style"));
  CHECK(table.contains("detail"));
  CHECK_FALSE(table.contains("Style"));
  CHECK_FALSE(table.contains("notes"));
  CHECK(table.at("style")->file == folder.file("style"));
  CHECK(table.at("style") == table.at("style"));  // read once
  CHECK(table.list_read().size() == 1);
  CHECK_NOTHROW(table.add_from(folder.path() / "absent"));
  CHECK_THROWS_AS(table.add_from(folder.path() / "absent.safetensors"), MissingInputError);
  CHECK_THROWS_AS(table.at("broken"), DataError);
}

TEST_CASE("generation: what cannot be looked at in a folder of LoRAs is passed over") {
  const Folder folder;
  fs::create_symlink("circle.safetensors", folder.file("circle"));
  fs::create_directory_symlink(folder.path(), folder.path() / "again");
  fs::create_symlink("nowhere", folder.file("dangling"));
  LoraTable table = folder.table();
  CHECK(table.contains("style"));
  CHECK_FALSE(table.contains("circle"));
  CHECK_FALSE(table.contains("dangling"));
  CHECK(table.at("detail")->name() == "detail");  // found several times, one file
}

TEST_CASE("generation: a LoRA that is not there is missing, and the nearest names are said") {
  const Folder folder;
  LoraTable table = folder.table();
  const std::string message = catch_message<MissingInputError>([&] { table.at("stile"); });
  CHECK_THAT(message, ContainsSubstring("no LoRA is called \"stile\"; the nearest names are "
                                        "\"style\"") &&
                          ContainsSubstring("`loras` says"));
  CHECK_THAT(catch_message<MissingInputError>([] { LoraTable().at("x"); }),
             ContainsSubstring("there are none here"));
  // A stranger's prompt opens no path.
  CHECK_THROWS_AS(table.at(folder.file("style").string()), MissingInputError);
  CHECK(table.open(folder.file("style").string())->name() == "style");
  CHECK_THROWS_AS(table.open((folder.path() / "absent.pt").string()), MissingInputError);
}

TEST_CASE("generation: a LoRA is found by the name that its training program gave it") {
  const Folder folder;
  write_safetensors(folder.file("renamed"), map_safetensors(test::lora_file("sd1-core")).tensors,
                    {{"ss_output_name", "first name"}});
  LoraTable table = folder.table();
  CHECK(table.at("first name")->file == folder.file("renamed"));
  CHECK(table.at("renamed")->file == folder.file("renamed"));
}

TEST_CASE("generation: of two LoRAs of one name copies are one, others are refused") {
  const Folder folder;
  fs::copy(folder.file("style"), folder.file("more/style"));
  CHECK_NOTHROW(folder.table().at("style"));
  fs::remove(folder.file("more/style"));
  fs::copy(test::lora_file("sd1-locon"), folder.file("more/style"));
  LoraTable table = folder.table();
  CHECK_THAT(catch_message<DataError>([&] { table.at("style"); }),
             ContainsSubstring("two LoRAs are called \"style\""));
}

TEST_CASE("generation: LoRAs of the prompt come first, then those asked for, as tags") {
  const Folder folder;
  const ImageRequest request = resolved("a <lora:detail:0.8:0.5> hat",
                                        {folder.file("style").string() + ":-1"}, folder.table());
  CHECK(request.prompt == "a <lora:detail:0.8:0.5> hat <lora:style:-1>");
  const AppliedLoras& loras = request.settings.loras;
  REQUIRE(loras.size() == 2);
  CHECK(loras[0].name == "detail");
  CHECK(loras[0].text == 0.8);
  CHECK(loras[0].unet == 0.5);
  CHECK(loras[1].name == "style");
  CHECK(loras[1].lora->file == folder.file("style"));
  CHECK(loras[1].unet == -1);
  // The text alone gives the same again.
  const ImageRequest again = resolved(request.prompt, {}, folder.table());
  REQUIRE(again.settings.loras.size() == 2);
  CHECK(again.settings.loras[1].unet == -1);
  CHECK(resolved("", {"style"}, folder.table()).prompt == "<lora:style:1>");
  CHECK(lora_hashes(loras) ==
        "detail: " + loras[0].lora->short_hash + ", style: " + loras[1].lora->short_hash);
  CHECK(read_lora_hashes(lora_hashes(loras)) ==
        std::map<std::string, std::string>{{"detail", loras[0].lora->short_hash},
                                           {"style", loras[1].lora->short_hash}});
}

TEST_CASE("generation: a LoRA of strength 0 is none") {
  const Folder folder;
  CHECK(resolved("a <lora:style:0>", {"detail:0"}, folder.table()).settings.loras.empty());
  CHECK(resolved("a <lora:style:0:1>", {}, folder.table()).settings.loras.size() == 1);
  CHECK_THROWS_AS(resolved("a <lora:nobody:0>", {}, folder.table()), MissingInputError);
}

TEST_CASE("generation: without a table LoRAs are refused, not forgotten") {
  ImageOptions options;
  options.loras = {"style"};
  CHECK_THAT(catch_message<UsageError>([&] { make_request(options, {7}); }),
             ContainsSubstring("`lora`: only sdx-generate"));
  options.loras.clear();
  options.prompt = "a <lora:style:0.8>";
  const ImageRequest request = make_request(options, {7});
  CHECK_THAT(catch_message<UsageError>([&] { check_loras_resolved(request); }),
             ContainsSubstring("<lora:style:0.8>\": LoRAs are for"));
  options.prompt = "a <lora:style:0>";
  CHECK_NOTHROW(check_loras_resolved(make_request(options, {7})));
}

TEST_CASE("generation: a file whose name a tag cannot hold is refused") {
  const Folder folder;
  const fs::path file = folder.file("a:b, c");
  fs::copy(folder.file("style"), file);
  CHECK_THAT(catch_message<UsageError>([&] { resolved("a", {file.string()}, folder.table()); }),
             ContainsSubstring("rename the file"));
}
