#include "sdx/util/csv.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace {

using Fields = std::vector<std::string>;

std::vector<Fields> read_fields(std::string_view text) {
  std::vector<Fields> fields;
  for (const CsvRow& row : parse_csv(text, "a.csv")) fields.push_back(row.fields);
  return fields;
}

std::string catch_refusal(std::string_view text) {
  return catch_message<DataError>([&] { parse_csv(text, "a.csv"); });
}

}  // namespace

TEST_CASE("util: blanks around quotes are no part of a field", "[util]") {
  CHECK(read_fields("\"Ben\" ,ben\n") == std::vector<Fields>{{"Ben", "ben"}});
  CHECK(read_fields("Ada, \"a, b\"\t, c\n") == std::vector<Fields>{{"Ada", "a, b", " c"}});
  CHECK(read_fields("a \"b\" c,d\n") == std::vector<Fields>{{"a \"b\" c", "d"}});
  CHECK(contains(catch_refusal("\"Ben\" x,ben\n"), "text after a closing quote"));
}

TEST_CASE("util: comma-separated values are read", "[util]") {
  CHECK(read_fields("a,b\n1, 2 \n") == std::vector<Fields>{{"a", "b"}, {"1", " 2 "}});
  CHECK(read_fields("a,b") == std::vector<Fields>{{"a", "b"}});
  CHECK(read_fields("a,\n,b\n,") == std::vector<Fields>{{"a", ""}, {"", "b"}, {"", ""}});
  CHECK(read_fields("\"a,b\",\"c\"\"d\",\"\"\n") == std::vector<Fields>{{"a,b", "c\"d", ""}});
  CHECK(read_fields("\"two\nlines\",\"three\r\n\r\nlines\"") ==
        std::vector<Fields>{{"two\nlines", "three\r\n\r\nlines"}});
  CHECK(read_fields("5\" nail, \"x\"\n") == std::vector<Fields>{{"5\" nail", "x"}});
  CHECK(read_fields("\"\"\"\"") == std::vector<Fields>{{"\""}});
  CHECK(read_fields("").empty());
  CHECK(read_fields("\n\r\n\n").empty());
}

TEST_CASE("util: line ends and a byte-order mark are no content", "[util]") {
  const std::vector<Fields> expected = {{"a", "b"}, {"c", "d"}};
  CHECK(read_fields("\xEF\xBB\xBF"
                    "a,b\r\nc,d\r\n") == expected);
  CHECK(read_fields("a,b\rc,d\r") == expected);
  CHECK(read_fields("\n\na,b\n\n\nc,d\n\n") == expected);
  CHECK(read_fields("\xEF\xBB\xBF\"a\",b\r\n\"c\",\"d\"\r\n") == expected);
}

TEST_CASE("util: rows know their lines", "[util]") {
  const auto rows = parse_csv("a\r\n\r\n\"b\nb\rb\"\nc\n", "a.csv");
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].line == 1);
  CHECK(rows[1].line == 3);
  CHECK(rows[2].line == 6);
}

TEST_CASE("util: damaged CSV is refused with its line", "[util]") {
  CHECK(contains(catch_refusal("a,b\n\"c,d\ne,f\n"), "a.csv, line 2: a quote is opened"));
  CHECK(contains(catch_refusal("a,b\n\nc,\"d\"e\n"), "a.csv, line 3: text after a closing quote"));
  CHECK(contains(catch_refusal("\""), "line 1"));
}

TEST_CASE("util: a table has the columns that its first line names", "[util]") {
  const TempFolder folder;
  const auto path = folder.file("a.csv", "name, prompt\nAda,x\nBen\n");
  const CsvTable table = read_csv(path);
  CHECK(table.columns == Fields{"name", "prompt"});
  CHECK(table.column("prompt") == 1);
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].fields == Fields{"Ada", "x"});
  CHECK(table.rows[1].fields == Fields{"Ben", ""});
  CHECK(table.rows[1].line == 3);
  const std::string message = catch_message<DataError>([&] { table.column("age"); });
  CHECK(contains(message, path.string()));
  CHECK(contains(message, "name, prompt"));
}

TEST_CASE("util: a table that is none is refused", "[util]") {
  const TempFolder folder;
  const auto refusal = [&folder](std::string_view text) {
    return catch_message<DataError>([&] { read_csv(folder.file("a.csv", text)); });
  };
  CHECK(contains(refusal(""), "is empty"));
  CHECK(contains(refusal("\n\n"), "is empty"));
  CHECK(contains(refusal("a,b\n1,2\n1,2,3\n"), "line 3: 3 fields for 2 columns"));
  CHECK_THROWS_AS(read_csv(folder.file("absent.csv")), MissingInputError);
}
