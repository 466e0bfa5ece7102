#pragma once

#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "sdx/tensor/safetensors.h"
#include "sdx/tokenizer/tokenizer.h"
#include "sdx/util/json.h"
#include "support/temp_folder.h"

namespace sdx::test {

/// What scripts/parity/make_tokenizer_goldens.py wrote.
inline std::filesystem::path tokenizer_data() {
  return std::filesystem::path(SDX_TEST_DATA) / "tokenizer";
}

/// 2,000 lines of mixed text.
inline std::vector<std::string> mixed_lines() {
  std::istringstream stream(read_bytes(tokenizer_data() / "lines.jsonl"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(Json::parse(line).get<std::string>());
  }
  return lines;
}

using IdsByLine = std::map<std::size_t, std::vector<std::int64_t>>;

/// The ids of the lines (of all, or of some) that the reference tokenizer `name` gives.
inline IdsByLine reference_ids(const std::string& name) {
  static const Safetensors content = map_safetensors(tokenizer_data() / "golden.safetensors");
  const auto numbers = [&name](const char* part) {
    const at::Tensor tensor = content.tensors.at(name + "." + part).to(at::kLong).contiguous();
    const auto* const first = tensor.const_data_ptr<std::int64_t>();
    return std::vector<std::int64_t>(first, first + tensor.numel());
  };
  const std::vector<std::int64_t> ids = numbers("ids");
  const std::vector<std::int64_t> lines = numbers("lines");
  const std::vector<std::int64_t> lengths = numbers("lengths");
  IdsByLine result;
  auto next = ids.begin();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    result[static_cast<std::size_t>(lines[i])] = {next, next + lengths[i]};
    next += lengths[i];
  }
  return result;
}

/// The lines for which a tokenizer gives other ids than the reference, as JSON strings.
inline std::vector<std::string> differing_lines(const Tokenizer& tokenizer,
                                                const IdsByLine& reference) {
  const std::vector<std::string> lines = mixed_lines();
  std::vector<std::string> differing;
  for (const auto& [line, ids] : reference) {
    if (tokenizer.encode(lines.at(line)) != ids) differing.push_back(Json(lines[line]).dump());
  }
  return differing;
}

}  // namespace sdx::test
