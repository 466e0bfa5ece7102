#include "sdx/prompt/single_name.h"

#include "sdx/embedding/embedding_table.h"

#include "support/catch.h"

using namespace sdx;

namespace {

std::string ada(const std::string& text) { return keep_one_name(text, "Ada", {"Ben", "Cleo"}); }
std::string ben(const std::string& text) { return keep_one_name(text, "Ben", {"Ada", "Cleo"}); }
std::string cleo(const std::string& text) { return keep_one_name(text, "Cleo", {"Ada", "Ben"}); }

}  // namespace

TEST_CASE("single name: the others of a row are left out") {
  CHECK(ada("<Ada> and <Ben> in the snow") == "<Ada> in the snow");
  CHECK(ben("<Ada> and <Ben> in the snow") == "<Ben> in the snow");
  CHECK(ada("two of us, <Ada>, <Ben> and <Cleo>") == "two of us, <Ada>");
  CHECK(ben("two of us, <Ada>, <Ben>, and <Cleo>") == "two of us, <Ben>");
  CHECK(cleo("two of us, <Ada>,<Ben> AND <Cleo>!") == "two of us, <Cleo>!");
  CHECK(ben("<Ada> with <Ben> & <Cleo>") == "<Ben>");
  CHECK(keep_one_name("<Ada>; <Ben> + <Style>", "Ben", {"Ada"}) == "<Ben> + <Style>");
  CHECK(keep_one_name("<Ada> and <Ben>, <Style>", "Ada", {"Ben"}) == "<Ada>, <Style>");
}

TEST_CASE("single name: elsewhere the name takes the place of the others") {
  CHECK(ben("<Ada> as a wizard") == "<Ben> as a wizard");
  CHECK(ada("(<Ada>:1.2) beside (<Ben>:0.8)") == "(<Ada>:1.2) beside (<Ada>:0.8)");
  CHECK(ada("[<Ada>|<Ben>:0.5] on <Cleo>") == "[<Ada>|<Ada>:0.5] on <Ada>");
  CHECK(ada("<Ben>, <Cleo> watch <Ada>") == "<Ada> watch <Ada>");
}

TEST_CASE("single name: all else stays byte for byte") {
  CHECK(ada("") == "");
  CHECK(ada("a < b > c, <lora:Ben:0.8> <3") == "a < b > c, <lora:Ben:0.8> <3");
  CHECK(ada("<Ada>  and\t<Dora>,  (hat)") == "<Ada>  and\t<Dora>,  (hat)");
  CHECK(ada("<Ada> and<Ben> <lora:x:1>") == "<Ada> <lora:x:1>");
}

TEST_CASE("single name: names are compared as everywhere") {
  // é in one letter and in two.
  CHECK(keep_one_name("<Jos\u00e9> and <Ben>", "Ben", {"Jose\u0301"}) == "<Ben>");
  Embedding word;
  word.name = "my friend";
  EmbeddingTable table;
  table.add(word);
  CHECK(keep_one_name("<my friend> and <Ben>", "Ben", {"my friend"}, table) == "<Ben>");
}
