#include "sdx/embedding/embedding_table.h"

#include <ATen/ops/arange.h>

#include "sdx/embedding/embedding_sizes.h"
#include "sdx/embedding/embedding_writer.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::catch_message;
using sdx::test::TempFolder;
namespace fs = std::filesystem;

namespace {

fs::path made(const std::string& name) { return fs::path(SDX_TEST_DATA) / "embeddings" / name; }

void write_word(const fs::path& file, const std::string& name, float value = 0.5F) {
  sdx::write_embedding(file, {name, at::arange(4, at::kFloat).reshape({1, 4}) + value, {}, {}});
}

}  // namespace

TEST_CASE("embedding: a table finds names, and helps with those it lacks", "[embedding]") {
  const TempFolder folder;
  for (const std::string name : {"Johannes", "Markus", "Sarah"}) {
    write_word(folder.path() / (name + ".safetensors"), name);
  }
  sdx::EmbeddingTable table;
  table.add_from(folder.path());
  table.add_from(folder.path() / "Markus.safetensors");
  table.add_from(folder.path() / "no-such-folder");
  CHECK(table.all().size() == 3);
  CHECK(table.contains("Markus"));
  CHECK_FALSE(table.contains("markus"));
  CHECK_THAT(catch_message<sdx::UsageError>([&] { table.at("johanes"); }),
             ContainsSubstring("<johanes> is not known. The nearest names are <Johannes>"));
}

TEST_CASE("embedding: two files of one name are a clash unless their vectors are the same",
          "[embedding]") {
  const TempFolder folder;
  write_word(folder.path() / "1.safetensors", "Ada");
  write_word(folder.path() / "2.safetensors", "Ada");
  sdx::EmbeddingTable table;
  table.add_from(folder.path());
  CHECK(table.all().size() == 1);
  write_word(folder.path() / "2.safetensors", "Ada", 1);
  sdx::EmbeddingTable clash;
  CHECK_THAT(catch_message<sdx::DataError>([&] { clash.add_from(folder.path()); }),
             ContainsSubstring("1.safetensors and ") && ContainsSubstring("<Ada>"));
}

TEST_CASE("embedding: a folder's files of every form are found, others don't matter",
          "[embedding]") {
  const TempFolder folder;
  for (const char* name : {"diffusers.bin", "a1111.pt", "a1111.png", "two_words.safetensors"}) {
    fs::copy(made(name), folder.path() / name);
  }
  fs::copy(made("kohya.safetensors"), folder.path() / "Kohya.SAFETENSORS");
  fs::copy(made("picture.png"), folder.path() / "a1111.preview.png");
  fs::copy(made("onetrainer.safetensors"), folder.path() / "a1111.pt.optim");
  fs::create_directory(folder.path() / "folder.pt");
  folder.file("notes.txt", "not an embedding");
  sdx::EmbeddingTable table;
  table.add_from(folder.path());
  std::vector<std::string> names;
  for (const auto& [name, embedding] : table.all()) names.push_back(name);
  CHECK(names ==
        std::vector<std::string>{"Kohya", "a1111", "birb-style", "cat", "dog", "in-the-picture"});
  CHECK_THAT(
      catch_message<sdx::UsageError>([&] { table.at("bird-style"); }),
      ContainsSubstring("nearest names are <birb-style>") && !ContainsSubstring("cannot be used"));
}

TEST_CASE("embedding: what a folder holds besides embeddings hinders only who asks for it",
          "[embedding]") {
  const TempFolder folder;
  fs::copy(made("diffusers.bin"), folder.path() / "birb.bin");
  fs::copy(made("lora.safetensors"), folder.path() / "style.safetensors");
  fs::copy(made("malicious.pt"), folder.path() / "malicious.pt");
  fs::copy(made("xti.safetensors"), folder.path() / "xti.safetensors");
  folder.file("empty.pt", "");
  sdx::EmbeddingTable table;
  table.add_from(folder.path());
  CHECK(table.all().size() == 1);
  const auto refusal = [&table](const std::string& name) {
    return catch_message<sdx::DataError>([&] { table.at(name); });
  };
  CHECK_THAT(refusal("style"), ContainsSubstring("<style> is there but cannot be used") &&
                                   ContainsSubstring("style.safetensors: holds weights"));
  CHECK_THAT(refusal("malicious"), ContainsSubstring("posix.system"));
  CHECK_THAT(refusal("xti"), ContainsSubstring("kohya's XTI"));
  CHECK_THAT(refusal("empty"), ContainsSubstring("is empty"));
  CHECK_THAT(catch_message<sdx::UsageError>([&] { table.at("other"); }),
             ContainsSubstring("empty.pt, …") && ContainsSubstring("sdx-model embedding show"));
}

