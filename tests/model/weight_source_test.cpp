#include "model/weight_source.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include "model/script_part.h"
#include "sdx/util/error.h"
#include "support/tensors.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::ModelUse;
using sdx::test::noise;
using sdx::test::relative_difference;
using sdx::test::tiny_bundle;

namespace {

constexpr const char* kChanged = "conv_out.weight";

/// The bundle's weights, one of them doubled.
class Doubled : public sdx::WeightSource {
 public:
  explicit Doubled(const sdx::WeightSource& from) : from_(from) {}

  at::Tensor weight(const std::string& name) const override {
    return name == kChanged ? from_.weight(name) * 2 : from_.weight(name);
  }

 private:
  const sdx::WeightSource& from_;
};

}  // namespace

TEST_CASE("model: a source that changes one weight changes that layer and no other", "[model]") {
  const at::NoGradGuard no_grad;
  const auto mapped = sdx::MappedWeights::find(tiny_bundle(), "unet");
  const at::Tensor before = mapped->weight(kChanged).clone();
  const at::Tensor bias = mapped->weight("conv_out.bias").view({1, -1, 1, 1});
  const at::Tensor sample = noise(1, {1, 4, 8, 8});
  const at::Tensor timesteps = at::full({1}, 300, at::kLong);
  const at::Tensor context = noise(2, {1, 77, tiny_bundle().info().context_width()});
  for (const ModelUse use : {ModelUse::kTraining, ModelUse::kInference}) {
    const auto plain = sdx::load_script_part(tiny_bundle(), "unet", "unet", {}, use);
    const Doubled source(*mapped);
    const auto changed = sdx::load_script_part(tiny_bundle(), "unet", &source, {}, use);
    const auto both = [&](const char* method, const std::vector<c10::IValue>& arguments) {
      return std::pair(sdx::run_any_method(plain, method, arguments),
                       sdx::run_any_method(changed, method, arguments));
    };
    const auto [time, same_time] = both("time", {timesteps, sample});
    CHECK(at::equal(time.front(), same_time.front()));
    const auto [skips, same_skips] = both("down", {sample, time.front(), context});
    for (std::size_t i = 0; i < skips.size(); ++i) CHECK(at::equal(skips[i], same_skips[i]));
    const auto [deep, same_deep] = both("mid", {skips.back(), time.front(), context});
    CHECK(at::equal(deep.front(), same_deep.front()));

    const auto [output, doubled] = both("forward", {sample, timesteps, context});
    CHECK(relative_difference(doubled.front() - bias, (output.front() - bias) * 2) < 1e-6);
    CHECK_FALSE(at::equal(output.front(), doubled.front()));
  }
  CHECK(at::equal(mapped->weight(kChanged), before));
  CHECK_NOTHROW(tiny_bundle().reread_file("unet.safetensors"));
}

TEST_CASE("model: a weight that is missing is named, with its part", "[model]") {
  const auto mapped = sdx::MappedWeights::find(tiny_bundle(), "vae");
  const std::string message =
      sdx::test::catch_message<sdx::DataError>([&] { mapped->weight("decoder.lamp"); });
  CHECK(sdx::test::contains(message, "/vae: tensor \"decoder.lamp\" is missing"));
  CHECK(sdx::MappedWeights::find(tiny_bundle(), "no_such_part") == nullptr);
}
