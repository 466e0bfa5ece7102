#include "sdx/device/recorded_call.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <sstream>
#include <stdexcept>

#include "sdx/util/error.h"
#include "sdx/util/failure.h"
#include "support/tensors.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::DeviceGraph;
using sdx::GraphFactory;
using sdx::RecordedCall;
using sdx::test::catch_message;
using sdx::test::contains;
using sdx::test::noise;
using Tensors = RecordedCall::Tensors;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// Where a product's tensors lie: what a device that records works on.
struct Places {
  at::Tensor left, right, product;
  at::Tensor gradient, left_gradient, right_gradient;
};

Places places;  // of the latest call and the latest backward pass

struct Product : torch::autograd::Function<Product> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& left,
                            const at::Tensor& right) {
    context->save_for_backward({left, right});
    return left * right;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    places.gradient = gradients[0];
    places.left_gradient = gradients[0] * saved[1];
    places.right_gradient = gradients[0] * saved[0];
    return {places.left_gradient, places.right_gradient};
  }
};

/// A device that records, played by the processor: as a recording it keeps the places on which
/// the work was done, and replays by multiplying on them.
struct FakeDevice {
  int calls = 0;   ///< of the function itself
  int graphs = 0;  ///< that were made
  int replays = 0;
  int live_graphs = 0;
  bool cannot_record = false;
  bool cannot_record_backward = false;
  double error = 0;  ///< of what is replayed

  struct Graph final : DeviceGraph {
    Graph(FakeDevice& on, bool is_backward) : device(on), backward(is_backward) {
      ++device.live_graphs;
    }
    ~Graph() override { --device.live_graphs; }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    void rehearse(const Work& work) override { work(); }
    void record(const Work& work) override {
      if (device.cannot_record || (backward && device.cannot_record_backward))
        throw std::runtime_error("operation not permitted\nsomewhere");
      work();
      recorded = places;
    }
    void replay() override {
      const at::NoGradGuard no_grad;
      ++device.replays;
      if (!backward) {
        recorded.product.copy_(recorded.left * recorded.right + device.error);
        return;
      }
      recorded.left_gradient.copy_(recorded.gradient * recorded.right + device.error);
      recorded.right_gradient.copy_(recorded.gradient * recorded.left);
    }
    FakeDevice& device;
    bool backward;
    Places recorded;
  };

  GraphFactory factory() {
    return [this](DeviceGraph* after) -> std::unique_ptr<DeviceGraph> {
      ++graphs;
      return std::make_unique<Graph>(*this, after != nullptr);
    };
  }

  RecordedCall product() {
    return {"product",
            [this](const Tensors& inputs) -> Tensors {
              ++calls;
              places.left = inputs[0].detach();
              places.right = inputs[1].detach();
              const at::Tensor product = Product::apply(inputs[0], inputs[1]);
              places.product = product.detach();
              return {product};
            },
            factory()};
  }
};

Tensors pair(std::uint64_t seed, std::int64_t size, bool wants_gradient = false) {
  return {noise(seed, {size}).set_requires_grad(wants_gradient),
          noise(seed + 1000, {size}).set_requires_grad(wants_gradient)};
}

void check_product(RecordedCall& call, const Tensors& inputs) {
  CHECK(at::equal(call(inputs).front(), inputs[0] * inputs[1]));
}

}  // namespace

TEST_CASE("device: without graphs a recorded call is the call itself", "[device]") {
  int calls = 0;
  RecordedCall call(
      "twice",
      [&](const Tensors& inputs) -> Tensors {
        ++calls;
        return {inputs[0] * 2};
      },
      sdx::graph_factory(c10::Device("cpu")));
  const at::Tensor input = noise(1, {3});
  for (int i = 0; i < 3; ++i) CHECK(at::equal(call({input}).front(), input * 2));
  CHECK(calls == 3);
}

TEST_CASE("device: a call is recorded at its second time, and then only replayed", "[device]") {
  FakeDevice device;
  RecordedCall call = device.product();
  check_product(call, pair(1, 5));
  CHECK(device.graphs == 0);
  check_product(call, pair(2, 5));
  CHECK(device.graphs == 1);
  CHECK(device.calls == 3);    // the plain one, the rehearsal, the recording
  CHECK(device.replays == 2);  // one to compare
  const Tensors third = pair(3, 5);
  const at::Tensor kept = call(third).front();
  check_product(call, pair(4, 5));
  CHECK(device.calls == 3);
  CHECK(device.replays == 4);
  CHECK(at::equal(kept, third[0] * third[1]));
}

