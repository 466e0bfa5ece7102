#include "tensor/pickle.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>
#include <vector>

#include "tensor/byte_reader.h"

#include "sdx/util/text.h"

namespace sdx {

namespace {

/// Under their names in Python's pickletools.
enum class Op : unsigned char {
  kProto = 0x80,
  kFrame = 0x95,
  kStop = '.',
  kMark = '(',
  kPop = '0',
  kPopMark = '1',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kBinFloat = 'G',
  kShortBinString = 'U',
  kBinString = 'T',
  kShortBinUnicode = 0x8c,
  kBinUnicode = 'X',
  kBinUnicode8 = 0x8d,
  kShortBinBytes = 'C',
  kBinBytes = 'B',
  kBinBytes8 = 0x8e,
  kByteArray8 = 0x96,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kNewObject = 0x81,
  kNewObjectWithNames = 0x92,  // NEWOBJ_EX
  kBuild = 'b',
  kPersistentId = 'Q',
  kGet = 'h',
  kLongGet = 'j',
  kPut = 'q',
  kLongPut = 'r',
  kMemoize = 0x94,
};

constexpr int kMaxProtocol = 5;
constexpr std::size_t kMaxNameBytes = 1000;

class PickleMachine {
 public:
  PickleMachine(std::span<std::byte> bytes, PickleHost& host) : reader_(bytes), host_(host) {}

  Unpickled run() {
    std::size_t position = 0;
    try {
      do {
        position = reader_.position();
      } while (step(reader_.number<Op>()));
      if (stack_.size() != 1) {
        throw DataError("it ends with " + std::to_string(stack_.size()) + " values, expected one");
      }
    } catch (const DataError& error) {
      throw DataError("byte " + std::to_string(position) + " of its pickle: " + error.what());
    }
    return {std::move(stack_.back()), reader_.position()};
  }

 private:
  /// Whether the pickle goes on.
  bool step(Op op) {
    switch (op) {
      case Op::kStop:
        return false;
      case Op::kProto:
        check_protocol(reader_.number<std::uint8_t>());
        break;
      case Op::kFrame:  // how many bytes follow, for readers from a pipe
        reader_.number<std::uint64_t>();
        break;
      case Op::kMark:
        marks_.push_back(stack_.size());
        check_amount(marks_.size());
        break;
      case Op::kPop:
        pop();
        break;
      case Op::kPopMark:
        pop_to_mark();
        break;
      case Op::kPersistentId:
        push(host_.persistent(pop()));
        break;
      case Op::kGlobal:
      case Op::kStackGlobal:
      case Op::kReduce:
      case Op::kNewObject:
      case Op::kNewObjectWithNames:
      case Op::kBuild:
        object_step(op);
        break;
      case Op::kGet:
      case Op::kLongGet:
      case Op::kPut:
      case Op::kLongPut:
      case Op::kMemoize:
        memo_step(op);
        break;
      default:
        if (!scalar_step(op) && !container_step(op)) fail_unknown(op);
    }
    return true;
  }

