#include "sdx/util/csv.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace {

using Fields = std::vector<std::string>;

std::vector<Fields> fields_of(std::string_view text) {
  std::vector<Fields> fields;
  for (const CsvRow& row : parse_csv(text, "a.csv")) fields.push_back(row.fields);
  return fields;
}

std::string refusal_of(std::string_view text) {
  return message_of<DataError>([&] { parse_csv(text, "a.csv"); });
}

}  // namespace

TEST_CASE("util: comma-separated values are read", "[util]") {
  CHECK(fields_of("a,b\n1, 2 \n") == std::vector<Fields>{{"a", "b"}, {"1", " 2 "}});
  CHECK(fields_of("a,b") == std::vector<Fields>{{"a", "b"}});
  CHECK(fields_of("a,\n,b\n,") == std::vector<Fields>{{"a", ""}, {"", "b"}, {"", ""}});
  CHECK(fields_of("\"a,b\",\"c\"\"d\",\"\"\n") == std::vector<Fields>{{"a,b", "c\"d", ""}});
  CHECK(fields_of("\"two\nlines\",\"three\r\n\r\nlines\"") ==
        std::vector<Fields>{{"two\nlines", "three\r\n\r\nlines"}});
  CHECK(fields_of("5\" nail, \"x\"\n") == std::vector<Fields>{{"5\" nail", " \"x\""}});
  CHECK(fields_of("\"\"\"\"") == std::vector<Fields>{{"\""}});
  CHECK(fields_of("").empty());
  CHECK(fields_of("\n\r\n\n").empty());
}

TEST_CASE("util: line ends and a byte-order mark are no content", "[util]") {
  const std::vector<Fields> expected = {{"a", "b"}, {"c", "d"}};
  CHECK(fields_of("\xEF\xBB\xBF"
                  "a,b\r\nc,d\r\n") == expected);
  CHECK(fields_of("a,b\rc,d\r") == expected);
  CHECK(fields_of("\n\na,b\n\n\nc,d\n\n") == expected);
  CHECK(fields_of("\xEF\xBB\xBF\"a\",b\r\n\"c\",\"d\"\r\n") == expected);
}

TEST_CASE("util: rows know their lines", "[util]") {
  const auto rows = parse_csv("a\r\n\r\n\"b\nb\rb\"\nc\n", "a.csv");
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].line == 1);
  CHECK(rows[1].line == 3);
  CHECK(rows[2].line == 6);
}

TEST_CASE("util: damaged CSV is refused with its line", "[util]") {
  CHECK(contains(refusal_of("a,b\n\"c,d\ne,f\n"), "a.csv, line 2: a quote is opened"));
  CHECK(contains(refusal_of("a,b\n\nc,\"d\"e\n"), "a.csv, line 3: text after a closing quote"));
  CHECK(contains(refusal_of("\""), "line 1"));
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
  const std::string message = message_of<DataError>([&] { table.column("age"); });
  CHECK(contains(message, path.string()));
  CHECK(contains(message, "name, prompt"));
}

TEST_CASE("util: a table that is none is refused", "[util]") {
  const TempFolder folder;
  const auto refusal = [&folder](std::string_view text) {
    return message_of<DataError>([&] { read_csv(folder.file("a.csv", text)); });
  };
  CHECK(contains(refusal(""), "is empty"));
  CHECK(contains(refusal("\n\n"), "is empty"));
  CHECK(contains(refusal("a,b\n1,2\n1,2,3\n"), "line 3: 3 fields for 2 columns"));
  CHECK_THROWS_AS(read_csv(folder.file("absent.csv")), MissingInputError);
}
