#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "sdx/generation/generator.h"

namespace sdx {

/// Who of several makers makes which pictures, and which are made. Every request is made once, in
/// the batch in which one maker alone would make it; what a maker leaves is made by another.
class ImageLedger {
 public:
  /// @param consume is given each picture once, in the order of the requests
  ImageLedger(std::size_t requests, ImageConsumer consume);

  /// The first request of the next batch for a maker, which reports it by on_batch(). Nothing if
  /// there is none now: there may be one later, until is_done().
  std::optional<std::size_t> take(std::size_t maker);
  /// A maker has cut the batch that take() gave it.
  void on_batch(std::size_t maker, std::size_t first, std::size_t count);
  void on_image(std::size_t index, GeneratedImage image);
  /// A maker is gone: what it has not made is open again.
  void give_back(std::size_t maker);

  /// Gives on the pictures that wait for one before them, which will not come.
  void flush();
  bool is_done() const { return made_ == has_image_.size(); }

 private:
  /// Requests that follow each other.
  struct Range {
    std::size_t first;
    std::size_t end;
  };
  struct Maker {
    std::optional<Range> cutting;  ///< given to it; its batch is the beginning
    std::vector<Range> batches;
  };

  void open(const Range& range);
  bool is_made(const Range& range) const;

  ImageConsumer consume_;
  std::map<std::size_t, std::size_t> open_;  ///< first and end of what nobody makes
  std::map<std::size_t, Maker> makers_;
  std::vector<bool> has_image_;
  std::size_t made_ = 0;
  std::size_t next_ = 0;                           ///< the one to be given on
  std::map<std::size_t, GeneratedImage> waiting_;  ///< for those before them
};

/// What a ledger has open, for a generator of this process.
class LedgerSource : public BatchSource {
 public:
  LedgerSource(ImageLedger& ledger, std::size_t maker) : ledger_(ledger), maker_(maker) {}

  std::optional<std::size_t> next() override { return ledger_.take(maker_); }
  void on_batch(std::size_t first, std::size_t count) override {
    ledger_.on_batch(maker_, first, count);
  }

 private:
  ImageLedger& ledger_;
  std::size_t maker_;
};

}  // namespace sdx