  bool scalar_step(Op op) {
    switch (op) {
      case Op::kNone:
        push({});
        break;
      case Op::kNewTrue:
      case Op::kNewFalse:
        push(PickleValue::make_boolean(op == Op::kNewTrue));
        break;
      case Op::kBinInt:
        push(PickleValue::make_integer(reader_.number<std::int32_t>()));
        break;
      case Op::kBinInt1:
        push(PickleValue::make_integer(reader_.number<std::uint8_t>()));
        break;
      case Op::kBinInt2:
        push(PickleValue::make_integer(reader_.number<std::uint16_t>()));
        break;
      case Op::kLong1:
        push_long(reader_.take(reader_.number<std::uint8_t>()));
        break;
      case Op::kLong4:
        push_long(reader_.take(reader_.number<std::uint32_t>()));
        break;
      case Op::kBinFloat:
        push(PickleValue::make_real(
            std::bit_cast<double>(__builtin_bswap64(reader_.number<std::uint64_t>()))));
        break;
      case Op::kShortBinString:
      case Op::kShortBinUnicode:
        push(PickleValue::make_text(words<std::uint8_t>()));
        break;
      case Op::kBinString:
      case Op::kBinUnicode:
        push(PickleValue::make_text(words<std::uint32_t>()));
        break;
      case Op::kBinUnicode8:
        push(PickleValue::make_text(words<std::uint64_t>()));
        break;
      case Op::kShortBinBytes:
        push(PickleValue::make_bytes(words<std::uint8_t>()));
        break;
      case Op::kBinBytes:
        push(PickleValue::make_bytes(words<std::uint32_t>()));
        break;
      case Op::kBinBytes8:
      case Op::kByteArray8:
        push(PickleValue::make_bytes(words<std::uint64_t>()));
        break;
      default:
        return false;
    }
    return true;
  }

  bool container_step(Op op) {
    switch (op) {
      case Op::kEmptyList:
      case Op::kEmptySet:
        push(PickleValue::make_list());
        break;
      case Op::kEmptyDict:
        push(PickleValue::make_dict());
        break;
      case Op::kAppend: {
        PickleValue item = pop();
        growing(false).append(std::move(item));
        break;
      }
      case Op::kAppends:
      case Op::kAddItems:
        for (PickleValue& item : pop_to_mark()) growing(false).append(std::move(item));
        break;
      case Op::kSetItem:
        insert(pop_many(2));
        break;
      case Op::kSetItems:
        insert(pop_to_mark());
        break;
      case Op::kEmptyTuple:
        push(PickleValue::make_tuple({}));
        break;
      case Op::kTuple1:
        push(PickleValue::make_tuple(pop_many(1)));
        break;
      case Op::kTuple2:
        push(PickleValue::make_tuple(pop_many(2)));
        break;
      case Op::kTuple3:
        push(PickleValue::make_tuple(pop_many(3)));
        break;
      case Op::kTuple:
      case Op::kFrozenSet:
        push(PickleValue::make_tuple(pop_to_mark()));
        break;
      default:
        return false;
    }
    return true;
  }

  void object_step(Op op) {
    if (op == Op::kGlobal) {
      const std::string module = line();
      push(PickleValue::make_opaque(host_.global(module, line())));
    } else if (op == Op::kStackGlobal) {
      const PickleValue::List names = pop_many(2);
      if (names[0].text() == nullptr || names[1].text() == nullptr) {
        throw DataError("expected the name of a global, found " + names[1].description());
      }
      push(PickleValue::make_opaque(host_.global(*names[0].text(), *names[1].text())));
    } else if (op == Op::kBuild) {
      const PickleValue state = pop();
      host_.set_state(top(), state);
    } else {
      if (op == Op::kNewObjectWithNames) pop();  // the arguments that have names
      const PickleValue::List call = pop_many(2);
      if (call[0].opaque() == nullptr || call[1].list() == nullptr) {
        throw DataError("expected a class or function and its arguments, found " +
                        call[0].description() + " and " + call[1].description());
      }
      push(op == Op::kReduce ? host_.call(*call[0].opaque(), *call[1].list())
                             : host_.create(*call[0].opaque(), *call[1].list()));
    }
  }

  void memo_step(Op op) {
    if (op == Op::kGet || op == Op::kLongGet) {
      const std::uint32_t index =
          op == Op::kGet ? reader_.number<std::uint8_t>() : reader_.number<std::uint32_t>();
      const auto found = memo_.find(index);
      if (found == memo_.end()) {
        throw DataError("it refers to value " + std::to_string(index) + ", which is not there yet");
      }
      push(found->second);
    } else {
      std::size_t index = memo_.size();
      if (op == Op::kPut) index = reader_.number<std::uint8_t>();
      if (op == Op::kLongPut) index = reader_.number<std::uint32_t>();
      memo_[index] = top();
      check_amount(memo_.size());
    }
  }