TEST_CASE("device: every shape has a recording of its own, the latest six", "[device]") {
  FakeDevice device;
  RecordedCall call = device.product();
  for (const std::int64_t size : {1, 2, 3, 4, 5, 6, 7}) {
    check_product(call, pair(1, size));
    check_product(call, pair(2, size));
  }
  CHECK(device.graphs == 7);
  CHECK(device.live_graphs == 6);
  check_product(call, pair(3, 2));
  CHECK(device.graphs == 7);
  check_product(call, pair(3, 1));  // was let go, so it is plain
  CHECK(device.graphs == 7);
  check_product(call, pair(4, 1));
  CHECK(device.graphs == 8);
}

TEST_CASE("device: what training and its looks do in turn is recorded once", "[device]") {
  FakeDevice device;
  RecordedCall call = device.product();
  // A step, the fixed batch, a look and its last, smaller batch, obedience.
  for (int milestone = 0; milestone < 4; ++milestone) {
    for (int step = 0; step < 2; ++step) {
      const Tensors inputs = pair(1, 1, true);
      torch::autograd::grad({call(inputs).front().sum()}, inputs);
    }
    const at::NoGradGuard no_grad;
    for (const std::int64_t rows : {16, 8, 6, 4}) check_product(call, pair(2, rows));
  }
  CHECK(device.graphs == 2 + 4);
}

TEST_CASE("device: a recording that fails leaves nothing behind", "[device]") {
  FakeDevice device;
  RecordedCall call = device.product();
  check_product(call, pair(1, 3));
  check_product(call, pair(2, 3));
  CHECK(device.live_graphs == 1);
  const auto learn = [&] {
    const Tensors inputs = pair(3, 5, true);
    const Tensors outputs = call(inputs);
    CHECK(at::equal(torch::autograd::grad({outputs[0].sum()}, inputs)[0], inputs[1].detach()));
  };
  SECTION("forward") { device.cannot_record = true; }
  SECTION("backward, when forward is recorded") { device.cannot_record_backward = true; }
  SECTION("it gives something else") { device.error = 0.5; }
  for (int i = 0; i < 3; ++i) learn();
  CHECK(device.live_graphs == 0);
  CHECK_FALSE(call.has_recordings());
}

namespace {

/// A call with one recording, and one that runs out of memory while the first one holds any.
struct FullDevice {
  FullDevice() {
    check_product(recorded, pair(1, 4));
    check_product(recorded, pair(2, 4));
    REQUIRE(device.live_graphs == 1);
  }

  Tensors work() {
    ++tries;
    const bool is_full = always_full || device.live_graphs > 0;
    if (is_full) throw std::runtime_error(reason);
    return {at::Tensor()};
  }

  FakeDevice device;
  RecordedCall recorded = device.product();
  int tries = 0;
  bool always_full = false;
  std::string reason = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has";
};

}  // namespace

TEST_CASE("device: where memory runs out, recordings are let go first", "[device]") {
  FullDevice full;
  const auto run = [&] {
    return sdx::with_room({&full.recorded}, c10::Device("cpu"), [&] { return full.work(); });
  };
  SECTION("then there is room, and the calls go on as before") {
    CHECK(run().size() == 1);
    CHECK(full.tries == 2);
    CHECK_FALSE(full.recorded.has_recordings());
    check_product(full.recorded, pair(3, 4));
    check_product(full.recorded, pair(4, 4));
    CHECK(full.device.live_graphs == 1);
  }
  SECTION("then there is still none: a matter of time for who runs it") {
    full.always_full = true;
    sdx::Failure failure;
    try {
      run();
    } catch (...) {
      failure = sdx::to_failure(std::current_exception());
    }
    CHECK(failure.code == sdx::ExitCode::kTryAgain);
    CHECK(contains(failure.text, "2.00 GiB more were wanted"));
    CHECK(full.tries == 2);
    CHECK(full.device.live_graphs == 0);
    // With nothing left to drop there is no second time.
    CHECK_THROWS_AS(run(), std::runtime_error);
    CHECK(full.tries == 3);
  }
  SECTION("cuBLAS has other words for it") {
    full.reason = "CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate";
    CHECK(run().size() == 1);
  }
  SECTION("another error is none of this") {
    full.reason = "an illegal memory access was encountered";
    CHECK_THROWS_AS(run(), std::runtime_error);
    CHECK(full.tries == 1);
    CHECK(full.recorded.has_recordings());
  }
}

