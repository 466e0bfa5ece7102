#include "sdx/device/gpus.h"

#include <cstdlib>

#include "sdx/device/device.h"
#include "sdx/util/error.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::choose_gpus;
using sdx::make_visible;
using sdx::test::catch_message;
using sdx::test::contains;

TEST_CASE("gpus: all, none and some of them", "[device]") {
  CHECK(choose_gpus("all", 3) == std::vector<int>{0, 1, 2});
  CHECK(choose_gpus("all", 0).empty());
  CHECK(choose_gpus("none", 3).empty());
  CHECK(choose_gpus("2,0", 3) == std::vector<int>{2, 0});
  CHECK(choose_gpus("0, 1", 2) == std::vector<int>{0, 1});
  CHECK(sdx::name_gpu(1) == "cuda:1");
}

TEST_CASE("gpus: what cannot be is named with what there is", "[device]") {
  for (const char* text : {"", "0,0", "any", "0,,1", "0,", "-1", "1.5", "99999999999"}) {
    INFO(text);
    CHECK(catch_message<sdx::UsageError>([&] { choose_gpus(text, 2); }) ==
          std::string("`gpus`: expected all, none, or numbers of GPUs with commas between, each "
                      "once, found \"") +
              text + "\"");
  }
  CHECK(catch_message<sdx::UnavailableError>([] { choose_gpus("0,2", 2); }) ==
        "`gpus` 0,2: there is no GPU 2 here; libtorch can use 2, with numbers from 0 to 1; `gpus` "
        "all takes each of them");
  CHECK(contains(catch_message<sdx::UnavailableError>([] { choose_gpus("0", 0); }),
                 "libtorch can use no other; `gpus` none computes on the processor"));
}

TEST_CASE("gpus: another process sees one of those that this one sees", "[device]") {
  ::unsetenv(sdx::kVisibleGpus);
  CHECK(make_visible(1) == std::pair<std::string, std::string>("CUDA_VISIBLE_DEVICES", "1"));
  ::setenv(sdx::kVisibleGpus, "3,GPU-8f2a", 1);
  CHECK(make_visible(0).second == "3");
  CHECK(make_visible(1).second == "GPU-8f2a");
  ::unsetenv(sdx::kVisibleGpus);
}

TEST_CASE("gpus: those that the processor plays", "[device]") {
  ::setenv(sdx::kPlayedGpus, "fine,out of order", 1);
  CHECK(sdx::count_gpus() == 2);
  CHECK(sdx::choose_target("auto", "auto").device.is_cpu());
  CHECK(sdx::choose_target("auto", "auto").remark.empty());
  CHECK(sdx::choose_target("cuda:0", "auto").dtype == at::kFloat);
  CHECK(contains(catch_message<sdx::UnavailableError>([] { sdx::choose_target("cuda:1", "auto"); }),
                 "`device` cuda:1: it cannot compute (out of order)"));
  ::setenv(sdx::kVisibleGpus, "1", 1);
  CHECK(sdx::count_gpus() == 1);
  CHECK(contains(catch_message<sdx::UnavailableError>([] { sdx::choose_target("cuda", "auto"); }),
                 "`device` cuda:0: it cannot compute (out of order)"));
  ::unsetenv(sdx::kVisibleGpus);
  ::unsetenv(sdx::kPlayedGpus);
}
