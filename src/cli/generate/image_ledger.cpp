#include "cli/generate/image_ledger.h"

#include <algorithm>
#include <utility>

namespace sdx {

ImageLedger::ImageLedger(std::size_t requests, ImageConsumer consume)
    : consume_(std::move(consume)), has_image_(requests, false) {
  open({0, requests});
}

void ImageLedger::open(const Range& range) {
  if (range.first < range.end && !is_made(range)) open_[range.first] = range.end;
}

bool ImageLedger::is_made(const Range& range) const {
  for (std::size_t i = range.first; i < range.end; ++i) {
    if (!has_image_[i]) return false;
  }
  return true;
}

std::optional<std::size_t> ImageLedger::take(std::size_t maker) {
  if (open_.empty()) return std::nullopt;
  const auto [first, end] = *open_.begin();
  open_.erase(open_.begin());
  makers_[maker].cutting = Range{first, end};
  return first;
}

void ImageLedger::on_batch(std::size_t maker, std::size_t first, std::size_t count) {
  Maker& by = makers_[maker];
  by.batches.push_back({first, first + count});
  if (by.cutting) open({first + count, by.cutting->end});
  by.cutting.reset();
}

void ImageLedger::on_image(std::size_t index, GeneratedImage image) {
  if (has_image_[index]) return;
  has_image_[index] = true;
  ++made_;
  waiting_.emplace(index, std::move(image));
  for (auto first = waiting_.begin(); first != waiting_.end() && first->first == next_; ++next_) {
    consume_(next_, first->second);
    first = waiting_.erase(first);
  }
}

void ImageLedger::give_back(std::size_t maker) {
  const Maker by = std::exchange(makers_[maker], {});
  if (by.cutting) open(*by.cutting);
  for (const Range& batch : by.batches) open(batch);
}

void ImageLedger::flush() {
  for (const auto& [index, image] : waiting_) consume_(index, image);
  waiting_.clear();
}

}  // namespace sdx