TEST_CASE("device: recorded gradients", "[device]") {
  FakeDevice device;
  RecordedCall call = device.product();
  for (std::uint64_t seed = 1; seed < 5; ++seed) {
    INFO("call " << seed);
    const Tensors inputs = pair(seed, 5, true);
    const at::Tensor weight = noise(seed + 7, {5});
    const Tensors outputs = call(inputs);
    CHECK(at::equal(outputs[0].detach(), (inputs[0] * inputs[1]).detach()));
    const auto gradients = torch::autograd::grad({(outputs[0] * weight).sum()}, inputs);
    CHECK(at::equal(gradients[0], (weight * inputs[1]).detach()));
    CHECK(at::equal(gradients[1], (weight * inputs[0]).detach()));
  }
  CHECK(device.graphs == 2);
  CHECK(device.calls == 3);

  SECTION("calls without gradient are of another kind") {
    const at::NoGradGuard no_grad;
    check_product(call, pair(9, 5, true));
    CHECK(device.calls == 4);
  }
  SECTION("an input that requires none gets none") {
    for (std::uint64_t seed = 1; seed < 4; ++seed) {
      const Tensors inputs = {noise(seed, {5}).set_requires_grad(true), noise(seed + 1, {5})};
      const at::Tensor product = call(inputs).front();
      CHECK(at::equal(torch::autograd::grad({product.sum()}, {inputs[0]}).front(), inputs[1]));
    }
    CHECK(device.graphs == 4);
  }
  SECTION("after the next call it is too late for the gradient of this one") {
    const Tensors inputs = pair(9, 5, true);
    const at::Tensor product = call(inputs).front();
    call(inputs);
    CHECK(contains(
        catch_message<sdx::InternalError>([&] { torch::autograd::grad({product.sum()}, inputs); }),
        "after the next call"));
  }
}

TEST_CASE("device: where recording fails, calls are plain, and the log says why", "[device]") {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_st>(log)));
  FakeDevice device;
  RecordedCall call = device.product();
  std::string reason;
  SECTION("it cannot be recorded") {
    device.cannot_record = true;
    reason = "operation not permitted";
  }
  SECTION("it gives something else") {
    device.error = 0.1;
    reason = "the recording's results differ";
  }
  SECTION("it gives nothing that is a number") {
    device.error = std::numeric_limits<double>::quiet_NaN();
    reason = "the recording's results differ";
  }
  for (std::uint64_t seed = 1; seed < 5; ++seed) check_product(call, pair(seed, 5));
  spdlog::set_default_logger(before);
  CHECK(device.graphs == 1);
  CHECK(contains(log.str(),
                 "product: its kernels are started one by one, which is slower: " + reason));
  CHECK_FALSE(contains(log.str(), "somewhere"));
}

TEST_CASE("device: calls that are measured are plain, and no call counts as the first by them",
          "[device]") {
  FakeDevice device;
  RecordedCall call = device.product();
  {
    const sdx::PlainCallsGuard plain;
    for (int i = 0; i < 3; ++i) check_product(call, pair(1, 4));
    CHECK(device.calls == 3);
    CHECK(device.graphs == 0);
  }
  check_product(call, pair(1, 4));  // the first one
  CHECK(device.graphs == 0);
  check_product(call, pair(1, 4));  // recorded
  CHECK(device.graphs == 1);
  const int calls = device.calls;
  {
    const sdx::PlainCallsGuard plain;
    check_product(call, pair(1, 4));
    CHECK(device.calls == calls + 1);
    CHECK(device.replays <= 2);
  }
  const int replays = device.replays;
  check_product(call, pair(1, 4));
  CHECK(device.replays == replays + 1);
}
