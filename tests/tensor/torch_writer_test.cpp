#include "sdx/tensor/torch_writer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using sdx::PickleValue;
using sdx::test::TempFolder;

namespace {

PickleValue wrap_in_dict(std::vector<std::pair<std::string, PickleValue>> entries) {
  PickleValue dict = PickleValue::make_dict();
  for (auto& [key, value] : entries) {
    dict.insert(PickleValue::make_text(key), std::move(value));
  }
  return dict;
}

PickleValue read_back(const PickleValue& value) {
  const TempFolder folder;
  sdx::write_torch_file(folder.path() / "a.pt", value);
  return sdx::read_torch_file(folder.path() / "a.pt");
}

}  // namespace

TEST_CASE("tensor: what is written for torch.load is read as it was", "[tensor]") {
  const at::Tensor whole = at::arange(6, at::kFloat).reshape({2, 3});
  const PickleValue back =
      read_back(wrap_in_dict({{"none", PickleValue()},
                              {"text", PickleValue::make_text("Grüße, 漢字")},
                              {"nested", wrap_in_dict({{"empty", wrap_in_dict({})}})},
                              {"whole", PickleValue::make_tensor(whole)},
                              {"view", PickleValue::make_tensor(whole.t())},
                              {"columns", PickleValue::make_tensor(whole.narrow(1, 1, 2))},
                              {"scalar", PickleValue::make_tensor(whole[1][2])}}));
  CHECK(back.dict()->size() == 7);
  CHECK(back.find("none")->is_none());
  CHECK(*back.find("text")->text() == "Grüße, 漢字");
  CHECK(back.find("nested")->find("empty")->dict()->empty());
  CHECK(at::equal(*back.find("whole")->tensor(), whole));
  CHECK(at::equal(*back.find("view")->tensor(), whole.t()));
  CHECK(at::equal(*back.find("columns")->tensor(), whole.narrow(1, 1, 2)));
  CHECK(at::equal(*back.find("scalar")->tensor(), whole[1][2]));
}

TEST_CASE("tensor: whole numbers of every size are written for torch.load", "[tensor]") {
  for (const std::int64_t number :
       {std::int64_t{0}, std::int64_t{255}, std::int64_t{256}, std::int64_t{65535},
        std::int64_t{65536}, std::int64_t{2147483647}, std::int64_t{2147483648}, std::int64_t{-1},
        std::int64_t{-2147483648}, std::int64_t{-2147483649}, INT64_MAX, INT64_MIN}) {
    CHECK(*read_back(PickleValue::make_integer(number)).integer() == number);
  }
}

TEST_CASE("tensor: storages written for torch.load begin at multiples of 64", "[tensor]") {
  const TempFolder folder;
  const auto file = folder.path() / "a.pt";
  const at::Tensor marked = at::arange(1, 5, at::kFloat);
  sdx::write_torch_file(file, wrap_in_dict({{"first", PickleValue::make_tensor(marked)},
                                            {"second", PickleValue::make_tensor(marked)}}));
  const std::string bytes = sdx::test::read_bytes(file);
  const std::string wanted(static_cast<const char*>(marked.data_ptr()), marked.nbytes());
  int found = 0;
  for (std::size_t at = bytes.find(wanted); at != std::string::npos;
       at = bytes.find(wanted, at + 1)) {
    CHECK(at % 64 == 0);
    ++found;
  }
  CHECK(found == 2);
}

TEST_CASE("tensor: what torch.load's file is not written with is a fault of ours", "[tensor]") {
  const TempFolder folder;
  const auto file = folder.path() / "a.pt";
  CHECK_THROWS_AS(sdx::write_torch_file(file, PickleValue::make_list()), sdx::InternalError);
  CHECK_THROWS_AS(sdx::write_torch_file(file, PickleValue::make_tensor(at::zeros({2}, at::kHalf))),
                  sdx::InternalError);
  CHECK(sdx::test::entries_in(folder.path()) == 0);
}