  static void check_protocol(int protocol) {
    if (protocol > kMaxProtocol) {
      throw DataError("its protocol is " + std::to_string(protocol) + ", at most " +
                      std::to_string(kMaxProtocol) + " is known");
    }
  }

  [[noreturn]] static void fail_unknown(Op op) {
    constexpr const char* kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(op);
    throw DataError(std::string("unknown opcode 0x") + kDigits[byte / 16] + kDigits[byte % 16] +
                    ": damaged, or not written by torch.save");
  }

  static void check_amount(std::size_t amount) {
    if (amount > kMaxPickleValues) {
      throw DataError("it makes more than the " + std::to_string(kMaxPickleValues) +
                      " values that are accepted");
    }
  }

  void push(PickleValue value) {
    check_amount(++pushed_);
    stack_.push_back(std::move(value));
  }

  /// What lies below the last mark is out of reach until that is taken away.
  std::size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  PickleValue& top() {
    if (available() < 1) throw DataError("it uses a value where there is none");
    return stack_.back();
  }

  /// The value on top, which is to get items. An object of a class that is not known here is
  /// nothing but them from now on.
  PickleValue& growing(bool as_dict) {
    PickleValue& value = top();
    if (value.opaque() != nullptr) {
      value = as_dict ? PickleValue::make_dict() : PickleValue::make_list();
    }
    return value;
  }

  PickleValue pop() { return std::move(pop_many(1).front()); }

  PickleValue::List pop_many(std::size_t count) {
    if (available() < count) throw DataError("it uses a value where there is none");
    const auto begin = stack_.end() - static_cast<std::ptrdiff_t>(count);
    PickleValue::List values(std::make_move_iterator(begin), std::make_move_iterator(stack_.end()));
    stack_.erase(begin, stack_.end());
    return values;
  }

  PickleValue::List pop_to_mark() {
    if (marks_.empty()) throw DataError("it uses a mark where there is none");
    PickleValue::List values = pop_many(available());
    marks_.pop_back();
    return values;
  }

  void insert(PickleValue::List keys_and_values) {
    if (keys_and_values.size() % 2 != 0) throw DataError("a key of a dict has no value");
    for (std::size_t i = 0; i < keys_and_values.size(); i += 2) {
      growing(true).insert(std::move(keys_and_values[i]), std::move(keys_and_values[i + 1]));
    }
  }

  /// Two's complement, little-endian, of any length. Longer than 64 bits it stays opaque.
  void push_long(std::span<const std::byte> bytes) {
    if (bytes.size() > sizeof(std::int64_t)) return push(PickleValue::make_opaque("int"));
    const bool negative = !bytes.empty() && std::to_integer<int>(bytes.back()) >= 0x80;
    std::int64_t value = negative ? -1 : 0;
    std::copy(bytes.begin(), bytes.end(), std::as_writable_bytes(std::span(&value, 1)).begin());
    push(PickleValue::make_integer(value));
  }

  /// Characters after their number.
  template <typename Length>
  std::string words() {
    return std::string(reader_.text(reader_.number<Length>()));
  }

  /// Characters before a line break: how a global is spelt.
  std::string line() {
    std::string line;
    for (char c = reader_.number<char>(); c != '\n'; c = reader_.number<char>()) {
      line += c;
      if (line.size() > kMaxNameBytes) {
        throw DataError("the name of a global has no end: " + in_quotes(line));
      }
    }
    return line;
  }

  ByteReader reader_;
  PickleHost& host_;
  std::vector<PickleValue> stack_;
  std::vector<std::size_t> marks_;  ///< heights of the stack
  std::map<std::size_t, PickleValue> memo_;
  std::size_t pushed_ = 0;
};

}  // namespace

Unpickled unpickle(std::span<std::byte> bytes, PickleHost& host) {
  return PickleMachine(bytes, host).run();
}

}  // namespace sdx
