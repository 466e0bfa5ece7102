#include "sdx/device/pace.h"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <memory>
#include <utility>

namespace sdx {

namespace {

DeviceMark mark_stream(const c10::Device& device) {
  if (device.is_cpu()) return {};
  return [device]() -> std::function<void()> {
    const auto event = std::make_shared<c10::Event>(device.type());
    event->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
    return [event] { event->synchronize(); };
  };
}

}  // namespace

Pace::Pace(const c10::Device& device) : Pace(mark_stream(device)) {}

Pace::Pace(DeviceMark mark) : mark_(std::move(mark)) {}

void Pace::end_round() {
  if (!mark_) return;
  const std::function<void()> wait = std::exchange(wait_for_last_, mark_());
  if (wait) wait();
}

}  // namespace sdx
