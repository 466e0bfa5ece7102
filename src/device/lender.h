#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sdx {

/// Lends things of which there are only so many, each to one holder at a time: a maker that hands
/// the same ones out in turn would lend one twice. From any thread; lives as long as what it lent.
template <typename Thing>
class Lender {
 public:
  /// @param what  in messages, in the plural.
  /// @param make  gives the next thing; after `count` calls it begins again with the first.
  /// @param count of different things.
  Lender(std::string what, std::function<Thing()> make, int count)
      : state_(std::make_shared<State>()) {
    state_->what = std::move(what);
    state_->make = std::move(make);
    state_->count = count;
  }

  /// @return a thing that nobody else has until the last copy of the pointer goes; one that was
  ///         lent before if there is such a one.
  /// @throws std::runtime_error if all are lent.
  std::shared_ptr<const Thing> lend() {
    const std::lock_guard lock(state_->mutex);
    auto* const thing = new Thing(state_->take());
    return {thing, [state = state_](const Thing* back) {
              const std::lock_guard back_lock(state->mutex);
              state->spare.push_back(*back);
              delete back;
            }};
  }

 private:
  struct State {
    Thing take() {
      if (!spare.empty()) {
        Thing thing = spare.back();
        spare.pop_back();
        return thing;
      }
      if (static_cast<int>(made.size()) == count) {
        throw std::runtime_error("all " + std::to_string(count) + " " + what + " are in use");
      }
      // Others may take from the maker too, so its turn need not begin with a new one.
      for (int i = 0; i < count; ++i) {
        const Thing thing = make();
        if (std::find(made.begin(), made.end(), thing) != made.end()) continue;
        made.push_back(thing);
        return thing;
      }
      throw std::runtime_error("no further " + what + " can be made");
    }

    std::string what;
    std::function<Thing()> make;
    int count = 0;
    std::mutex mutex;
    std::vector<Thing> made;
    std::vector<Thing> spare;
  };

  std::shared_ptr<State> state_;
};

}  // namespace sdx