TEST_CASE("embedding: a file that is given must be there and readable", "[embedding]") {
  const TempFolder folder;
  sdx::EmbeddingTable table;
  CHECK_THROWS_AS(table.add_from(made("lora.safetensors")), sdx::DataError);
  CHECK_THROWS_AS(table.add_from(folder.path() / "absent.pt"), sdx::MissingInputError);
  CHECK_THROWS_AS(table.add_from(folder.file("empty.pt", "")), sdx::DataError);
}

TEST_CASE("embedding: a file that is given must be used, a folder's need not", "[embedding]") {
  const TempFolder folder;
  write_word(folder.path() / "Sarah.safetensors", "Sarah");
  sdx::EmbeddingTable table;
  table.add_from(folder.path());
  table.check_used({});
  table.add_from(made("two_words.safetensors"));
  table.check_used({"dog"});
  CHECK_THAT(catch_message<sdx::UsageError>([&] {
               table.check_used({"Sarah", "Cat"});
             }),
             ContainsSubstring("two_words.safetensors: given, but no prompt uses it") &&
                 ContainsSubstring("<cat> or <dog>"));
}

TEST_CASE("embedding: a name is found in both forms of its accents", "[embedding]") {
  const TempFolder folder;
  write_word(folder.path() / "Zoe\u0308.safetensors", "Zoe\u0308");
  sdx::EmbeddingTable table;
  table.add_from(folder.path() / "Zoe\u0308.safetensors");
  CHECK(table.contains("Zo\u00EB"));
  CHECK(table.at("Zo\u00EB").name == "Zoe\u0308");
  CHECK(table.contains("Zoe\u0308"));
  CHECK_FALSE(table.contains("Zoe"));
  table.check_used({"Zo\u00EB"});
  sdx::EmbeddingTable by_path;
  by_path.add_from(folder.path() / "Zo\u00EB.safetensors");
  CHECK(by_path.contains("Zo\u00EB"));
  // Two files of one name, though the file system tells them apart.
  write_word(folder.path() / "Zo\u00EB.safetensors", "Zo\u00EB", 1);
  CHECK_THROWS_AS(table.add_from(folder.path() / "Zo\u00EB.safetensors"), sdx::DataError);
  folder.file("Le\u0301a.pt", "");
  sdx::EmbeddingTable unusable;
  fs::remove(folder.path() / "Zo\u00EB.safetensors");
  unusable.add_from(folder.path());
  CHECK_THAT(catch_message<sdx::DataError>([&] { unusable.at("L\u00E9a"); }),
             ContainsSubstring("is there but cannot be used"));
  CHECK(
      sdx::EmbeddingSizes(std::map<std::string, int>{{"Zoe\u0308", 3}}).vector_count("Zo\u00EB") ==
      3);
}

TEST_CASE("embedding: other tools' ways to name a word tell what is meant", "[embedding]") {
  const TempFolder folder;
  write_word(folder.path() / "Ada.safetensors", "Ada");
  sdx::EmbeddingTable table;
  table.add_from(folder.path());
  for (const char* name : {"ada", " Ada ", "Ada.pt", "Ada.SafeTensors", "embedding:Ada",
                           "embed: ada.bin", "people/Ada", "people\\Ada.pt"}) {
    INFO(name);
    CHECK(table.find_meant_name(name) == "Ada");
  }
  for (const char* name : {"", "Adam", "embedding:", "Ada:1.2", "Zo\xEB"}) {
    INFO(name);
    CHECK(table.find_meant_name(name).empty());
  }
  CHECK_THAT(catch_message<sdx::UsageError>([&] { table.at("embedding:Ada"); }),
             ContainsSubstring("did you mean <Ada>?"));
}

TEST_CASE("embedding: a hypernetwork's tag is told from an unknown name", "[embedding]") {
  const sdx::EmbeddingTable table;
  CHECK_THAT(catch_message<sdx::UsageError>([&] { table.at("hypernet:detail:0.8"); }),
             ContainsSubstring("<hypernet:detail:0.8> asks for a hypernetwork"));
}
